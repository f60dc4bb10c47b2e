"""Resampling that keeps a reference, as conditional sequential Monte Carlo needs it.

Particle 0 is the reference and must have itself as parent. The others are drawn from the law that an unbiased scheme
has *given* that a slot chosen at random has parent 0; the slot is then called 0, for the order of particles means
nothing. To draw the others as if there were no reference is wrong for a scheme whose slots are not independent and
alike.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxir.typing import Key


def conditional_systematic(key: Key, log_weight: Float[Array, " n"]) -> Int[Array, " n"]:
    """Parents at evenly spaced quantiles, with the reference's own quantile drawn inside its share.

    Unconditionally a slot's quantile is uniform on [0, 1) and the others lie k/n further, modulo 1. Given that the slot
    has parent 0 its quantile is uniform on [0, W_0).

    Args:
        key: for one uniform number.
        log_weight: log W up to a common number; that of the reference first.

    Source: [chopin2015gibbs] (conditional systematic resampling).
    """
    n, ends = len(log_weight), jnp.cumsum(jax.nn.softmax(log_weight))
    own = ends[0] * jax.random.uniform(key, (), ends.dtype)
    quantiles = (own + jnp.arange(n) / n) % 1
    return _at(quantiles, ends).at[0].set(0)


def conditional_killing(key: Key, log_weight: Float[Array, " n"]) -> Int[Array, " n"]:
    """Particle i lives with probability W_i/max W and is otherwise replaced by a draw from W.

    Equal weights change nothing. Slot j has parent 0 with probability W_0 (1 − W_j/max W), and slot 0 with W_0/max W
    more: from these the slot of the reference is drawn.

    Args:
        key: for n choices.
        log_weight: log W up to a common number; that of the reference first.

    Source: [karppinen2024bridge] (conditional killing resampling).
    """
    n = len(log_weight)
    alive, parent, slot = jax.random.split(key, 3)
    ends, dtype = jnp.cumsum(jax.nn.softmax(log_weight)), log_weight.dtype
    survival = jnp.exp(log_weight - jnp.max(log_weight))
    lives = jax.random.uniform(alive, (n,), dtype) < survival
    parents = jnp.where(lives, jnp.arange(n), _at(jax.random.uniform(parent, (n,), dtype), ends))
    own = ends[0]
    chance = (own * (1 - survival)).at[0].add(survival[0])
    slot = jax.random.categorical(slot, jnp.log(chance))
    return parents.at[slot].set(parents[0]).at[0].set(0)


def _at(quantiles: Float[Array, " n"], ends: Float[Array, " n"]) -> Int[Array, " n"]:
    """The particles at quantiles in [0, 1) of weights with these partial sums, the last 1 up to rounding."""
    found = jnp.searchsorted(ends / ends[-1], quantiles, side="right")
    return jnp.minimum(found, len(ends) - 1)
