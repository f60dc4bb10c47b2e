"""A fully convolutional U-Net for images of any size.

The first layer folds `patch` × `patch` pixels into channels, so the finest level already works at a fraction of
the pixels; this is where a network on a CPU earns its speed. Levels are joined by average pooling and by
nearest resizing with a convolution (the backward pass of a transposed convolution is three times slower).
The public face is three pure things: `init`, `apply` and the configuration itself, a hashable value.
"""

from __future__ import annotations

import dataclasses
from math import prod

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array

from jaxir.networks.convolution import Conv
from jaxir.networks.layers import Attention, NoiseEmbedding, ResidualBlock
from jaxir.typing import Image, Key, Params, Scalar


@dataclasses.dataclass(frozen=True)
class UNet:
    """A U-Net p = network(params, x, condition), image in, image out.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        widths: channels of each level, finest first.
        blocks: residual blocks of each level on the way down; the way up has as many.
        patch: side of the pixel block folded into channels at the entrance.
        heads: attention heads at the coarsest level; 0 leaves attention out. Attention sees the whole
            image, so the result then depends on its size.
        embedding: features of the noise-level embedding.
        dtype: dtype of convolutions, "float32" or "bfloat16"; parameters and norms stay float32.

    Source: [ronneberger2015unet], with the modulated residual blocks of [karras2022edm].
    """

    in_channels: int = 3
    out_channels: int = 3
    widths: tuple[int, ...] = (64, 128, 192)
    blocks: tuple[int, ...] = (2, 2, 2)
    patch: int = 2
    heads: int = 0
    embedding: int = 128
    dtype: str = "float32"

    def __post_init__(self) -> None:
        if len(self.widths) != len(self.blocks):
            raise ValueError(
                f"blocks has {len(self.blocks)} entries but widths has {len(self.widths)}: "
                "give one number of blocks for each level"
            )
        if self.heads and self.widths[-1] % self.heads:
            raise ValueError(
                f"heads is {self.heads} but the coarsest width {self.widths[-1]} is not a multiple of it"
            )
        if self.dtype not in ("float32", "bfloat16"):
            raise ValueError(f"dtype is {self.dtype!r}, expected 'float32' or 'bfloat16'")

    @property
    def stride(self) -> int:
        """Pixels between two positions of the coarsest level."""
        return self.patch * 2 ** (len(self.widths) - 1)

    def init(self, key: Key) -> Params:
        """New parameters, float32."""
        x = jnp.zeros((self.stride, self.stride, self.in_channels))
        return jax.jit(_UNet(self).init)(key, x, jnp.zeros(()))["params"]

    def apply(self, params: Params, x: Image, condition: Scalar) -> Image:
        """The output for one image of any size, in the dtype of `x`.

        Args:
            params: what `init` returned, or trained weights.
            x: (H, W, in_channels), of variance about 1.
            condition: the noise level as a number of order 1.

        Raises:
            ValueError: if `x` is not (H, W, in_channels).
        """
        if x.ndim != 3 or x.shape[-1] != self.in_channels:
            raise ValueError(
                f"x has shape {x.shape}, expected (height, width, {self.in_channels}): "
                "one image at a time, jax.vmap makes batches"
            )
        height, width, _ = x.shape
        padding = [(0, -height % self.stride), (0, -width % self.stride), (0, 0)]
        padded = jnp.pad(x, padding, mode="reflect" if min(height, width) > 1 else "edge")
        condition = jnp.asarray(condition, jnp.float32)
        out = jnp.asarray(_UNet(self).apply({"params": params}, padded, condition))
        return out[:height, :width].astype(x.dtype)

    def size(self) -> int:
        """Number of parameters."""
        shapes = jax.eval_shape(self.init, jax.random.key(0))
        return sum(prod(leaf.shape) for leaf in jax.tree.leaves(shapes))


class _UNet(nn.Module):
    """The Linen module behind `UNet`, on images whose sides are multiples of the stride."""

    config: UNet

    @nn.compact
    def __call__(self, x: Array, condition: Array) -> Array:
        c, dtype = self.config, jnp.dtype(self.config.dtype)
        embedding = NoiseEmbedding(c.embedding)(condition)

        def conv(width: int) -> Conv:
            return Conv(width, dtype=dtype)

        h = conv(c.widths[0])(_fold(x, c.patch).astype(dtype))
        skips = []
        for level, (width, blocks) in enumerate(zip(c.widths, c.blocks, strict=True)):
            if level:
                h = conv(width)(nn.avg_pool(h, (2, 2), strides=(2, 2)))
            for _ in range(blocks):
                h = ResidualBlock(width, dtype)(h, embedding)
            skips.append(h)
        if c.heads:
            h = Attention(c.heads, dtype)(h)
        for level in reversed(range(len(c.widths))):
            width, blocks = c.widths[level], c.blocks[level]
            if level < len(c.widths) - 1:
                h = conv(width)(jnp.repeat(jnp.repeat(h, 2, axis=0), 2, axis=1)) + skips[level]
            for _ in range(blocks):
                h = ResidualBlock(width, dtype)(h, embedding)
        out = Conv(c.out_channels * c.patch**2, zero=True)
        return _unfold(out(h.astype(jnp.float32)), c.patch)


def _fold(x: Array, patch: int) -> Array:
    """(H, W, C) -> (H/p, W/p, p² C)."""
    height, width, channels = x.shape
    x = x.reshape(height // patch, patch, width // patch, patch, channels)
    return x.transpose(0, 2, 1, 3, 4).reshape(height // patch, width // patch, -1)


def _unfold(x: Array, patch: int) -> Array:
    """(H, W, p² C) -> (pH, pW, C), the inverse of `_fold`."""
    height, width, channels = x.shape
    x = x.reshape(height, width, patch, patch, channels // patch**2)
    return x.transpose(0, 2, 1, 3, 4).reshape(height * patch, width * patch, -1)
