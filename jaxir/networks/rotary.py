"""Positions for attention that know no size: a query and a key meet only through where they are to each other."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


def rotate(features: Float[Array, "h w n d"]) -> Float[Array, "h w n d"]:
    """Turn the features of each position by its place in the grid: half of them by its row, half by its column.

    With R(p) the rotation of position p, (R(p) q)ᵀ(R(p') k) = qᵀ R(p' − p) k. The angles of a row r are r θ_k with
    θ_k = 100^(−4k/d), k = 0 ... d/4 − 1, and likewise of a column; d is a multiple of 4.

    Source: [su2024roformer]; [heo2024rope] (axial frequencies with base 100).
    """
    height, width, _, size = features.shape
    frequency = 100.0 ** (-jnp.arange(size // 4) / (size // 4))
    place = jnp.stack(jnp.mgrid[:height, :width], axis=-1)  # (h, w, 2)
    angle = (place[..., None] * frequency).reshape(height, width, 1, size // 2)
    cos, sin = jnp.cos(angle), jnp.sin(angle)
    first, second = jnp.split(features.astype(jnp.float32), 2, axis=-1)
    turned = jnp.concatenate([first * cos - second * sin, first * sin + second * cos], axis=-1)
    return turned.astype(features.dtype)


def attend(
    queries: Float[Array, "h w n d"], keys: Float[Array, "k l n d"], values: Float[Array, "k l n d"]
) -> Float[Array, "h w nd"]:
    """Softmax attention of one grid to another whose first positions coincide, heads joined; softmax in float32."""
    height, width, heads, size = queries.shape
    tokens = (t.reshape(-1, heads, size) for t in (rotate(queries), rotate(keys), values))
    return jax.nn.dot_product_attention(*tokens).reshape(height, width, heads * size)
