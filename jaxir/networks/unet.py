"""A fully convolutional U-Net for images of any size.

The first layer folds `patch` × `patch` pixels into channels, so the finest level already works at a fraction of
the pixels; this is where a network on a CPU earns its speed. Levels are joined by average pooling and by
nearest resizing with a convolution (the backward pass of a transposed convolution is three times slower).

The way down and the way up are also there apart, and what goes from one to the other is open: there `Controlled` and
`Modulated` bring something into a network that they leave as it is.
"""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxir.networks.convolution import Conv
from jaxir.networks.layers import Attention, NoiseEmbedding, ResidualBlock, fold, unfold
from jaxir.networks.network import LinenNetwork
from jaxir.typing import Image, Key, Params, Scalar


class Descent(NamedTuple):
    """What a U-Net's way up is given.

    Attributes:
        levels: features of each level, finest first, the last after its attention and after y.
        embedding: what modulates the blocks.
    """

    levels: tuple[Float[Array, "h w c"], ...]
    embedding: Float[Array, " d"]


@dataclasses.dataclass(frozen=True)
class UNet(LinenNetwork):
    """Residual blocks on a pyramid of resolutions, with sums from the way down to the way up.

    Args:
        widths: channels of each level, finest first.
        blocks: residual blocks of each level on the way down; the way up has as many.
        patch: side of the pixel block folded into channels at the entrance.
        heads: attention heads at the coarsest level; 0 leaves attention out. Attention sees the whole
            image, so the result then depends on its size.
        inner: channels inside of a residual block, of its width; fewer after `prune`.

    The other fields are those of `LinenNetwork`. y meets the coarsest level after its blocks and its attention.

    Source: [ronneberger2015unet], with the modulated residual blocks of [karras2022edm].
    """

    widths: tuple[int, ...] = (64, 128, 192)
    blocks: tuple[int, ...] = (2, 2, 2)
    patch: int = 2
    heads: int = 0
    inner: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.widths) != len(self.blocks):
            raise ValueError(
                f"blocks has {len(self.blocks)} entries but widths has {len(self.widths)}: "
                "give one number of blocks for each level"
            )
        if not self.inner > 0:
            raise ValueError(f"inner is {self.inner}, expected a positive share of the width")
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

    def init_descent(self, key: Key) -> Params:
        """New parameters of the way down alone, which has the names that it has in the whole."""
        x = jnp.zeros((self.stride, self.stride, self.in_channels))
        y = jnp.zeros(self.entry.shape((self.stride, self.stride))) if self.sees_y else None
        return jax.jit(_Down(self).init)(key, x, jnp.zeros(()), y)["params"]

    def descend(
        self, params: Params, x: Image, condition: Scalar, y: Image | None = None
    ) -> Descent:
        """The way down, of all parameters or of its own.

        Raises:
            ValueError: as `apply`.
        """
        found: Any = _Down(self).apply({"params": params}, *self.inputs(x, condition, y))
        return found

    def ascend(self, params: Params, descent: Descent) -> Image:
        """The way up, to the size that `descend` padded to: `apply` is this of that, cut to the size of x."""
        return jnp.asarray(_Up(self).apply({"params": params}, descent))


class _UNet(nn.Module):
    """The Linen module behind `UNet`, on images whose sides are multiples of the stride."""

    config: UNet

    def setup(self) -> None:
        self.down, self.up = _Down(self.config), _Up(self.config)
        for part in (self.down, self.up):  # the two keep their parameters side by side
            nn.share_scope(self, part)

    def __call__(self, x: Array, condition: Array, y: Array | None) -> Array:
        return self.up(self.down(x, condition, y))


class _Down(nn.Module):
    """From the image to the coarsest level."""

    config: UNet

    @nn.compact
    def __call__(self, x: Array, condition: Array, y: Array | None) -> Descent:
        c, dtype = self.config, jnp.dtype(self.config.dtype)
        embedding = c.entry.embedding(NoiseEmbedding(c.embedding)(condition), y)
        layers = _Layers(c)
        h = layers.conv(c.widths[0])(fold(c.entry.entrance(x, y), c.patch).astype(dtype))
        levels = []
        for level, (width, blocks) in enumerate(zip(c.widths, c.blocks, strict=True)):
            if level:
                h = layers.conv(width)(nn.avg_pool(h, (2, 2), strides=(2, 2)))
            for _ in range(blocks):
                h = layers.block(width)(h, embedding)
            levels.append(h)
        if c.heads:
            h = Attention(c.heads, dtype)(h)
        return Descent((*levels[:-1], c.entry.bottleneck(h, y)), embedding)


class _Up(nn.Module):
    """From the coarsest level to the image."""

    config: UNet

    @nn.compact
    def __call__(self, descent: Descent) -> Array:
        c = self.config
        layers = _Layers(c, convs=len(c.widths), blocks=sum(c.blocks))
        *skips, h = descent.levels
        for level in reversed(range(len(c.widths))):
            width, blocks = c.widths[level], c.blocks[level]
            if level < len(c.widths) - 1:
                doubled = jnp.repeat(jnp.repeat(h, 2, axis=0), 2, axis=1)
                h = layers.conv(width)(doubled) + skips[level]
            for _ in range(blocks):
                h = layers.block(width)(h, descent.embedding)
        out = Conv(c.out_channels * c.patch**2, zero=True, name=f"Conv_{2 * len(c.widths) - 1}")
        return unfold(out(h.astype(jnp.float32)), c.patch)


class _Layers:
    """Convolutions and blocks by their numbers in the whole network, which name their parameters."""

    def __init__(self, config: UNet, convs: int = 0, blocks: int = 0) -> None:
        self.dtype, self.inner = jnp.dtype(config.dtype), config.inner
        self.kind = nn.remat(ResidualBlock) if config.remat else ResidualBlock
        self.convs, self.blocks = itertools.count(convs), itertools.count(blocks)

    def conv(self, width: int) -> nn.Module:
        return Conv(width, dtype=self.dtype, name=f"Conv_{next(self.convs)}")

    def block(self, width: int) -> nn.Module:
        return self.kind(width, self.dtype, self.inner, name=f"ResidualBlock_{next(self.blocks)}")
