"""IR-SDE and Refusion: networks that are shown the degraded image, on the process that moves towards it.

The configuration is the original's options: its sections `network_G` and `sde`; see `REFUSION` for one.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np

from jaxir.denoisers import NetworkDenoiser, Noise, WholeState
from jaxir.networks import ChannelNorm, ConditionalUNet, Difference, Filled, NAFNet, Sinusoids
from jaxir.pretrained.families.family import Config, Converted, Tensors, shapes
from jaxir.pretrained.names import Name, collect, conv, dense, folded
from jaxir.processes import IRSDE as MeanReverting
from jaxir.processes import ConstantRate, CosineSteps, LinearRate, Rate

REFUSION: dict[str, Any] = {
    "network_G": {
        "which_model_G": "ConditionalNAFNet",
        "setting": {
            "width": 64,
            "enc_blk_nums": [1, 1, 1, 28],
            "middle_blk_num": 1,
            "dec_blk_nums": [1, 1, 1, 1],
        },
    },
    "sde": {"max_sigma": 50, "T": 100, "schedule": "cosine", "eps": 0.005},
}
"""Refusion for rain, blur, shadow and inpainting; IR-SDE has `ConditionalUNet` of nf 64 and depth 4."""


class IRSDE:
    """The family.

    Source: [luo2023irsde]; [luo2023refusion].
    """

    def recognises(self, config: Config) -> bool:
        """By two sections of its options."""
        return "network_G" in config and "sde" in config

    def convert(self, config: Config, tensors: Tensors) -> Converted:
        """The noise-predicting network on the process of its steps, asked by the index of a step.

        Raises:
            ConversionError: if the tensors do not fit the configuration.
            ValueError: if the configuration is of another network or schedule.
        """
        sde = config["sde"]
        steps, most = int(sde["T"]), float(sde["max_sigma"])
        process = MeanReverting(
            std=2 * (most / 255 if most > 1 else most),
            terminal=float(sde["eps"]),
            rate=rate(str(sde["schedule"]), steps),
            span=(1 / steps, 1.0),
        )
        net = network(config)
        table = nafnet(net) if isinstance(net, NAFNet) else unet(net)
        params = collect(table, tensors, shapes(net))
        inlet = WholeState(float(steps))
        denoiser = NetworkDenoiser(process, params, net.apply, Noise(), 0.5, True, inlet)
        return Converted(denoiser, net)


def rate(schedule: str, steps: int) -> Rate:
    """The rate whose share at i/T is the original's table of T steps, exactly.

    Its linear θ_i = θ_0 + i (θ_T − θ_0)/T with θ_T = 200 θ_0, summed from 1 to i, is the integral of a line that
    starts half a step later.

    Raises:
        ValueError: for a schedule that it does not have.
    """
    slope = 199 / steps
    first = (1 + slope / 2) / 199
    rates = {
        "cosine": CosineSteps(float(steps)),
        "linear": LinearRate(first / (1 + first)),
        "constant": ConstantRate(),
    }
    if schedule not in rates:
        raise ValueError(f"schedule is {schedule!r}, expected one of {', '.join(rates)}")
    return rates[schedule]


def network(config: Config) -> NAFNet | ConditionalUNet:
    """The network of a configuration.

    Raises:
        ValueError: if it is none of the two.
    """
    kind, setting = config["network_G"]["which_model_G"], config["network_G"]["setting"]
    if kind == "ConditionalNAFNet":
        width, channels = int(setting["width"]), int(setting.get("img_channel", 3))
        return NAFNet(
            in_channels=channels,
            out_channels=channels,
            conditioning=Difference(channels),
            padding=Filled(),
            width=width,
            encoder=tuple(setting["enc_blk_nums"]),
            middle=int(setting["middle_blk_num"]),
            decoder=tuple(setting["dec_blk_nums"]),
            norm=ChannelNorm(epsilon=1e-5, shifted=False),
            waves=Sinusoids(width, last=1, sine_first=True),
            embedding=2 * width,
        )
    if kind == "ConditionalUNet":
        width, channels = int(setting["nf"]), int(setting["in_nc"])
        return ConditionalUNet(
            in_channels=channels,
            out_channels=int(setting["out_nc"]),
            conditioning=Difference(channels),
            width=width,
            depth=int(setting["depth"]),
            waves=Sinusoids(width, last=1, sine_first=True),
            embedding=4 * width,
        )
    raise ValueError(
        f"which_model_G is {kind!r}, expected 'ConditionalNAFNet' or 'ConditionalUNet'"
    )


def nafnet(net: NAFNet) -> Iterator[Name]:
    """The table of the original's `ConditionalNAFNet`."""
    yield from dense("GatedEmbedding_0/Dense_0", "time_mlp.1")
    yield from dense("GatedEmbedding_0/Dense_1", "time_mlp.3")
    yield from conv("Conv_0", "intro")
    count, layers, levels = itertools.count(), itertools.count(), len(net.encoder)

    def blocks(theirs: str, length: int) -> Iterator[Name]:
        for index in range(length):
            yield from _naf_block(f"NAFBlock_{next(count)}", f"{theirs}.{index}")

    for level in range(levels):
        yield from blocks(f"encoders.{level}", net.encoder[level])
        yield from folded(f"Dense_{next(layers)}", f"downs.{level}")
    yield from blocks("middle_blks", net.middle)
    for level in range(levels):
        yield Name(f"Dense_{next(layers)}/kernel", f"ups.{level}.0.weight", _unshuffled)
        yield from blocks(f"decoders.{level}", net.decoder[level])
    yield from conv("Conv_1", "ending")


