"""The law N(mean, scale scaleᵀ): what a transition returns and a driver draws from."""

from __future__ import annotations

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array

from jaxir.typing import Key, Scalar


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
        """One draw."""
        z = jax.random.normal(key, self.mean.shape, self.mean.dtype)
        return self.mean + (self.scale(z) if callable(self.scale) else self.scale * z)

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
