"""diffusers' `UNet2DModel`: the unconditional and class-conditional priors of DDPM and of latent diffusion."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator

import numpy as np

from jaxir.denoisers import NetworkDenoiser
from jaxir.networks import DiffusionUNet, Labels, Nearest, Norm, Sinusoids
from jaxir.pretrained.families.family import Config, Converted, Tensors, shapes
from jaxir.pretrained.families.schedulers import schedule
from jaxir.pretrained.families.switches import refuse_all_but
from jaxir.pretrained.names import Name, collect, conv, dense, norm

Attend = Callable[[str, str], Iterator[Name]]
"""Our path and the original's name of an attention to the lines of its table."""

_OLDER = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}


class UNet2D:
    """The family; a configuration may hold that of its scheduler as "scheduler".

    Source: [ho2020ddpm]; [rombach2022ldm].
    """

    def recognises(self, config: Config) -> bool:
        """By the name of the class."""
        return config.get("_class_name") == "UNet2DModel"

    def convert(self, config: Config, tensors: Tensors) -> Converted:
        """The network on the process of its scheduler, asked by the index in its table.

        Raises:
            ConversionError: if the tensors do not fit the configuration.
            ValueError: if the configuration asks for what is not here.
        """
        unet = network(config)
        params = collect(names(unet), renamed(tensors), shapes(unet))
        process, prediction, inlet = schedule(config.get("scheduler", {}))
        denoiser = NetworkDenoiser(
            process, params, unet.apply, prediction, 0.5, unet.sees_y, inlet=inlet
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
        mid_block_scale_factor=(1,),
        downsample_type=("conv", "resnet"),
        upsample_type=(config.get("downsample_type", "conv"),),
        class_embed_type=(None,),
        resnet_time_scale_shift=("default", "scale_shift"),
    )
    down, up = list(config["down_block_types"]), list(config["up_block_types"])
    attention = tuple(_kind(kind, "Down") for kind in down)
    if attention != tuple(_kind(kind, "Up") for kind in reversed(up)):
        raise ValueError(
            f"the blocks go down as {down} and up as {up}: attention has to be on the same levels"
        )
    head, classes = config.get("attention_head_dim", 8), config.get("num_class_embeds")
    resnet = config.get("downsample_type", "conv") == "resnet" or "ResnetDownsampleBlock2D" in down
    return dataclasses.replace(
        plain(config, attention),
        conditioning=None if classes is None else Labels(int(classes)),
        middle_attention=bool(config.get("add_attention", True)),
        heads=1 if head is None else None,
        head_width=None if head is None else int(head),
        modulated=config.get("resnet_time_scale_shift", "default") == "scale_shift",
        resampling=Nearest() if resnet else None,
    )


def plain(config: Config, attention: tuple[bool, ...]) -> DiffusionUNet:
    """What diffusers' U-Nets have in common: widths, blocks, the time, padding and norms."""
    widths = [int(width) for width in config["block_out_channels"]]
    groups, epsilon = int(config.get("norm_num_groups", 32)), float(config.get("norm_eps", 1e-5))
    return DiffusionUNet(
        in_channels=int(config["in_channels"]),
        out_channels=int(config["out_channels"]),
        width=widths[0],
        multipliers=tuple(width / widths[0] for width in widths),
        blocks=int(config.get("layers_per_block", 2)),
        attention=attention,
        waves=Sinusoids(
            widths[0],
            last=int(config.get("freq_shift", 0)),
            sine_first=not config.get("flip_sin_to_cos", True),
        ),
        embedding=int(config.get("time_embedding_dim") or 4 * widths[0]),
        down_padding=(1, 1) if int(config.get("downsample_padding", 1)) else (0, 1),
        norm=Norm(groups, epsilon=epsilon),
    )