def _naf_block(ours: str, theirs: str) -> Iterator[Name]:
    yield Name(
        f"{ours}/Dense_0/kernel", f"{theirs}.mlp.1.weight", lambda value: _scale_first(value).T
    )
    yield Name(f"{ours}/Dense_0/bias", f"{theirs}.mlp.1.bias", _scale_first)
    yield Name(f"{ours}/LayerNorm_0/scale", f"{theirs}.norm1.g", np.ravel)
    yield Name(f"{ours}/LayerNorm_1/scale", f"{theirs}.norm2.g", np.ravel)
    yield from dense(f"{ours}/Dense_1", f"{theirs}.conv1")
    yield from conv(f"{ours}/_Depthwise_0", f"{theirs}.conv2")
    yield from dense(f"{ours}/Dense_2", f"{theirs}.sca.1")
    yield from dense(f"{ours}/Dense_3", f"{theirs}.conv3")
    yield from dense(f"{ours}/Dense_4", f"{theirs}.conv4")
    yield from dense(f"{ours}/Dense_5", f"{theirs}.conv5")
    yield Name(f"{ours}/beta", f"{theirs}.beta", np.ravel)
    yield Name(f"{ours}/gamma", f"{theirs}.gamma", np.ravel)


def _scale_first(value: np.ndarray) -> np.ndarray:
    """(shift, scale, shift, scale) of the two halves of a block to ours, (scale, shift, scale, shift)."""
    return value.reshape(2, 2, -1, *value.shape[1:])[:, ::-1].reshape(value.shape)


def _unshuffled(value: np.ndarray) -> np.ndarray:
    """A 1×1 convolution before a pixel shuffle, whose outputs are ordered by channel and then by place."""
    parts = value.reshape(-1, 4, value.shape[1])
    return parts.swapaxes(0, 1).reshape(-1, value.shape[1]).T


def unet(net: ConditionalUNet) -> Iterator[Name]:
    """The table of the original's `ConditionalUNet`, which counts the levels of its way up from the coarsest."""
    yield from conv("entrance", "init_conv", bias=False)
    yield from dense("embedding_0", "time_mlp.1")
    yield from dense("embedding_1", "time_mlp.3")
    last = net.depth - 1
    for level in range(net.depth):
        down, up = f"downs.{level}", f"ups.{last - level}"
        for index in range(2):
            yield from _block(f"down_{level}_block_{index}", f"{down}.{index}")
            yield from _block(f"up_{level}_block_{index}", f"{up}.{index}", skip=True)
        yield from _attention(f"down_{level}_attention", f"{down}.2")
        yield from _attention(f"up_{level}_attention", f"{up}.2")
        yield from conv(f"down_{level}_out", f"{down}.3", bias=level < last)
        yield from conv(f"up_{level}_out", f"{up}.3.1" if level else f"{up}.3", bias=level > 0)
    yield from _block("middle_block_0", "mid_block1")
    yield from _attention("middle_attention", "mid_attn")
    yield from _block("middle_block_1", "mid_block2")
    yield from _block("last_block", "final_res_block", skip=True)
    yield from conv("out", "final_conv")


def _block(ours: str, theirs: str, *, skip: bool = False) -> Iterator[Name]:
    yield from dense(f"{ours}/modulation", f"{theirs}.mlp.1")
    yield from conv(f"{ours}/conv_0", f"{theirs}.block1.proj", bias=False)
    yield from conv(f"{ours}/conv_1", f"{theirs}.block2.proj", bias=False)
    if skip:
        yield from dense(f"{ours}/skip", f"{theirs}.res_conv", bias=False)


def _attention(ours: str, theirs: str) -> Iterator[Name]:
    yield Name(f"{ours}/norm_in/scale", f"{theirs}.fn.norm.g", np.ravel)
    yield from dense(f"{ours}/qkv", f"{theirs}.fn.fn.to_qkv", bias=False)
    yield from dense(f"{ours}/out", f"{theirs}.fn.fn.to_out.0")
    yield Name(f"{ours}/norm_out/scale", f"{theirs}.fn.fn.to_out.1.g", np.ravel)
