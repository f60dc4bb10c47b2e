"""diffusers' `UNet2DConditionModel`: the latent prior of Stable Diffusion, which is told of a text by its tokens.

The text encoder is not part of it: y is what that gave, one vector for each of 77 tokens.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator

from jaxir.denoisers import NetworkDenoiser
from jaxir.networks import DiffusionUNet, Tokens
from jaxir.pretrained.families import unet2d
from jaxir.pretrained.families.family import Config, Converted, Tensors, shapes
from jaxir.pretrained.families.schedulers import schedule
from jaxir.pretrained.families.switches import refuse_all_but
from jaxir.pretrained.names import Name, collect, dense, norm

STABLE_DIFFUSION = {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012}
"""The scheduler of a configuration that says nothing of it."""


class UNet2DCondition:
    """The family; a configuration may hold that of its scheduler as "scheduler".

    Source: [rombach2022ldm].
    """

    def recognises(self, config: Config) -> bool:
        """By the name of the class."""
        return config.get("_class_name") == "UNet2DConditionModel"

    def convert(self, config: Config, tensors: Tensors) -> Converted:
        """The network on the process of its scheduler, asked by the index in its table; images are latents.

        Raises:
            ConversionError: if the tensors do not fit the configuration.
            ValueError: if the configuration asks for what is not here.
        """
        unet = network(config)
        params = collect(names(unet), tensors, shapes(unet))
        process, prediction, inlet = schedule(config.get("scheduler", STABLE_DIFFUSION))
        denoiser = NetworkDenoiser(
            process, params, unet.apply, prediction, 1.0, unet.sees_y, inlet=inlet
        )
        return Converted(denoiser, unet)


def network(config: Config) -> DiffusionUNet:
    """The network of a configuration.

    Raises:
        ValueError: for a switch that is not known here.
    """
    refuse_all_but(
        config,
        act_fn=("silu",),
        center_input_sample=(False,),
        time_embedding_type=("positional",),
        mid_block_type=("UNetMidBlock2DCrossAttn",),
        mid_block_scale_factor=(1,),
        resnet_time_scale_shift=("default",),
        addition_embed_type=(None,),
        class_embed_type=(None,),
        num_class_embeds=(None,),
        encoder_hid_dim=(None,),
        only_cross_attention=(False,),
        dual_cross_attention=(False,),
        conv_in_kernel=(3,),
        conv_out_kernel=(3,),
        timestep_post_act=(None,),
    )
    down, up = list(config["down_block_types"]), list(config["up_block_types"])
    known = {"CrossAttnDownBlock2D": True, "DownBlock2D": False}
    attention = tuple(known.get(kind) for kind in down)
    mirrored = ["CrossAttnUpBlock2D" if there else "UpBlock2D" for there in reversed(attention)]
    if None in attention or up != mirrored:
        raise ValueError(
            f"the blocks are {down} and {up}: expected {' or '.join(known)}, and the same levels going up"
        )
    heads = config.get("num_attention_heads") or config.get("attention_head_dim", 8)
    depth = config.get("transformer_layers_per_block", 1)
    if not isinstance(depth, int):
        raise ValueError(
            f"transformer_layers_per_block is {depth}: jaxir's network has one depth for every level"
        )
    unet = unet2d.plain(config, attention)
    return dataclasses.replace(
        unet,
        conditioning=Tokens(int(config.get("cross_attention_dim", 768))),
        heads=heads if isinstance(heads, int) else tuple(heads),
        attention_norm=dataclasses.replace(unet.norm, epsilon=1e-6),
        token_depth=depth,
    )


def names(unet: DiffusionUNet) -> Iterator[Name]:
    """The table."""
    return unet2d.names(unet, functools.partial(_transformer, depth=unet.token_depth))


def encoder(unet: DiffusionUNet) -> Iterator[Name]:
    """The part of it that a control network shares."""
    return unet2d.encoder(unet, functools.partial(_transformer, depth=unet.token_depth))


def _transformer(ours: str, theirs: str, depth: int) -> Iterator[Name]:
    yield from norm(f"{ours}/norm", f"{theirs}.norm")
    yield from dense(f"{ours}/in", f"{theirs}.proj_in")
    yield from dense(f"{ours}/out", f"{theirs}.proj_out")
    for i in range(depth):
        here, there = f"{ours}/block_{i}", f"{theirs}.transformer_blocks.{i}"
        for j in range(3):
            yield from norm(f"{here}/norm_{j}", f"{there}.norm{j + 1}")
        for mine, attention in (("self", "attn1"), ("cross", "attn2")):
            for part, letter in (("query", "q"), ("key", "k"), ("value", "v")):
                yield from dense(
                    f"{here}/{mine}_{part}", f"{there}.{attention}.to_{letter}", bias=False
                )
            yield from dense(f"{here}/{mine}_out", f"{there}.{attention}.to_out.0")
        yield from dense(f"{here}/feed_in", f"{there}.ff.net.0.proj")
        yield from dense(f"{here}/feed_out", f"{there}.ff.net.2")
