"""The U-Net of mean-reverting restoration: residual blocks without norms, and attention of linear cost at every level.

It is not `UNet` with other settings: no norm stands before a convolution, skips are concatenated and there are two at
each level, and what tells the noise level is the index of a step.
"""

from __future__ import annotations

import dataclasses

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array

from jaxir.networks.convolution import Conv
from jaxir.networks.embedding import Sinusoids, Waves
from jaxir.networks.layers import ChannelNorm
from jaxir.networks.network import LinenNetwork

NORM = ChannelNorm(epsilon=1e-5, shifted=False)
"""Before and after attention."""


@dataclasses.dataclass(frozen=True)
class ConditionalUNet(LinenNetwork):
    """Two residual blocks and linear attention at each level; channels double where sides are halved, and once more.

    Softmax over the pixels of the image is part of its attention, so the result depends on the size of the image.

    Args:
        width: channels of the finest level.
        depth: levels; the sides are halved between them, depth − 1 times.
        heads: of the attention.
        head_width: channels of a head.
        waves: the features of the condition before its two dense layers; as many as `width` in the published networks.

    The other fields are those of `LinenNetwork`; the condition is the index of a step, and `embedding` is four times
    `width` in the published networks. y meets the coarsest level before its blocks.

    Source: [luo2023irsde] (the network of its published code).
    Differs from the paper: the last convolution starts at zero.
    """

    width: int = 64
    depth: int = 4
    heads: int = 4
    head_width: int = 32
    waves: Waves = Sinusoids(64, last=1, sine_first=True)
    embedding: int = 256

    @property
    def stride(self) -> int:
        """Pixels between two positions of the coarsest level."""
        return 2 ** (self.depth - 1)

    @property
    def multiple(self) -> int:
        """Twice the stride, which the layers do not need, but the published network was used so."""
        return 2**self.depth

    def module(self) -> nn.Module:
        """The layers."""
        return _ConditionalUNet(self)


class _ConditionalUNet(nn.Module):
    """The Linen module behind `ConditionalUNet`."""

    config: ConditionalUNet

    @nn.compact
    def __call__(self, x: Array, condition: Array, y: Array | None) -> Array:
        c, dtype = self.config, jnp.dtype(self.config.dtype)
        vector = nn.Dense(c.embedding, name="embedding_0")(c.waves.of(condition, name="waves"))
        vector = nn.gelu(vector, approximate=False)
        vector = nn.Dense(c.embedding, name="embedding_1")(vector)
        vector = c.entry.embedding(vector, y)
        kind = nn.remat(_Block) if c.remat else _Block

        def block(h: Array, width: int, name: str) -> Array:
            return kind(width, dtype, name=name)(h, vector)

        def attention(h: Array, name: str) -> Array:
            return _LinearAttention(c.heads, c.head_width, dtype, name=name)(h)

        def conv(h: Array, width: int, name: str, *, size: int = 3, bias: bool = False) -> Array:
            return Conv(width, size=size, use_bias=bias, dtype=dtype, name=name)(h)

        entrance = h = conv(c.entry.entrance(x, y), c.width, "entrance", size=7)
        skips = []
        for level in range(c.depth):
            width, name = c.width * 2**level, f"down_{level}"
            h = block(h, width, f"{name}_block_0")
            skips.append(h)
            h = attention(block(h, width, f"{name}_block_1"), f"{name}_attention")
            skips.append(h)
            if level < c.depth - 1:
                h = nn.Conv(2 * width, (4, 4), 2, 1, dtype=dtype, name=f"{name}_out")(h)
            else:
                h = conv(h, 2 * width, f"{name}_out")
        width = c.width * 2**c.depth
        h = block(c.entry.bottleneck(h, y), width, "middle_block_0")
        h = block(attention(h, "middle_attention"), width, "middle_block_1")
        for level in reversed(range(c.depth)):
            width, name = c.width * 2**level, f"up_{level}"
            h = block(_beside(h, skips.pop()), 2 * width, f"{name}_block_0")
            h = block(_beside(h, skips.pop()), 2 * width, f"{name}_block_1")
            h = attention(h, f"{name}_attention")
            if level:
                h = jnp.repeat(jnp.repeat(h, 2, axis=0), 2, axis=1)
            h = conv(h, width, f"{name}_out", bias=level > 0)
        h = block(_beside(h, entrance), c.width, "last_block")
        return Conv(c.out_channels, zero=True, name="out")(h.astype(jnp.float32))


class _Block(nn.Module):
    """skip(x) + silu(conv(silu(scale · conv(x) + shift))), scale and shift from the embedding."""

    width: int
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x: Array, embedding: Array) -> Array:
        """Map (H, W, C) to (H, W, width)."""
        modulation = nn.Dense(2 * self.width, name="modulation")(nn.silu(embedding))
        scale, shift = jnp.split(modulation.astype(self.dtype), 2)
        h = Conv(self.width, use_bias=False, dtype=self.dtype, name="conv_0")(x)
        h = nn.silu(h * (1 + scale) + shift)
        h = nn.silu(Conv(self.width, use_bias=False, dtype=self.dtype, name="conv_1")(h))
        if x.shape[-1] != self.width:
            x = nn.Dense(self.width, use_bias=False, dtype=self.dtype, name="skip")(x)
        return x + h


class _LinearAttention(nn.Module):
    """x + norm(out(softmax_channels(q)/√d · (softmax_pixels(k)ᵀ v/n))) over n pixels: d × d numbers, and not n × n.

    Source: [shen2021efficient].
    """

    heads: int
    width: int
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """Map (H, W, C) to (H, W, C)."""
        height, width, channels = x.shape
        qkv = nn.Dense(3 * self.heads * self.width, use_bias=False, dtype=self.dtype, name="qkv")
        h = qkv(NORM(x, "norm_in")).reshape(height * width, 3, self.heads, self.width)
        query, key, value = jnp.moveaxis(h.astype(jnp.float32), 1, 0)
        query, key = jax.nn.softmax(query, axis=-1), jax.nn.softmax(key, axis=0)
        context = jnp.einsum("nhd,nhe->hde", key, value / (height * width))
        h = jnp.einsum("hde,nhd->nhe", context, query / self.width**0.5)
        h = nn.Dense(channels, dtype=self.dtype, name="out")(h.reshape(height, width, -1))
        return x + NORM(h, "norm_out").astype(x.dtype)


def _beside(first: Array, second: Array) -> Array:
    return jnp.concatenate([first, second], axis=-1)
