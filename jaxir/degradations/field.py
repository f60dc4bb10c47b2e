"""Smooth random fields: the depth of a hazy scene, the outline of a shadow."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxir.expect import positive
from jaxir.typing import Key, Scalar


def smooth_field(
    key: Key, size: tuple[int, int], *, width: float | Scalar
) -> Float[Array, "h w 1"]:
    """A stationary random field whose values are uniform in [0, 1] and vary over `width` pixels.

    u = Φ(z) with z = F⁻¹(G F ξ), ξ white noise and G = exp(−2π² width² |f|²) scaled to unit variance.

    Args:
        key: draws it.
        size: (height, width) in pixels; the field is periodic.
        width: the standard deviation of the Gaussian that smooths it, in pixels, > 0.
    """
    positive("width", width)
    rows, columns = jnp.fft.fftfreq(size[0]), jnp.fft.fftfreq(size[1])
    square = rows[:, None] ** 2 + columns[None, :] ** 2
    response = jnp.exp(-2 * (jnp.pi * width) ** 2 * square)
    response = response / jnp.sqrt(jnp.mean(response**2))
    z = jnp.fft.ifft2(response * jnp.fft.fft2(jax.random.normal(key, size))).real
    return jax.scipy.stats.norm.cdf(z)[..., None]
