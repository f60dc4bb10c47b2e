"""Choosing the particles that live on: parents drawn by weight, without a bias."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxir.typing import Key, Scalar


def effective_size(log_weight: Float[Array, " n"]) -> Scalar:
    """How many equally weighted particles they are worth: (Σ w)²/Σ w², between 1 and n.

    Args:
        log_weight: log w, up to a common number.

    Source: [kong1994sequential].
    """
    return 1 / jnp.sum(jax.nn.softmax(log_weight) ** 2)


def systematic(key: Key, log_weight: Float[Array, " n"]) -> Int[Array, " n"]:
    """The parents of n new particles, at n evenly spaced quantiles with one common random shift.

    Particle i has n w_i/Σ w children on average, and never differs from that by one or more.

    Args:
        key: for the shift.
        log_weight: log w, up to a common number.

    Source: [kitagawa1996smoother]; [douc2005resampling].
    """
    n = len(log_weight)
    ends = jnp.cumsum(jax.nn.softmax(log_weight))
    quantiles = (jnp.arange(n) + jax.random.uniform(key, (), ends.dtype)) / n
    # divided by the last, which rounding leaves beside 1; and the last quantile may round up to 1
    return jnp.minimum(jnp.searchsorted(ends / ends[-1], quantiles, side="right"), n - 1)
