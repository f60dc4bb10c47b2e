"""The law N(mean, scale scaleᵀ): what a transition returns and a driver draws from."""

from __future__ import annotations

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array

from jaxir.typing import Key, Scalar

AT_ONCE = 2**20
"""How many numbers are drawn at a time, at most."""


class Gaussian(eqx.Module):
    """x = mean + scale z with z ~ N(0, I).

    Args:
        mean: the mean, of any shape.
        scale: a number or an array (the standard deviation of each entry), or a linear map `z -> scale z`
            where the noise is not diagonal in pixels (DDRM's is diagonal in the operator's basis).
    """

    mean: Array
    scale: float | Array | Callable[[Array], Array]

    @property
    def std(self) -> Array:
        """The scale as a number or an array.

        Raises:
            TypeError: where it is a linear map.
        """
        if callable(self.scale):
            raise TypeError(
                "the noise is a linear map, expected a number: use DDIM or Ancestral steps"
            )
        return jnp.asarray(self.scale)

    def sample(self, key: Key) -> Array:
        """One draw.

        JAX holds six numbers for each that it draws, so more than `AT_ONCE` are drawn some rows at a time, row i with
        `fold_in(key, i)`, and added in place.
        """
        mean, scale = self.mean, self.scale
        if callable(scale):
            return mean + scale(Gaussian(jnp.zeros_like(mean), 1.0).sample(key))
        if mean.size <= AT_ONCE:
            return mean + scale * jax.random.normal(key, mean.shape, mean.dtype)
        rows = mean.reshape(-1, *mean.shape[-2:])
        count, most = len(rows), max(1, AT_ONCE * len(rows) // mean.size)
        shape = mean.shape if jnp.ndim(scale) else (1,) * mean.ndim
        scales = jnp.broadcast_to(scale, shape).reshape(-1, *shape[-2:])

        def add(x: Array, some: Array) -> tuple[Array, None]:
            keys = jax.vmap(jax.random.fold_in, (None, 0))(key, some)
            z = jax.vmap(lambda key: jax.random.normal(key, rows.shape[1:], rows.dtype))(keys)
            return x.at[some].add(scales[some % len(scales)] * z), None

        strip = next(size for size in range(most, 0, -1) if count % size == 0)
        rows, _ = jax.lax.scan(add, rows, jnp.arange(count).reshape(-1, strip))
        return rows.reshape(mean.shape)

    def log_prob(self, x: Array) -> Scalar:
        """log density at `x`, summed over its entries.

        Raises:
            TypeError: where the scale is a linear map, whose determinant is not known.
        """
        if callable(self.scale):
            raise TypeError("log_prob needs a scale that is a number or an array, got a linear map")
        scale = jnp.broadcast_to(self.scale, self.mean.shape)
        z = (x - self.mean) / scale
        return -0.5 * jnp.sum(z**2 + 2 * jnp.log(scale) + jnp.log(2 * jnp.pi))
