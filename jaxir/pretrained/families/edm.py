"""EDM's repository: DDPM++, NCSN++ and ADM in its own names, under any of three preconditionings.

The original stores Python objects, which nothing here unpickles; what is read is the `state_dict` of the network or of
its preconditioning. The configuration is what the network was made with, its class as "model_type", and the class of
the preconditioning as "precond".
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from jaxir.denoisers import Levels, LogSNR, NetworkDenoiser, Noise, Preconditioned, Times
from jaxir.networks import (
    DiffusionUNet,
    Filtered,
    GaussianWaves,
    InputResidual,
    InputSkip,
    Labels,
    Nearest,
    Norm,
    Sinusoids,
)
from jaxir.pretrained.families.family import Config, Converted, Tensors, shapes
from jaxir.pretrained.names import Name, collect, conv, dense, norm, scaled
from jaxir.processes import EDM, VE, VP

_SONG, _DHARIWAL = "SongUNet", "DhariwalUNet"
_HEAD = 64


class KarrasEDM:
    """The family.

    Source: [karras2022edm].
    """

    def recognises(self, config: Config) -> bool:
        """By the class of the network."""
        return config.get("model_type") in (_SONG, _DHARIWAL)

    def convert(self, config: Config, tensors: Tensors) -> Converted:
        """The network on the process and with the prediction of its preconditioning.

        Raises:
            ConversionError: if the tensors do not fit the configuration.
            ValueError: if the configuration asks for what is not here.
        """
        unet = network(config)
        inner = {name.removeprefix("model."): value for name, value in tensors.items()}
        kind = config.get("precond", "EDMPrecond")
        if kind == "EDMPrecond":
            data_std = float(config.get("sigma_data", 0.5))
            parts = EDM(), Preconditioned(data_std), LogSNR()
        elif kind == "VPPrecond":
            data_std, parts = 0.5, (VP(), Noise(), Times(999.0, 0.0))
        elif kind == "VEPrecond":
            ends = float(config.get("sigma_min", 0.02)), float(config.get("sigma_max", 100.0))
            data_std, parts = 0.5, (VE(*ends), Noise(), Levels(0.5))
        else:
            raise ValueError(
                f"precond is {kind!r}, expected EDMPrecond, VPPrecond or VEPrecond: the others are not here"
            )
        process, prediction, inlet = parts
        table = names(unet, config, sign=-1 if kind == "VEPrecond" else 1)
        params = collect(
            table, inner, shapes(unet), ignored=("*.resample_filter", "map_augment.weight")
        )
        denoiser = NetworkDenoiser(
            process, params, unet.apply, prediction, data_std, unet.sees_y, inlet=inlet
        )
        return Converted(denoiser, unet)


def network(config: Config) -> DiffusionUNet:
    """The network of a configuration, with the original's defaults."""
    song = config["model_type"] == _SONG
    width = int(config.get("model_channels", 128 if song else 192))
    multipliers = tuple(config.get("channel_mult", (1, 2, 2, 2) if song else (1, 2, 3, 4)))
    resolutions = config.get("attn_resolutions", (16,) if song else (32, 16, 8))
    sides = [int(config["img_resolution"]) >> level for level in range(len(multipliers))]
    classes = int(config.get("label_dim", 0))
    inside, outside = int(config["in_channels"]), int(config["out_channels"])
    conditioning = Labels(classes, bias=song) if classes else None
    embedding = width * int(config.get("channel_mult_emb", 4))
    if not song:
        attention = [
            side in resolutions and width * times >= _HEAD
            for side, times in zip(sides, multipliers, strict=True)
        ]
        return DiffusionUNet(
            in_channels=inside,
            out_channels=outside,
            conditioning=conditioning,
            width=width,
            multipliers=multipliers,
            entrance=multipliers[0],
            blocks=int(config.get("num_blocks", 3)),
            attention=tuple(attention),
            middle_attention=width * multipliers[-1] >= _HEAD,
            heads=None,
            head_width=_HEAD,
            waves=Sinusoids(width),
            embedding=embedding,
            modulated=True,
            resampling=Nearest(),
            norm=Norm(least=4),
        )
    taps = tuple(config.get("resample_filter", (1, 1)))
    features = width * int(config.get("channel_mult_noise", 1))
    fourier = config.get("embedding_type", "positional") == "fourier"
    pyramids = {"standard": None, "skip": InputSkip(), "residual": InputResidual()}
    return DiffusionUNet(
        in_channels=inside,
        out_channels=outside,
        conditioning=conditioning,
        width=width,
        multipliers=multipliers,
        blocks=int(config.get("num_blocks", 4)),
        attention=tuple(side in resolutions for side in sides),
        attention_up_once=True,
        waves=GaussianWaves(features) if fourier else Sinusoids(features, last=1, sine_first=True),
        embedding=embedding,
        conditioning_first=True,
        resampling=Nearest() if taps == (1, 1) else Filtered(taps),
        projected=True,
        norm=Norm(least=4, epsilon=1e-6),
        scale=0.5**0.5,
        pyramid_in=pyramids[config.get("encoder_type", "standard")],
        pyramid_out=config.get("decoder_type", "standard") == "skip",
    )


