"""DRUNet, the denoiser of DPIR: the clean image from a noisy one and its noise level, for plug-and-play restoration.

The configuration is what the original's network is made with; see `COLOUR` for one. A denoiser of white noise is the
conditional mean on a process that only adds noise, so σ itself is the clock.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from jaxir.denoisers import CleanImage, Levels, NetworkDenoiser
from jaxir.networks import DRUNet as Network
from jaxir.pretrained.families.family import Config, Converted, Tensors, shapes
from jaxir.pretrained.names import Name, collect, conv, folded
from jaxir.processes import EDM

COLOUR: dict[str, Any] = {"in_nc": 4, "out_nc": 3, "nc": [64, 128, 256, 512], "nb": 4}
"""`drunet_color`; `drunet_gray` has in_nc 2 and out_nc 1."""

_ONLY = {"act_mode": "R", "downsample_mode": "strideconv", "upsample_mode": "convtranspose"}


class DRUNet:
    """The family.

    Source: [zhang2021dpir] (noise from 0 to 50 of 255 in training, from .255 of 255 where it is used).
    """

    def recognises(self, config: Config) -> bool:
        """By what its constructor calls channels and blocks."""
        return "nc" in config and "nb" in config

    def convert(self, config: Config, tensors: Tensors) -> Converted:
        """The network on the noise levels of its training.

        Raises:
            ConversionError: if the tensors do not fit the configuration.
            ValueError: if the configuration is of another network.
        """
        net = network(config)
        params = collect(names(net), tensors, shapes(net))
        process = EDM(100 / 255, span=(0.255 / 50, 1.0))
        denoiser = NetworkDenoiser(process, params, net.apply, CleanImage(), inlet=Levels())
        return Converted(denoiser, net)


def network(config: Config) -> Network:
    """The network of a configuration.

    Raises:
        ValueError: if it has other layers, or no noise level beside the image.
    """
    for name, only in _ONLY.items():
        if config.get(name, only) != only:
            raise ValueError(f"{name} is {config[name]!r}, expected {only!r} as in DRUNet")
    channels = int(config["out_nc"])
    if int(config["in_nc"]) != channels + 1:
        raise ValueError(
            f"in_nc is {config['in_nc']} and out_nc {channels}, expected one channel more in than out: the noise level"
        )
    return Network(
        in_channels=channels,
        out_channels=channels,
        widths=tuple(config["nc"]),
        blocks=int(config["nb"]),
    )


def names(net: Network) -> Iterator[Name]:
    """The table of the original's `UNetRes`, whose levels are lists: blocks, and what changes the sides at one end."""
    yield from conv("entrance", "m_head", bias=False)
    for level in range(len(net.widths) - 1):
        down, up = f"m_down{level + 1}", f"m_up{level + 1}"
        for index in range(net.blocks):
            yield from _block(f"down_{level}_{index}", f"{down}.{index}")
            yield from _block(f"up_{level}_{index}", f"{up}.{index + 1}")
        yield from folded(f"halve_{level}", f"{down}.{net.blocks}", bias=False)
        yield Name(f"double_{level}/kernel", f"{up}.0.weight", _to_unfold)
    for index in range(net.blocks):
        yield from _block(f"middle_{index}", f"m_body.{index}")
    yield from conv("out", "m_tail", bias=False)


def _block(ours: str, theirs: str) -> Iterator[Name]:
    yield from conv(f"{ours}/conv_0", f"{theirs}.res.0", bias=False)
    yield from conv(f"{ours}/conv_1", f"{theirs}.res.2", bias=False)


def _to_unfold(value: np.ndarray) -> np.ndarray:
    """A transposed convolution of stride 2 with a 2 × 2 kernel, (in, out, 2, 2), is a dense layer and `unfold`."""
    return value.transpose(0, 2, 3, 1).reshape(value.shape[0], -1)
