"""diffusers' `UNet2DConditionModel`: the latent prior of Stable Diffusion, which is told of a text by its tokens.

The text encoder is not part of it: y is what that gave, one vector for each of 77 tokens.
"""

from __future__ import annotations

from collections.abc import Iterator

from jaxir.denoisers import NetworkDenoiser
from jaxir.networks import DiffusionUNet, Norm, Sinusoids, Tokens
from jaxir.pretrained.families.family import Config, Converted, Tensors, shapes
from jaxir.pretrained.families.schedulers import schedule
from jaxir.pretrained.families.switches import refuse_all_but
from jaxir.pretrained.families.unet2d import block
from jaxir.pretrained.names import Name, collect, conv, dense, norm

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
    widths = [int(width) for width in config["block_out_channels"]]
    heads = config.get("num_attention_heads") or config.get("attention_head_dim", 8)
    depth = config.get("transformer_layers_per_block", 1)
    if not isinstance(depth, int):
        raise ValueError(
            f"transformer_layers_per_block is {depth}: jaxir's network has one depth for every level"
        )
    return DiffusionUNet(
        in_channels=int(config.get("in_channels", 4)),
        out_channels=int(config.get("out_channels", 4)),
        conditioning=Tokens(int(config.get("cross_attention_dim", 768))),
        width=widths[0],
        multipliers=tuple(width / widths[0] for width in widths),
        blocks=int(config.get("layers_per_block", 2)),
        attention=attention,
        heads=heads if isinstance(heads, int) else tuple(heads),
        waves=Sinusoids(
            widths[0],
            last=int(config.get("freq_shift", 0)),
            sine_first=not config.get("flip_sin_to_cos", True),
        ),
        embedding=4 * widths[0],
        down_padding=(1, 1) if int(config.get("downsample_padding", 1)) else (0, 1),
        norm=Norm(
            int(config.get("norm_num_groups", 32)), epsilon=float(config.get("norm_eps", 1e-5))
        ),
        attention_norm=Norm(int(config.get("norm_num_groups", 32)), epsilon=1e-6),
        token_depth=depth,
    )


def names(unet: DiffusionUNet) -> Iterator[Name]:
    """The table."""
    last = len(unet.multipliers) - 1
    yield from encoder(unet)
    for level in reversed(range(last + 1)):
        theirs = f"up_blocks.{last - level}"
        for i in range(unet.blocks + 1):
            yield from block(f"up_{level}_{i}", f"{theirs}.resnets.{i}", True)
            if unet.attention[level]:
                there = f"{theirs}.attentions.{i}"
                yield from _transformer(f"up_{level}_{i}_attention", there, unet.token_depth)
        if level:
            yield from conv(f"up_{level}_resample", f"{theirs}.upsamplers.0.conv")
    yield from norm("out_0_norm", "conv_norm_out")
    yield from conv("out_0", "conv_out")


def encoder(unet: DiffusionUNet) -> Iterator[Name]:
    """The part of the table that a control network shares: all up to the middle."""
    last = len(unet.multipliers) - 1
    yield from dense("embedding_0", "time_embedding.linear_1")
    yield from dense("embedding_1", "time_embedding.linear_2")
    yield from conv("entrance", "conv_in")
    width = unet.width
    for level in range(last + 1):
        theirs, new = f"down_blocks.{level}", unet.channels(unet.multipliers[level])
        for i in range(unet.blocks):
            yield from block(f"down_{level}_{i}", f"{theirs}.resnets.{i}", width != new)
            if unet.attention[level]:
                there = f"{theirs}.attentions.{i}"
                yield from _transformer(f"down_{level}_{i}_attention", there, unet.token_depth)
            width = new
        if level < last:
            yield from conv(f"down_{level + 1}_resample/conv", f"{theirs}.downsamplers.0.conv")
    yield from block("middle_0", "mid_block.resnets.0", False)
    yield from _transformer("middle_attention", "mid_block.attentions.0", unet.token_depth)
    yield from block("middle_1", "mid_block.resnets.1", False)


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
