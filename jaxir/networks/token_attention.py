"""A transformer inside a U-Net: pixels see each other, then the tokens of a text, then a gated perceptron."""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array

from jaxir.networks.blocks import Norm


class TokenTransformer(nn.Module):
    """x + out(blocks(in(norm(x)))), each block showing the pixels each other and the tokens.

    Args:
        heads: of every attention.
        depth: blocks.
        norm: of the features that come in; its ε is 1e-6 in every published model.
        dtype: of the computation; norms are float32.

    Source: [rombach2022ldm] App. E.2.1.
    """

    heads: int
    depth: int = 1
    norm: Norm = Norm(epsilon=1e-6)
    dtype: jnp.dtype = jnp.dtype("float32")

    @nn.compact
    def __call__(self, x: Array, tokens: Array) -> Array:
        """Map (H, W, C) and (n, d) to (H, W, C)."""
        height, width, channels = x.shape
        h = self.norm(x, "norm").reshape(height * width, channels)
        h = nn.Dense(channels, dtype=self.dtype, name="in")(h)
        for i in range(self.depth):
            h = _Block(self.heads, self.dtype, name=f"block_{i}")(h, tokens)
        out = nn.Dense(channels, dtype=self.dtype, kernel_init=nn.initializers.zeros, name="out")
        return x + out(h).reshape(x.shape)


class _Block(nn.Module):
    """h + self(norm(h)), then + cross(norm(h), tokens), then + W(u · gelu(v)) with (u, v) of norm(h)."""

    heads: int
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, h: Array, tokens: Array) -> Array:
        width = h.shape[-1]

        def attend(name: str, asking: Array, asked: Array) -> Array:
            def heads(part: str, x: Array) -> Array:
                layer = nn.Dense(width, use_bias=False, dtype=self.dtype, name=f"{name}_{part}")
                return layer(x).reshape(len(x), self.heads, -1)

            answer = jax.nn.dot_product_attention(
                heads("query", asking), heads("key", asked), heads("value", asked)
            )
            return nn.Dense(width, dtype=self.dtype, name=f"{name}_out")(answer.reshape(h.shape))

        def normed(i: int, h: Array) -> Array:
            return nn.LayerNorm(epsilon=1e-5, use_fast_variance=False, name=f"norm_{i}")(h)

        pixels = normed(0, h)
        h += attend("self", pixels, pixels)
        h += attend("cross", normed(1, h), tokens)
        feed_in = nn.Dense(8 * width, dtype=self.dtype, name="feed_in")
        value, gate = jnp.split(feed_in(normed(2, h)), 2, axis=-1)
        feed = nn.Dense(width, dtype=self.dtype, name="feed_out")
        return h + feed(value * nn.gelu(gate, approximate=False))
