"""Guided diffusion: the ADM U-Nets, of which the FFHQ and ImageNet priors of DPS, DDRM, DiffPIR and I2SB are some.

The configuration is what the original's scripts are called with; see `FFHQ` for one. The weights come without it, and
nothing in them tells `num_heads` or the schedule, so it has to be given.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from jaxir.denoisers import NetworkDenoiser, Noise, Times
from jaxir.networks import Concatenation, DiffusionUNet, Labels, Nearest, Sinusoids
from jaxir.networks.conditioning import Conditioning
from jaxir.pretrained.families.family import Config, Converted, Tensors, shapes
from jaxir.pretrained.families.switches import refuse_all_but
from jaxir.pretrained.names import Name, collect, conv, dense, norm
from jaxir.processes import CosineTable, LinearTable

FFHQ: dict[str, Any] = {
    "image_size": 256,
    "num_channels": 128,
    "num_res_blocks": 1,
    "attention_resolutions": "16",
    "num_heads": 4,
    "num_head_channels": 64,
    "learn_sigma": True,
    "use_scale_shift_norm": True,
    "resblock_updown": True,
}
"""The prior of faces of DPS: 94 million weights, learnt variances, a linear table of 1000 steps."""

_MULTIPLIERS = {
    512: (0.5, 1, 1, 2, 2, 4, 4),
    256: (1, 1, 2, 2, 4, 4),
    128: (1, 1, 2, 3, 4),
    64: (1, 2, 3, 4),
}
_CLASSES = 1000


class ADM:
    """The family.

    Source: [dhariwal2021adm].
    """

    def recognises(self, config: Config) -> bool:
        """By two switches that no other family has."""
        return "num_channels" in config and "attention_resolutions" in config

    def convert(self, config: Config, tensors: Tensors) -> Converted:
        """The network on the process of its table, asked by the index in it.

        Raises:
            ConversionError: if the tensors do not fit the configuration.
            ValueError: if the configuration is incomplete.
        """
        refuse_all_but(config, predict_xstart=(False,), noise_schedule=("linear", "cosine"))
        unet = network(config)
        params = collect(names(unet, config), tensors, shapes(unet))
        steps = int(config.get("diffusion_steps", 1000))
        scale = 1000 / steps
        process = (
            CosineTable(steps=steps)
            if config.get("noise_schedule", "linear") == "cosine"
            else LinearTable(1e-4 * scale, 0.02 * scale, steps)
        )
        asked = 1000.0 if config.get("rescale_timesteps", False) else float(steps)
        inlet = Times(asked, -asked / steps)
        denoiser = NetworkDenoiser(
            process, params, unet.apply, Noise(), 0.5, unet.sees_y, inlet=inlet
        )
        return Converted(denoiser, unet)


def network(config: Config) -> DiffusionUNet:
    """The network of a configuration.

    Raises:
        ValueError: if something is missing.
    """
    missing = [
        name for name in ("image_size", "num_channels", "num_res_blocks") if name not in config
    ]
    if missing:
        raise ValueError(
            f"the configuration lacks {', '.join(missing)}: give what the original's scripts are called with"
        )
    size, width = int(config["image_size"]), int(config["num_channels"])
    multipliers = _numbers(config.get("channel_mult") or _MULTIPLIERS.get(size, ()))
    if not multipliers:
        raise ValueError(f"channel_mult is missing, and image_size {size} does not imply it")
    resolutions = _numbers(config.get("attention_resolutions", "16,8"))
    head_width = int(config.get("num_head_channels", -1))
    heads_up = int(config.get("num_heads_upsample", -1))
    resampling = None
    if config.get("resblock_updown", False) or not config.get("conv_resample", True):
        resampling = Nearest()
    return DiffusionUNet(
        in_channels=3,
        out_channels=6 if config.get("learn_sigma", False) else 3,
        conditioning=_conditioning(config),
        width=width,
        multipliers=multipliers,
        entrance=multipliers[0],
        blocks=int(config["num_res_blocks"]),
        attention=tuple(size // 2**level in resolutions for level in range(len(multipliers))),
        heads=int(config.get("num_heads", 4)) if head_width < 0 else None,
        head_width=None if head_width < 0 else head_width,
        heads_up=None if heads_up < 0 else heads_up,
        waves=Sinusoids(width),
        embedding=4 * width,
        modulated=bool(config.get("use_scale_shift_norm", True)),
        resampling=resampling,
        blocks_resample=bool(config.get("resblock_updown", False)),
    )


def names(unet: DiffusionUNet, config: Config) -> Iterator[Name]:
    """The table of the original's `UNetModel`, whose blocks are numbered through."""
    newer = bool(config.get("use_new_attention_order", False))
    levels = range(len(unet.multipliers))
    yield from dense("embedding_0", "time_embed.0")
    yield from dense("embedding_1", "time_embed.2")
    if isinstance(unet.conditioning, Labels):
        yield Name("conditioning/kernel", "label_emb.weight")
    yield from conv("entrance", "input_blocks.0.0")
    width, place = unet.channels(unet.entrance), 1
    for level in levels:
        if level:
            there = f"input_blocks.{place}.0"
            yield from _resampled(unet, f"down_{level}_resample", there, f"{there}.op")
            place += 1
        for i in range(unet.blocks):
            new = unet.channels(unet.multipliers[level])
            yield from _block(f"down_{level}_{i}", f"input_blocks.{place}.0", width != new)
            if unet.attention[level]:
                heads = unet.heads_of(level)
                there = f"input_blocks.{place}.1"
                yield from _attention(f"down_{level}_{i}_attention", there, heads, newer)
            width, place = new, place + 1
    yield from _block("middle_0", "middle_block.0", False)
    yield from _attention("middle_attention", "middle_block.1", unet.heads_of(levels[-1]), newer)
    yield from _block("middle_1", "middle_block.2", False)
    place = 0
    for level in reversed(levels):
        for i in range(unet.blocks + 1):
            new = unet.channels(unet.multipliers[level])
            ours, theirs = f"up_{level}_{i}", f"output_blocks.{place}"
            yield from _block(ours, f"{theirs}.0", True)
            part = 1
            if unet.attention[level]:
                heads = unet.heads_of(level, up=True)
                yield from _attention(f"{ours}_attention", f"{theirs}.1", heads, newer)
                part = 2
            width, place = new, place + 1
        if level:
            there = f"{theirs}.{part}"
            yield from _resampled(unet, f"up_{level}_resample", there, f"{there}.conv")
    yield from norm("out_0_norm", "out.0")
    yield from conv("out_0", "out.2")


