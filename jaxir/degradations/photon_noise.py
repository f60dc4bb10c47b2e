"""Noise that grows with the light: counted photons, their electronics, and the speckle of coherent light.

They act on the intensity u = (mean + 1)/2 in [0, 1]. Black gives no photon, and then every density is
singular; a sensor's black is not, and here the intensity is at least DARK, in the draw and in the density alike.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax.scipy.special import gammaln

from jaxir import expect
from jaxir.degradations.noise import Noise
from jaxir.gaussian import Gaussian
from jaxir.typing import Image, Key, Scalar

DARK = 1e-3
"""The least intensity, of [0, 1]: a quarter of a grey level of 8 bits."""


def intensity(mean: Image) -> Image:
    """u = (mean + 1)/2, at least DARK; below it the derivative is 0."""
    return jnp.maximum((mean + 1) / 2, DARK)


class PoissonNoise(Noise):
    """y = 2 k/peak − 1 with k ~ Poisson(peak · u), counted photons.

    Args:
        peak: the mean count of a white pixel, > 0; the deviation there is 2/√peak of [-1, 1].

    Raises:
        ValueError: unless it is positive.
    """

    peak: float | Scalar

    def __check_init__(self):
        expect.positive("peak", self.peak)

    def sample(self, key: Key, mean: Image) -> Image:
        """Count, and scale to [-1, 1]; more than white is possible."""
        counts = jax.random.poisson(key, self.peak * intensity(mean)).astype(mean.dtype)
        return 2 * counts / self.peak - 1

    def log_prob(self, y: Image, mean: Image) -> Scalar:
        """Σ k log λ − λ − log k!, the probability of the counts k = peak (y + 1)/2, with λ = peak · u.

        A `y` between two counts (from a file of 8 bits) is taken at its k, a negative one at 0.
        """
        counts = jnp.maximum(self.peak * (y + 1) / 2, 0)
        rate = self.peak * intensity(mean)
        return jnp.sum(counts * jnp.log(rate) - rate - gammaln(counts + 1))

    def std(self, mean: Image) -> Image:
        """2 √(u/peak)."""
        return 2 * jnp.sqrt(intensity(mean) / self.peak)


class PoissonGaussianNoise(Noise):
    """y = 2 k/peak − 1 + σ z with k ~ Poisson(peak · u): shot noise and read noise of a camera.

    In the (a, b) of the literature, whose variance is a u + b for images in [0, 1]: a = 1/peak, b = σ²/4.

    Args:
        peak: the mean count of a white pixel, > 0.
        sigma: read noise σ ≥ 0, in units of [-1, 1].

    Raises:
        ValueError: if `peak` is not positive or `sigma` negative.

    Source: [foi2008poisson] Eq. 3, and its heteroskedastic normal approximation for the density.
    """

    peak: float | Scalar
    sigma: float | Scalar

    def __check_init__(self):
        expect.positive("peak", self.peak)
        if expect.known(self.sigma) and not self.sigma >= 0:
            raise ValueError(f"sigma is {self.sigma}, expected 0 or more in units of [-1, 1]")

    def sample(self, key: Key, mean: Image) -> Image:
        """Count, scale, and add the read noise."""
        counting, reading = jax.random.split(key)
        counted = PoissonNoise(self.peak).sample(counting, mean)
        return Gaussian(counted, self.sigma).sample(reading)

    def log_prob(self, y: Image, mean: Image) -> Scalar:
        """That of N(2u − 1, 4u/peak + σ²), with the moments of the law but not its lattice of counts."""
        return Gaussian(2 * intensity(mean) - 1, self.std(mean)).log_prob(y)

    def std(self, mean: Image) -> Image:
        """√(4u/peak + σ²)."""
        return jnp.sqrt(4 * intensity(mean) / self.peak + jnp.asarray(self.sigma) ** 2)


class SpeckleNoise(Noise):
    """(y + 1)/2 = u g with g ~ Gamma of mean 1 and deviation s: the multiplicative noise of radar and ultrasound.

    An intensity of L looks has s = 1/√L.

    Args:
        strength: s > 0, the relative deviation; 1 is fully developed speckle.

    Raises:
        ValueError: unless it is positive.

    Source: [goodman1976speckle].
    """

    strength: float | Scalar

    def __check_init__(self):
        expect.positive("strength", self.strength)

    def sample(self, key: Key, mean: Image) -> Image:
        """Multiply the intensity."""
        looks = jnp.asarray(self.strength, mean.dtype) ** -2
        gain = jax.random.gamma(key, looks, mean.shape, mean.dtype) / looks
        return 2 * intensity(mean) * gain - 1

    def log_prob(self, y: Image, mean: Image) -> Scalar:
        """Σ L log(L/u) + (L − 1) log v − L v/u − log Γ(L) − log 2, v = (y + 1)/2 > 0 and L = 1/s².

        A `y` of -1 or less, which has no density, is taken as DARK.
        """
        looks = jnp.asarray(self.strength) ** -2
        u, v = intensity(mean), intensity(y)
        shape = looks * jnp.log(looks / u) + (looks - 1) * jnp.log(v)
        return jnp.sum(shape - looks * v / u - gammaln(looks) - jnp.log(2.0))

    def std(self, mean: Image) -> Image:
        """2 s u."""
        return 2 * self.strength * intensity(mean)
