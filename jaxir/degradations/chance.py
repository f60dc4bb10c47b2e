"""Parameters of any law from uniform numbers.

A generator called once for all the parameters of a pipeline compiles in a second, one called for each in half
a minute; so they are drawn together, and these functions give each its law.
"""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, Int

from jaxir.typing import Scalar


def between(u: Scalar, low: ArrayLike, high: ArrayLike) -> Scalar:
    """Uniform from `low` to `high`."""
    low = jnp.asarray(low)
    return low + u * (jnp.asarray(high) - low)


def whole(u: Scalar, low: ArrayLike, high: ArrayLike) -> Int[Array, ""]:
    """A whole number from `low` to `high`, both included."""
    return jnp.minimum(jnp.floor(between(u, low, jnp.asarray(high) + 1)), high).astype(int)


def pick(u: Scalar, shares: tuple[float, ...] | Float[Array, " n"]) -> Int[Array, ""]:
    """An index with these probabilities."""
    ends = jnp.cumsum(jnp.asarray(shares))
    return jnp.sum(u >= ends[:-1])
