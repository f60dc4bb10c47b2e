"""A fully convolutional U-Net for images of any size.

The first layer folds `patch` × `patch` pixels into channels, so the finest level already works at a fraction of
the pixels; this is where a network on a CPU earns its speed. Levels are joined by average pooling and by
nearest resizing with a convolution (the backward pass of a transposed convolution is three times slower).
"""

from __future__ import annotations

import dataclasses
import itertools

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array

from jaxir.networks.convolution import Conv
from jaxir.networks.layers import Attention, NoiseEmbedding, ResidualBlock, fold, unfold
from jaxir.networks.network import LinenNetwork


@dataclasses.dataclass(frozen=True)
class UNet(LinenNetwork):
    """Residual blocks on a pyramid of resolutions, with sums from the way down to the way up.

    Args:
        widths: channels of each level, finest first.
        blocks: residual blocks of each level on the way down; the way up has as many.
        patch: side of the pixel block folded into channels at the entrance.
        heads: attention heads at the coarsest level; 0 leaves attention out. Attention sees the whole
            image, so the result then depends on its size.

    The other fields are those of `LinenNetwork`. y meets the coarsest level after its blocks and its attention.

    Source: [ronneberger2015unet], with the modulated residual blocks of [karras2022edm].
    """

    widths: tuple[int, ...] = (64, 128, 192)
    blocks: tuple[int, ...] = (2, 2, 2)
    patch: int = 2
    heads: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.widths) != len(self.blocks):
            raise ValueError(
                f"blocks has {len(self.blocks)} entries but widths has {len(self.widths)}: "
                "give one number of blocks for each level"
            )
        if self.heads and self.widths[-1] % self.heads:
            raise ValueError(
                f"heads is {self.heads} but the coarsest width {self.widths[-1]} is not a multiple of it"
            )

    @property
    def stride(self) -> int:
        """Pixels between two positions of the coarsest level."""
        return self.patch * 2 ** (len(self.widths) - 1)

    def module(self) -> nn.Module:
        """The layers."""
        return _UNet(self)


class _UNet(nn.Module):
    """The Linen module behind `UNet`, on images whose sides are multiples of the stride."""

    config: UNet

    @nn.compact
    def __call__(self, x: Array, condition: Array, y: Array | None) -> Array:
        c, dtype = self.config, jnp.dtype(self.config.dtype)
        embedding = c.entry.embedding(NoiseEmbedding(c.embedding)(condition), y)

        def conv(width: int) -> Conv:
            return Conv(width, dtype=dtype)

        kind, count = nn.remat(ResidualBlock) if c.remat else ResidualBlock, itertools.count()

        def block(width: int) -> nn.Module:
            return kind(width, dtype, name=f"ResidualBlock_{next(count)}")

        h = conv(c.widths[0])(fold(c.entry.entrance(x, y), c.patch).astype(dtype))
        skips = []
        for level, (width, blocks) in enumerate(zip(c.widths, c.blocks, strict=True)):
            if level:
                h = conv(width)(nn.avg_pool(h, (2, 2), strides=(2, 2)))
            for _ in range(blocks):
                h = block(width)(h, embedding)
            skips.append(h)
        if c.heads:
            h = Attention(c.heads, dtype)(h)
        h = c.entry.bottleneck(h, y)
        for level in reversed(range(len(c.widths))):
            width, blocks = c.widths[level], c.blocks[level]
            if level < len(c.widths) - 1:
                h = conv(width)(jnp.repeat(jnp.repeat(h, 2, axis=0), 2, axis=1)) + skips[level]
            for _ in range(blocks):
                h = block(width)(h, embedding)
        out = Conv(c.out_channels * c.patch**2, zero=True)
        return unfold(out(h.astype(jnp.float32)), c.patch)
