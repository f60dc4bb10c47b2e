"""What a sensor adds to the noise-free measurement: a law p(y | mean), to draw from and to evaluate."""

from __future__ import annotations

import abc

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from jaxir.gaussian import Gaussian
from jaxir.typing import Key, Measurement, Scalar


class Noise(eqx.Module):
    """The law of y given its noise-free mean."""

    @abc.abstractmethod
    def sample(self, key: Key, mean: Measurement) -> Measurement:
        """One draw of y."""

    @abc.abstractmethod
    def log_prob(self, y: Measurement, mean: Measurement) -> Scalar:
        """log p(y | mean), summed over the numbers in `y`."""


class GaussianNoise(Noise):
    """y = mean + σ z with z ~ N(0, I).

    Of a complex measurement the real and the imaginary part each get a noise of σ, so that log p is
    −|y − mean|²/(2σ²) up to a constant for both kinds.

    Args:
        sigma: σ ≥ 0 in the units of images in [-1, 1]: twice the figure that is quoted for [0, 1], and
            σ/127.5 for 8 bits. With 0 there is no noise, and the log-density is not finite.

    Raises:
        ValueError: if `sigma` is negative.
    """

    sigma: float | Scalar

    def __check_init__(self):
        if not isinstance(self.sigma, jax.core.Tracer) and not np.all(np.asarray(self.sigma) >= 0):
            raise ValueError(
                f"sigma is {self.sigma} but a standard deviation is 0 or more, in units of [-1, 1]"
            )

    def sample(self, key: Key, mean: Measurement) -> Measurement:
        """mean + σ z."""
        return _from_real(Gaussian(_as_real(mean), self.sigma).sample(key), mean)

    def log_prob(self, y: Measurement, mean: Measurement) -> Scalar:
        """−|y − mean|²/(2σ²) − n log(σ√2π), n the count of real numbers in `y`."""
        return Gaussian(_as_real(mean), self.sigma).log_prob(_as_real(y))


def _as_real(z: Measurement) -> Measurement:
    """The real and imaginary parts side by side; a real array as it is."""
    return jnp.stack([z.real, z.imag]) if jnp.iscomplexobj(z) else z


def _from_real(parts: Measurement, like: Measurement) -> Measurement:
    return jax.lax.complex(parts[0], parts[1]) if jnp.iscomplexobj(like) else parts
