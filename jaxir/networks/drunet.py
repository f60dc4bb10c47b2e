"""The denoiser of plug-and-play restoration: a residual U-Net without any bias, given the noise level as an image.

Without biases the layers are homogeneous, f(λ x, λ σ) = λ f(x, σ), so more noise than training ever saw is no other
than in a brighter image. That is a law of intensities, in which black is zero: their unit is part of this network.
"""

from __future__ import annotations

import dataclasses

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array

from jaxir.networks.convolution import Conv
from jaxir.networks.layers import fold, unfold
from jaxir.networks.network import LinenNetwork
from jaxir.networks.padding import Padding, Repeated


@dataclasses.dataclass(frozen=True)
class DRUNet(LinenNetwork):
    """2 f((x + 1)/2, σ/2) − 1 for x = x0 + σ ε in [-1, 1] units: the clean image.

    Blocks x + conv(relu(conv(x))) at each level on the way down and up, sides halved and doubled by 2×2 convolutions of
    stride 2, and sums across.

    Args:
        widths: channels of each level, finest first.
        blocks: of each level, on the way down and again on the way up.
        padding: of sides that the layers cannot halve.

    The other fields are those of `LinenNetwork`. The condition is log σ, which `Levels` gives; it enters as a channel,
    so `embedding` plays no part, and there is no y.

    Source: [zhang2021dpir].
    """

    widths: tuple[int, ...] = (64, 128, 256, 512)
    blocks: int = 4
    padding: Padding = Repeated()

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.conditioning is not None:
            raise ValueError(
                f"conditioning is {self.conditioning}, expected None: DRUNet sees the noisy image alone, take UNet"
            )

    @property
    def stride(self) -> int:
        """Pixels between two positions of the coarsest level."""
        return 2 ** (len(self.widths) - 1)

    def module(self) -> nn.Module:
        """The layers."""
        return _DRUNet(self)


class _DRUNet(nn.Module):
    """The Linen module behind `DRUNet`."""

    config: DRUNet

    @nn.compact
    def __call__(self, x: Array, condition: Array, y: None) -> Array:
        c, dtype = self.config, jnp.dtype(self.config.dtype)
        kind = nn.remat(_Block) if c.remat else _Block

        def blocks(h: Array, name: str) -> Array:
            for index in range(c.blocks):
                h = kind(dtype, name=f"{name}_{index}")(h)
            return h

        def dense(h: Array, width: int, name: str) -> Array:
            return nn.Dense(width, use_bias=False, dtype=dtype, name=name)(h)

        level = jnp.full((*x.shape[:2], 1), jnp.exp(condition) / 2, x.dtype)
        h = jnp.concatenate([(x + 1) / 2, level], axis=-1)
        h = Conv(c.widths[0], use_bias=False, dtype=dtype, name="entrance")(h)
        skips = [h]
        for index, width in enumerate(c.widths[1:]):
            h = dense(fold(blocks(h, f"down_{index}"), 2), width, f"halve_{index}")
            skips.append(h)
        h = blocks(h, "middle")
        for index, width in reversed(list(enumerate(c.widths[:-1]))):
            h = unfold(dense(h + skips.pop(), 4 * width, f"double_{index}"), 2)
            h = blocks(h, f"up_{index}")
        h = (h + skips.pop()).astype(jnp.float32)
        return 2 * Conv(c.out_channels, use_bias=False, name="out")(h) - 1


class _Block(nn.Module):
    """x + conv(relu(conv(x)))."""

    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """Map (H, W, C) to (H, W, C)."""

        def conv(name: str) -> Conv:
            return Conv(x.shape[-1], use_bias=False, dtype=self.dtype, name=name)

        return x + conv("conv_1")(nn.relu(conv("conv_0")(x)))
