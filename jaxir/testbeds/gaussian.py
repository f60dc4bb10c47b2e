"""A problem whose posterior is known: a Gaussian prior, a linear degradation, Gaussian noise.

x0 ~ N(m, C), y = A x0 + σ_y n, so that x0 | y ~ N(μ, P) with

    μ = m + K (y − A m),    P = C − K A C,    K = C Aᵀ (A C Aᵀ + σ_y² I)⁻¹

The prior's denoiser is exact as well: whatever a method gets wrong here is its own.
"""

from __future__ import annotations

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.scipy.stats import norm
from jaxtyping import Array, Float

from jaxir.degradations import Degradation
from jaxir.denoisers import GaussianDenoiser, gaussian_denoiser
from jaxir.processes import Process
from jaxir.typing import Image, Images, Key, Measurement


class Calibration(NamedTuple):
    """How samples compare with the exact posterior.

    Attributes:
        mean_error: root mean square over pixels of (sample mean − μ)/√P_ii; n exact draws give 1/√n.
        std_ratio: mean over pixels of (sample deviation)/√P_ii; 1 is right, less is over-confident.
        coverage: posterior probability of the samples' 5 % to 95 % interval, mean over pixels; 0.9 is right
            (from 19 samples on: fewer have no such quantiles).
    """

    mean_error: float
    std_ratio: float
    coverage: float


class LinearGaussian(eqx.Module):
    """The problem (m, C, A, σ_y), small enough for dense algebra.

    Args:
        mean: m, an image of d entries.
        covariance: C, positive definite, on the flattened image.
        degradation: linear with Gaussian noise.
    """

    mean: Image
    covariance: Float[Array, "d d"]
    degradation: Degradation

    def denoiser(self, process: Process) -> GaussianDenoiser:
        """The exact E[x0 | x_t] on a process."""
        return gaussian_denoiser(process, self.mean, self.covariance)

    def draw(self, key: Key) -> tuple[Image, Measurement]:
        """A clean image and its measurement."""
        prior, noise = jax.random.split(key)
        flat = jax.random.multivariate_normal(prior, self.mean.ravel(), self.covariance)
        x0 = flat.reshape(self.mean.shape)
        return x0, self.degradation.sample(noise, x0)

    def posterior(self, y: Measurement) -> tuple[Image, Float[Array, "d d"]]:
        """μ and P."""
        operator, sigma = self.degradation.operator, self.degradation.noise.sigma
        basis = jnp.eye(self.mean.size).reshape(-1, *self.mean.shape)
        matrix = jax.vmap(lambda e: operator(e).ravel())(basis).T
        cross = self.covariance @ matrix.T
        system = matrix @ cross + sigma**2 * jnp.eye(len(matrix))
        gain = jnp.linalg.solve(system, cross.T).T
        mean = self.mean.ravel() + gain @ (y - operator(self.mean)).ravel()
        return mean.reshape(self.mean.shape), self.covariance - gain @ cross.T

    def calibration(self, images: Images, y: Measurement) -> Calibration:
        """Compare samples with the exact posterior, pixel by pixel and without further randomness."""
        mean, covariance = self.posterior(y)
        std = jnp.sqrt(jnp.diagonal(covariance)).reshape(mean.shape)
        error = (jnp.mean(images, axis=0) - mean) / std
        # the interpolated q quantile of n draws covers (q (n − 1) + 1)/(n + 1) on average: ask for the one of q
        n = len(images)
        q = jnp.clip((jnp.array([0.05, 0.95]) * (n + 1) - 1) / (n - 1), 0, 1)
        low, high = jnp.quantile(images, q, axis=0)
        coverage = norm.cdf((high - mean) / std) - norm.cdf((low - mean) / std)
        return Calibration(
            float(jnp.sqrt(jnp.mean(error**2))),
            float(jnp.mean(jnp.std(images, axis=0, ddof=1) / std)),
            float(jnp.mean(coverage)),
        )


def stationary_covariance(side: int, *, scale: float = 3.0) -> Float[Array, "d d"]:
    """The covariance of a periodic random field of unit pixel variance with spectrum (1 + |k|²/scale²)⁻².

    Args:
        side: pixels on a side; the matrix is side² × side².
        scale: frequency, in cycles a side, below which the spectrum is flat; 3 looks like a soft photograph.
    """
    k = jnp.fft.fftfreq(side) * side
    power = (1 + (k[:, None] ** 2 + k[None, :] ** 2) / scale**2) ** -2
    correlation = jnp.fft.ifft2(power / jnp.mean(power)).real
    rows = jnp.arange(side)
    shift = (rows[:, None] - rows[None, :]) % side
    return correlation[shift[:, None, :, None], shift[None, :, None, :]].reshape(side**2, side**2)