def names(unet: DiffusionUNet, config: Config, sign: int = 1) -> Iterator[Name]:
    """The table; layers are called by the side of the image that they were trained at.

    Args:
        unet: of the configuration.
        config: of the original.
        sign: −1 turns the output round, by the last layers.
    """
    song, levels = config["model_type"] == _SONG, range(len(unet.multipliers))
    sides = [int(config["img_resolution"]) >> level for level in levels]
    if isinstance(unet.waves, GaussianWaves):
        yield Name("waves/frequencies", "map_noise.freqs")
    yield from dense("embedding_0", "map_layer0")
    yield from dense("embedding_1", "map_layer1")
    if isinstance(unet.conditioning, Labels):
        root = unet.conditioning.classes**0.5 if song else 1.0
        yield Name("conditioning/kernel", "map_label.weight", lambda value: root * value.T)
        if song:
            yield Name("conditioning/bias", "map_label.bias")
    place = f"enc.{sides[0]}x{sides[0]}"
    yield from conv("entrance", f"{place}_conv")
    width = unet.channels(unet.entrance)
    for level in levels:
        place, new = f"enc.{sides[level]}x{sides[level]}", unet.channels(unet.multipliers[level])
        if level:
            yield from _block(f"down_{level}_resample", f"{place}_down", unet.projected)
            if isinstance(unet.pyramid_in, InputSkip):
                yield from dense(f"down_{level}_pyramid", f"{place}_aux_skip")
            elif isinstance(unet.pyramid_in, InputResidual):
                yield from conv(f"down_{level}_pyramid", f"{place}_aux_residual")
        for i in range(unet.blocks):
            theirs = f"{place}_block{i}"
            yield from _block(f"down_{level}_{i}", theirs, width != new)
            if unet.attention[level]:
                yield from _attention(f"down_{level}_{i}_attention", theirs, unet.heads_of(level))
            width = new
    place = f"dec.{sides[-1]}x{sides[-1]}"
    yield from _block("middle_0", f"{place}_in0", False)
    if unet.middle_attention:
        yield from _attention("middle_attention", f"{place}_in0", unet.heads_of(levels[-1]))
    yield from _block("middle_1", f"{place}_in1", False)
    for level in reversed(levels):
        place, width = f"dec.{sides[level]}x{sides[level]}", unet.channels(unet.multipliers[level])
        if level < levels[-1]:
            yield from _block(f"up_{level + 1}_resample", f"{place}_up", unet.projected)
        for i in range(unet.blocks + 1):
            theirs = f"{place}_block{i}"
            yield from _block(f"up_{level}_{i}", theirs, True)
            if unet.attention[level] and (i == unet.blocks or not unet.attention_up_once):
                yield from _attention(f"up_{level}_{i}_attention", theirs, unet.heads_of(level))
        if unet.pyramid_out or not level:
            last = (f"{place}_aux_norm", f"{place}_aux_conv") if song else ("out_norm", "out_conv")
            yield from norm(f"out_{level}_norm", last[0])
            yield from scaled(conv(f"out_{level}", last[1]), sign)


def _block(ours: str, theirs: str, skip: bool) -> Iterator[Name]:
    yield from norm(f"{ours}/norm_0", f"{theirs}.norm0")
    yield from conv(f"{ours}/conv_0", f"{theirs}.conv0")
    yield from dense(f"{ours}/embedding", f"{theirs}.affine")
    yield from norm(f"{ours}/norm_1", f"{theirs}.norm1")
    yield from conv(f"{ours}/conv_1", f"{theirs}.conv1")
    if skip:
        yield from dense(f"{ours}/skip", f"{theirs}.skip")


def _attention(ours: str, theirs: str, heads: int) -> Iterator[Name]:
    """The outputs of the one layer for q, k and v are ordered by head, then by channel, then by part."""
    yield from norm(f"{ours}/norm", f"{theirs}.norm2")
    for part, name in enumerate(("query", "key", "value")):

        def taken(value: np.ndarray, part: int = part) -> np.ndarray:
            rest = value.shape[1:2]
            return value.reshape(heads, -1, 3, *rest)[:, :, part].reshape(-1, *rest).T

        yield Name(f"{ours}/{name}/kernel", f"{theirs}.qkv.weight", taken)
        yield Name(f"{ours}/{name}/bias", f"{theirs}.qkv.bias", taken)
    yield from dense(f"{ours}/out", f"{theirs}.proj")
