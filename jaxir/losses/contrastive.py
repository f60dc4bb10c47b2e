"""Learning by telling apart: an embedding that is nearest to its own of several keys."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxir.typing import Scalar


def info_nce(
    query: Float[Array, " d"],
    keys: Float[Array, "n d"],
    positive: int | Int[Array, ""],
    *,
    temperature: float | Scalar = 0.07,
) -> Scalar:
    """−log exp(q·k₊/τ)/Σ_i exp(q·k_i/τ) of unit vectors: 0 where q is nearer to k₊ than to all others by far.

    Keys are one vector for each kind of degradation, learnt with the encoder of the queries, or the embeddings of
    other images and the texts beside them. Half of CLIP's loss is this over a batch, the other half with the two
    exchanged.

    Args:
        query: the embedding of one image, of any length.
        keys: of any length.
        positive: which key belongs to it.
        temperature: τ > 0.

    Source: [oord2018cpc]; [luo2024daclip] for embeddings of the degradation.
    """
    return -jax.nn.log_softmax(similarity(query, keys) / temperature)[positive]


def similarity(query: Float[Array, " d"], keys: Float[Array, "n d"]) -> Float[Array, " n"]:
    """Cosines of the angles; 0 with a vector that is 0."""
    return _unit(keys) @ _unit(query)


def _unit(v: Float[Array, "... d"]) -> Float[Array, "... d"]:
    square = jnp.sum(v**2, axis=-1, keepdims=True)
    return v * jax.lax.rsqrt(jnp.where(square > 0, square, 1))
