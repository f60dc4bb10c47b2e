"""The networks of score_sde: DDPM++ on the variance-preserving and NCSN++ on the variance-exploding process.

Their layers are one list, which is walked here as the original walks it. NCSN++ was trained on images in [0, 1] and
gives the score; in [-1, 1] the same noise is twice as large, and what is divided by σ outside the network is −ε, which
becomes ε by the sign of the last layers.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

from jaxir.denoisers import Inlet, Levels, NetworkDenoiser, Noise, Times
from jaxir.networks import (
    DiffusionUNet,
    Filtered,
    GaussianWaves,
    InputResidual,
    InputSkip,
    Nearest,
    Norm,
    Sinusoids,
)
from jaxir.pretrained.families.family import Config, Converted, Tensors, shapes
from jaxir.pretrained.families.switches import refuse_all_but
from jaxir.pretrained.names import Name, collect, conv, dense, norm, scaled
from jaxir.processes import VE, VP, Process, SubVP


class ScoreSDE:
    """The family; the configuration is the original's, as nested dictionaries.

    Source: [song2021score].
    """

    def recognises(self, config: Config) -> bool:
        """By the name of the architecture."""
        return isinstance(model := config.get("model"), dict) and model.get("name") == "ncsnpp"

    def convert(self, config: Config, tensors: Tensors) -> Converted:
        """The network on the continuous process of its training.

        Raises:
            ConversionError: if the tensors do not fit the configuration.
            ValueError: if the configuration asks for what is not here.
        """
        unet, model = network(config), config["model"]
        exploding = bool(model.get("scale_by_sigma", False))
        kinds = ("vesde",) if exploding else ("vpsde", "subvpsde")
        refuse_all_but(config.get("training", {}), sde=kinds)
        kind = config.get("training", {}).get("sde", kinds[0])
        inner = {name.removeprefix("module."): value for name, value in tensors.items()}
        table = names(unet, sign=-1 if exploding else 1)
        params = collect(table, inner, shapes(unet), ignored=("sigmas",))
        process: Process
        inlet: Inlet
        if exploding:
            ends = 2 * float(model["sigma_min"]), 2 * float(model["sigma_max"])
            process = VE(*ends)
            inlet = Levels(0.5)
        else:
            ends = float(model.get("beta_min", 0.1)), float(model.get("beta_max", 20.0))
            process = SubVP(*ends) if kind == "subvpsde" else VP(*ends)
            inlet = Times(999.0, 0.0)
        denoiser = NetworkDenoiser(process, params, unet.apply, Noise(), 0.5, inlet=inlet)
        return Converted(denoiser, unet)


def network(config: Config) -> DiffusionUNet:
    """The network of a configuration.

    Raises:
        ValueError: for a switch that is not known here.
    """
    model, data = config["model"], config["data"]
    exploding = bool(model.get("scale_by_sigma", False))
    refuse_all_but(
        model,
        resblock_type=("biggan",),
        nonlinearity=("swish",),
        progressive=("none", "output_skip"),
        progressive_input=("none", "input_skip", "residual"),
        progressive_combine=("sum",),
        skip_rescale=(True,),
        conditional=(True,),
        embedding_type=("fourier",) if exploding else ("positional",),
    )
    width, multipliers = int(model["nf"]), tuple(model["ch_mult"])
    sides = [int(data["image_size"]) >> level for level in range(len(multipliers))]
    pyramids = {"none": None, "input_skip": InputSkip(), "residual": InputResidual()}
    fourier = GaussianWaves(2 * width, float(model.get("fourier_scale", 16)))
    taps = tuple(model.get("fir_kernel", (1, 3, 3, 1)))
    channels = int(data.get("num_channels", 3))
    return DiffusionUNet(
        in_channels=channels,
        out_channels=channels,
        width=width,
        multipliers=multipliers,
        blocks=int(model["num_res_blocks"]),
        attention=tuple(side in model["attn_resolutions"] for side in sides),
        attention_up_once=True,
        waves=fourier if exploding else Sinusoids(width, last=1, sine_first=True),
        embedding=4 * width,
        resampling=Filtered(taps) if model.get("fir", False) else Nearest(),
        projected=True,
        norm=Norm(least=4, epsilon=1e-6),
        scale=0.5**0.5,
        pyramid_in=pyramids[model.get("progressive_input", "none")],
        pyramid_out=model.get("progressive", "none") == "output_skip",
    )


def names(unet: DiffusionUNet, sign: int = 1) -> Iterator[Name]:
    """The table, in the order of the original's list of layers."""
    layers, levels = (f"all_modules.{i}" for i in count()), range(len(unet.multipliers))
    if isinstance(unet.waves, GaussianWaves):
        yield Name("waves/frequencies", f"{next(layers)}.W")
    yield from dense("embedding_0", next(layers))
    yield from dense("embedding_1", next(layers))
    yield from conv("entrance", next(layers))
    width = unet.width
    for level in levels:
        new = unet.channels(unet.multipliers[level])
        if level:
            yield from _block(f"down_{level}_resample", next(layers), True)
            if isinstance(unet.pyramid_in, InputSkip):
                yield from dense(f"down_{level}_pyramid", f"{next(layers)}.Conv_0")
            elif isinstance(unet.pyramid_in, InputResidual):
                yield from conv(f"down_{level}_pyramid", f"{next(layers)}.Conv2d_0")
        for i in range(unet.blocks):
            yield from _block(f"down_{level}_{i}", next(layers), width != new)
            if unet.attention[level]:
                yield from _attention(f"down_{level}_{i}_attention", next(layers))
            width = new
    yield from _block("middle_0", next(layers), False)
    yield from _attention("middle_attention", next(layers))
    yield from _block("middle_1", next(layers), False)
    for level in reversed(levels):
        for i in range(unet.blocks + 1):
            yield from _block(f"up_{level}_{i}", next(layers), True)
        if unet.attention[level]:
            yield from _attention(f"up_{level}_{unet.blocks}_attention", next(layers))
        if unet.pyramid_out:
            yield from norm(f"out_{level}_norm", next(layers))
            yield from scaled(conv(f"out_{level}", next(layers)), sign)
        if level:
            yield from _block(f"up_{level}_resample", next(layers), True)
    if not unet.pyramid_out:
        yield from norm("out_0_norm", next(layers))
        yield from scaled(conv("out_0", next(layers)), sign)


def _block(ours: str, theirs: str, skip: bool) -> Iterator[Name]:
    yield from norm(f"{ours}/norm_0", f"{theirs}.GroupNorm_0")
    yield from conv(f"{ours}/conv_0", f"{theirs}.Conv_0")
    yield from dense(f"{ours}/embedding", f"{theirs}.Dense_0")
    yield from norm(f"{ours}/norm_1", f"{theirs}.GroupNorm_1")
    yield from conv(f"{ours}/conv_1", f"{theirs}.Conv_1")
    if skip:
        yield from dense(f"{ours}/skip", f"{theirs}.Conv_2")


def _attention(ours: str, theirs: str) -> Iterator[Name]:
    yield from norm(f"{ours}/norm", f"{theirs}.GroupNorm_0")
    for part, name in enumerate(("query", "key", "value", "out")):
        yield Name(f"{ours}/{name}/kernel", f"{theirs}.NIN_{part}.W")
        yield Name(f"{ours}/{name}/bias", f"{theirs}.NIN_{part}.b")
