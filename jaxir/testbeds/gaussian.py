"""A problem whose posterior is known: a Gaussian prior, a linear degradation, Gaussian noise.

x0 ~ N(m, C), y = A x0 + σ_y n, so that x0 | y ~ N(μ, P) with

    μ = m + K (y − A m),    P = C − K A C,    K = C Aᵀ (A C Aᵀ + σ_y² I)⁻¹

The prior's denoiser is exact as well: whatever a method gets wrong here is its own. It is a `PairedGaussian` that keeps
its operator, so that guidance runs on it, and whatever does not need the operator is that one's.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.stats import norm
from jaxtyping import Array, Float

from jaxir.degradations import Degradation
from jaxir.denoisers import BlindGaussianDenoiser, GaussianDenoiser, PairedGaussianDenoiser
from jaxir.processes import Process
from jaxir.testbeds.paired import GaussianLaw, PairedGaussian
from jaxir.testbeds.testbed import Testbed
from jaxir.typing import Image, Images, Measurement, Scalar


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


class LinearGaussian(Testbed):
    """The problem (m, C, A, σ_y), small enough for dense algebra.

    Args:
        mean: m, an image of d entries.
        covariance: C, positive definite, on the flattened image.
        degradation: linear with Gaussian noise.
    """

    mean: Image
    covariance: Float[Array, "d d"]
    degradation: Degradation

    @property
    def pair(self) -> PairedGaussian:
        """(x0, y) as a jointly Gaussian pair: C_xy = C Aᵀ, C_yy = A C Aᵀ + σ_y² I."""
        operator, sigma = self.degradation.operator, self.degradation.noise.sigma
        basis = jnp.eye(self.mean.size).reshape(-1, *self.mean.shape)
        matrix = jax.vmap(lambda e: operator(e).ravel())(basis).T
        with jax.default_matmul_precision("highest"):
            cross = self.covariance @ matrix.T
            covariance_y = matrix @ cross + sigma**2 * jnp.eye(len(matrix))
        return PairedGaussian(self.mean, operator(self.mean), self.covariance, cross, covariance_y)

    @property
    def prior(self) -> GaussianLaw:
        """N(m, C)."""
        return GaussianLaw(self.mean, self.covariance)

    def posterior(self, y: Measurement) -> GaussianLaw:
        """N(μ, P)."""
        return self.pair.posterior(y)

    def given(self, z: Image, a: Scalar, sigma: Scalar) -> LinearGaussian:
        """m ← m + a C S⁻¹ (z − a m) and C ← σ² S⁻¹ C with S = a² C + σ² I."""
        left = self.pair.given(z, a, sigma)
        return LinearGaussian(left.mean, left.covariance, self.degradation)

    def denoiser(self, process: Process) -> GaussianDenoiser | BlindGaussianDenoiser:
        """E[x0 | x_t] on any process."""
        return self.pair.denoiser(process)

    def conditional(self, process: Process) -> PairedGaussianDenoiser:
        """E[x0 | x_t, y] on any process."""
        return self.pair.conditional(process)

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
