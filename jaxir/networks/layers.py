"""The pieces of a network: norms at each pixel, noise-level embedding, residual and attention blocks, folding.

Every norm here acts over the channels of one pixel. GroupNorm and its kin average over the image, which
makes the result depend on the size of the image and breaks tiles; these do not.
"""

from __future__ import annotations

import dataclasses

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array

from jaxir.networks.convolution import Conv
from jaxir.networks.embedding import Waves


class PixelNorm(nn.Module):
    """RMS norm over channels at each pixel, in float32: x / √(mean_c x² + 1e-6) · gain."""

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """Normalise `x`, (..., C)."""
        gain = self.param("gain", nn.initializers.ones, (x.shape[-1],))
        x32 = x.astype(jnp.float32)
        x32 = x32 * jax.lax.rsqrt(jnp.mean(x32**2, axis=-1, keepdims=True) + 1e-6)
        return (x32 * gain).astype(x.dtype)


@dataclasses.dataclass(frozen=True)
class ChannelNorm:
    """Layer norm over channels at each pixel: (x − mean_c x)/√(var_c x + ε) · gain + shift.

    Args:
        epsilon: ε > 0.
        shifted: whether a shift is learnt.

    Source: [ba2016layernorm].
    """

    epsilon: float = 1e-6
    shifted: bool = True

    def __call__(self, x: Array, name: str | None = None) -> Array:
        """Normalise `x`, (..., C), with parameters called `name`."""
        return nn.LayerNorm(
            epsilon=self.epsilon, use_bias=self.shifted, use_fast_variance=False, name=name
        )(x)


class NoiseEmbedding(nn.Module):
    """A number to a vector: sines and cosines at `features` frequencies, then two dense layers.

    Frequencies are π/2 · (1 ... features/2), so a condition in [-2, 2] is seen without aliasing; all of it
    runs in float32, since bfloat16 would merge neighbouring noise levels.
    """

    features: int

    @nn.compact
    def __call__(self, condition: Array) -> Array:
        """Embed the scalar `condition`."""
        phase = condition * (jnp.pi / 2) * jnp.arange(1, self.features // 2 + 1, dtype=jnp.float32)
        wave = jnp.concatenate([jnp.sin(phase), jnp.cos(phase)])
        return nn.silu(nn.Dense(self.features)(nn.silu(nn.Dense(self.features)(wave))))


class GatedEmbedding(nn.Module):
    """A number to a vector: waves, then two dense layers, each with a gate in the place of an activation.

    Source: [luo2023refusion] (the time embedding of its network).
    """

    waves: Waves
    features: int

    @nn.compact
    def __call__(self, condition: Array) -> Array:
        """Embed the scalar `condition`."""
        h = self.waves.of(condition, name="waves")
        h = gate(nn.Dense(4 * self.features)(h))
        return gate(nn.Dense(2 * self.features)(h))


class ResidualBlock(nn.Module):
    """x + conv(silu(norm(conv(silu(scale · norm(x) + shift))))), scale and shift from the embedding.

    The last convolution starts at zero, so a new block is the identity. Between the two convolutions there are `inner`
    times `width` channels.
    """

    width: int
    dtype: jnp.dtype
    inner: float = 1.0

    @nn.compact
    def __call__(self, x: Array, embedding: Array) -> Array:
        """Map (H, W, C) to (H, W, width)."""
        scale, shift = jnp.split(nn.Dense(2 * x.shape[-1])(embedding).astype(self.dtype), 2)
        h = nn.silu(PixelNorm()(x) * (1 + scale) + shift)
        h = Conv(within(self.width, self.inner), dtype=self.dtype)(h)
        h = Conv(self.width, zero=True, dtype=self.dtype)(nn.silu(PixelNorm()(h)))
        skip = x
        if x.shape[-1] != self.width:
            skip = Conv(self.width, size=1, use_bias=False, dtype=self.dtype)(x)
        return skip + h


class Attention(nn.Module):
    """Self-attention over all pixels, added to its input; the projection out starts at zero."""

    heads: int
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """Map (H, W, C) to (H, W, C)."""
        height, width, channels = x.shape
        qkv = nn.Dense(3 * channels, use_bias=False, dtype=self.dtype)(PixelNorm()(x))
        qkv = qkv.reshape(height * width, 3, self.heads, channels // self.heads)
        h = jax.nn.dot_product_attention(qkv[:, 0], qkv[:, 1], qkv[:, 2])
        h = h.reshape(height, width, channels)
        return x + nn.Dense(channels, dtype=self.dtype, kernel_init=nn.initializers.zeros)(h)


def within(width: int, inner: float) -> int:
    """Channels inside of a block: `inner` of its width, at least one."""
    return max(1, round(inner * width))


def gate(x: Array) -> Array:
    """The product of the two halves of the channels.

    Source: [chen2022nafnet] (SimpleGate).
    """
    first, second = jnp.split(x, 2, axis=-1)
    return first * second


def fold(x: Array, patch: int) -> Array:
    """(H, W, C) -> (H/p, W/p, p² C): each block of p × p pixels becomes the channels of one."""
    height, width, channels = x.shape
    x = x.reshape(height // patch, patch, width // patch, patch, channels)
    return x.transpose(0, 2, 1, 3, 4).reshape(height // patch, width // patch, -1)


def unfold(x: Array, patch: int) -> Array:
    """(H, W, p² C) -> (pH, pW, C), the inverse of `fold`."""
    height, width, channels = x.shape
    x = x.reshape(height, width, patch, patch, channels // patch**2)
    return x.transpose(0, 2, 1, 3, 4).reshape(height * patch, width * patch, -1)
