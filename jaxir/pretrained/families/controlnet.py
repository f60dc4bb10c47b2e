"""diffusers' `ControlNetModel`, which needs the `UNet2DConditionModel` that it controls.

The configuration is that of the control network with that of the base as "unet"; the tensors of the base have names
that begin with "unet.".
"""

from __future__ import annotations

from collections.abc import Iterator

from jaxir.denoisers import NetworkDenoiser
from jaxir.networks import ControlledDiffusion
from jaxir.pretrained.families import unet2d_condition
from jaxir.pretrained.families.family import Config, Converted, Tensors, shapes
from jaxir.pretrained.families.schedulers import schedule
from jaxir.pretrained.families.switches import refuse_all_but
from jaxir.pretrained.names import Name, collect, conv, dense, scaled


class ControlNet:
    """The family.

    Source: [zhang2023controlnet].
    """

    def recognises(self, config: Config) -> bool:
        """By the name of the class."""
        return config.get("_class_name") == "ControlNetModel"

    def convert(self, config: Config, tensors: Tensors) -> Converted:
        """The controlled network on the process of the base's scheduler; y is (tokens, image).

        Raises:
            ConversionError: if the tensors do not fit the configurations.
            ValueError: if a configuration asks for what is not here, or that of the base is missing.
        """
        if "unet" not in config:
            raise ValueError(
                'a control network needs its base: put the configuration of the UNet2DConditionModel under "unet"'
            )
        refuse_all_but(
            config,
            controlnet_conditioning_channel_order=("rgb",),
            global_pool_conditions=(False,),
        )
        network = ControlledDiffusion(
            unet2d_condition.network(config["unet"]),
            tuple(config.get("conditioning_embedding_out_channels", (16, 32, 96, 256))),
            int(config.get("conditioning_channels", 3)),
        )
        heard = float(config.get("conditioning_scale", 1.0))
        params = collect(names(network, heard), tensors, shapes(network))
        process, prediction, inlet = schedule(
            config.get("scheduler", unet2d_condition.STABLE_DIFFUSION)
        )
        denoiser = NetworkDenoiser(
            process, params, network.apply, prediction, 1.0, sees_y=True, inlet=inlet
        )
        return Converted(denoiser, network)


def names(network: ControlledDiffusion, heard: float = 1.0) -> Iterator[Name]:
    """The table; `heard` multiplies what the control network adds."""
    for name in unet2d_condition.names(network.base):
        yield name._replace(ours=f"base/{name.ours}", theirs=f"unet.{name.theirs}")
    for name in unet2d_condition.encoder(network.base):
        yield name._replace(ours=f"control/{name.ours}")
    place = "controlnet_cond_embedding"
    yield from conv("seen/in", f"{place}.conv_in")
    for i in range(len(network.widths) - 1):
        yield from conv(f"seen/level_{i}", f"{place}.blocks.{2 * i}")
        yield from conv(f"seen/halving_{i}", f"{place}.blocks.{2 * i + 1}")
    yield from conv("seen/out", f"{place}.conv_out")
    skips = len(network.base.multipliers) * (network.base.blocks + 1)
    for i in range(skips):
        yield from scaled(dense(f"zero/zero_{i}", f"controlnet_down_blocks.{i}"), heard)
    yield from scaled(dense(f"zero/zero_{skips}", "controlnet_mid_block"), heard)