def names(unet: DiffusionUNet, attend: Attend | None = None) -> Iterator[Name]:
    """The table; `attend` is that of an attention, by default over pixels."""
    attend, last = attend or attention, len(unet.multipliers) - 1
    yield from encoder(unet, attend)
    for level in reversed(range(last + 1)):
        theirs = f"up_blocks.{last - level}"
        for i in range(unet.blocks + 1):
            yield from block(f"up_{level}_{i}", f"{theirs}.resnets.{i}", True)
            if unet.attention[level]:
                yield from attend(f"up_{level}_{i}_attention", f"{theirs}.attentions.{i}")
        if level:
            ours, there = f"up_{level}_resample", f"{theirs}.upsamplers.0"
            if unet.resampling is None:
                yield from conv(ours, f"{there}.conv")
            else:
                yield from block(ours, there, False)
    yield from norm("out_0_norm", "conv_norm_out")
    yield from conv("out_0", "conv_out")


def encoder(unet: DiffusionUNet, attend: Attend) -> Iterator[Name]:
    """The part of the table that a control network shares: all up to the middle."""
    last, width = len(unet.multipliers) - 1, unet.width
    yield from dense("embedding_0", "time_embedding.linear_1")
    yield from dense("embedding_1", "time_embedding.linear_2")
    if isinstance(unet.conditioning, Labels):
        yield Name("conditioning/kernel", "class_embedding.weight")
    yield from conv("entrance", "conv_in")
    for level in range(last + 1):
        theirs, new = f"down_blocks.{level}", unet.channels(unet.multipliers[level])
        for i in range(unet.blocks):
            yield from block(f"down_{level}_{i}", f"{theirs}.resnets.{i}", width != new)
            if unet.attention[level]:
                yield from attend(f"down_{level}_{i}_attention", f"{theirs}.attentions.{i}")
            width = new
        if level < last:
            ours, there = f"down_{level + 1}_resample", f"{theirs}.downsamplers.0"
            if unet.resampling is None:
                yield from conv(f"{ours}/conv", f"{there}.conv")
            else:
                yield from block(ours, there, False)
    yield from block("middle_0", "mid_block.resnets.0", False)
    if unet.middle_attention:
        yield from attend("middle_attention", "mid_block.attentions.0")
    yield from block("middle_1", "mid_block.resnets.1", False)


def block(ours: str, theirs: str, skip: bool, *, embedding: bool = True) -> Iterator[Name]:
    """The table of a `ResnetBlock2D`."""
    yield from norm(f"{ours}/norm_0", f"{theirs}.norm1")
    yield from conv(f"{ours}/conv_0", f"{theirs}.conv1")
    if embedding:
        yield from dense(f"{ours}/embedding", f"{theirs}.time_emb_proj")
    yield from norm(f"{ours}/norm_1", f"{theirs}.norm2")
    yield from conv(f"{ours}/conv_1", f"{theirs}.conv2")
    if skip:
        yield from dense(f"{ours}/skip", f"{theirs}.conv_shortcut")


def attention(ours: str, theirs: str) -> Iterator[Name]:
    """The table of an `Attention` over pixels."""
    yield from norm(f"{ours}/norm", f"{theirs}.group_norm")
    for part, there in (("query", "to_q"), ("key", "to_k"), ("value", "to_v"), ("out", "to_out.0")):
        yield from dense(f"{ours}/{part}", f"{theirs}.{there}")


def renamed(tensors: Tensors) -> dict[str, np.ndarray]:
    """The tensors by today's names: attention was called otherwise in files written before 2023."""

    def today(name: str) -> str:
        *path, layer, leaf = name.split(".")
        new = _OLDER.get(layer, layer) if "attentions" in path else layer
        return ".".join([*path, new, leaf])

    return {today(name) if "." in name else name: value for name, value in tensors.items()}


def _kind(name: str, way: str) -> bool:
    """Whether a block has attention, if it is one of those that are known."""
    kinds = {f"{way}Block2D": False, f"Resnet{way}sampleBlock2D": False, f"Attn{way}Block2D": True}
    if name not in kinds:
        raise ValueError(f"block {name!r} is not known here: expected one of {', '.join(kinds)}")
    return kinds[name]
