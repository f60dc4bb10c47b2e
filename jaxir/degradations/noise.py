"""What a sensor adds to the noise-free measurement: a law p(y | mean), to draw from and to evaluate.

Here are the interface and the laws that do not depend on the mean; those that grow with the light are in
`photon_noise`, those that replace a value altogether in `impulse_noise`.
"""

from __future__ import annotations

import abc

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from jaxir import expect
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

    def std(self, mean: Measurement) -> float | Array:
        """√E|y − mean|² of each real number, broadcast to `mean`; the unit in which residuals are told.

        Raises:
            TypeError: for a noise that does not state it; drawing and guidance do without.
        """
        raise TypeError(f"{type(self).__name__} states no deviation: give it a method std(mean)")


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

    def std(self, mean: Measurement) -> float | Scalar:
        """σ."""
        return self.sigma


class LaplaceNoise(Noise):
    """y = mean + e with p(e) = exp(−|e|/b)/(2b), b = σ/√2: its likelihood is the sum of absolute residuals.

    Args:
        sigma: standard deviation σ > 0, in units of [-1, 1]; of each part of a complex number.

    Raises:
        ValueError: unless it is positive.
    """

    sigma: float | Scalar

    def __check_init__(self):
        expect.positive("sigma", self.sigma)

    def sample(self, key: Key, mean: Measurement) -> Measurement:
        """mean + e."""
        real = _as_real(mean)
        noise = jax.random.laplace(key, real.shape, real.dtype)
        return _from_real(real + self.sigma / 2**0.5 * noise, mean)

    def log_prob(self, y: Measurement, mean: Measurement) -> Scalar:
        """−Σ |y − mean|/b − n log 2b."""
        b = self.sigma / 2**0.5
        return -jnp.sum(jnp.abs(_as_real(y) - _as_real(mean)) / b + jnp.log(2 * b))

    def std(self, mean: Measurement) -> float | Scalar:
        """σ."""
        return self.sigma


class StudentNoise(Noise):
    """y = mean + s e with e of Student's t law: tails of power −(ν + 1), so that outliers weigh little.

    Args:
        scale: s > 0, in units of [-1, 1]; of each part of a complex number. The middle of the law is like a
            Gaussian's of that deviation.
        freedom: degrees of freedom ν > 0; 1 is Cauchy's law, ∞ Gauss's.

    Raises:
        ValueError: unless both are positive.
    """

    scale: float | Scalar
    freedom: float | Scalar = 3.0

    def __check_init__(self):
        expect.positive("scale", self.scale)
        expect.positive("freedom", self.freedom)

    def sample(self, key: Key, mean: Measurement) -> Measurement:
        """mean + s e."""
        real = _as_real(mean)
        freedom = jnp.asarray(self.freedom, real.dtype)
        noise = jax.random.t(key, freedom, real.shape, real.dtype)
        return _from_real(real + self.scale * noise, mean)

    def log_prob(self, y: Measurement, mean: Measurement) -> Scalar:
        """−½(ν + 1) Σ log(1 + (y − mean)²/(ν s²)) + a constant."""
        z = (_as_real(y) - _as_real(mean)) / self.scale
        return jnp.sum(jax.scipy.stats.t.logpdf(z, self.freedom) - jnp.log(self.scale))

    def std(self, mean: Measurement) -> Scalar:
        """s √(ν/(ν − 2)), infinite for ν ≤ 2."""
        excess = jnp.maximum(jnp.asarray(self.freedom, float) - 2, 0)
        return self.scale * jnp.sqrt(1 + 2 / excess)


def _as_real(z: Measurement) -> Measurement:
    """The real and imaginary parts side by side; a real array as it is."""
    return jnp.stack([z.real, z.imag]) if jnp.iscomplexobj(z) else z


def _from_real(parts: Measurement, like: Measurement) -> Measurement:
    return jax.lax.complex(parts[0], parts[1]) if jnp.iscomplexobj(like) else parts