def _conditioning(config: Config) -> Conditioning | None:
    if config.get("class_cond", False):
        return Labels(int(config.get("num_classes", _CLASSES)))
    return Concatenation(3) if int(config.get("in_channels", 3)) == 6 else None


def _numbers(value: str | int | Sequence[float]) -> tuple:
    """Numbers of "32,16,8", of one number or of a list."""
    if isinstance(value, str):
        value = [float(part) for part in value.split(",")]
    elif isinstance(value, int | float):
        value = [value]
    return tuple(int(part) if part == int(part) else float(part) for part in value)


def _block(ours: str, theirs: str, skip: bool) -> Iterator[Name]:
    yield from norm(f"{ours}/norm_0", f"{theirs}.in_layers.0")
    yield from conv(f"{ours}/conv_0", f"{theirs}.in_layers.2")
    yield from dense(f"{ours}/embedding", f"{theirs}.emb_layers.1")
    yield from norm(f"{ours}/norm_1", f"{theirs}.out_layers.0")
    yield from conv(f"{ours}/conv_1", f"{theirs}.out_layers.3")
    if skip:
        yield from dense(f"{ours}/skip", f"{theirs}.skip_connection")


def _resampled(unet: DiffusionUNet, ours: str, block: str, layer: str) -> Iterator[Name]:
    if unet.resampling is None:
        yield from conv(f"{ours}/conv" if "down" in ours else ours, layer)
    elif unet.blocks_resample:
        yield from _block(ours, block, False)


def _attention(ours: str, theirs: str, heads: int, newer: bool) -> Iterator[Name]:
    """q, k and v are one layer: its outputs are ordered by head and then by part, in the newer order by part."""
    yield from norm(f"{ours}/norm", f"{theirs}.norm")
    for part, name in enumerate(("query", "key", "value")):

        def taken(value: np.ndarray, part: int = part) -> np.ndarray:
            rows = value.reshape(3, heads, -1, *value.shape[1:2])
            if not newer:
                rows = value.reshape(heads, 3, -1, *value.shape[1:2]).swapaxes(0, 1)
            return rows[part].reshape(-1, *value.shape[1:2]).T

        yield Name(f"{ours}/{name}/kernel", f"{theirs}.qkv.weight", taken)
        yield Name(f"{ours}/{name}/bias", f"{theirs}.qkv.bias", taken)
    yield from dense(f"{ours}/out", f"{theirs}.proj_out")
