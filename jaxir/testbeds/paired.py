"""A clean and a degraded image that are jointly Gaussian: the world in which a paired restorer is exact.

    (x0, y) ~ N,    x0 | y ~ N(m + K (y − m_y), P),    K = C_xy C_yy⁻¹,    P = C − K C_yx

Nothing more is needed for E[x0 | x_t, y] on every process. E[x0 | x_t] is another matter: on a process that moves
towards y the state tells of y, so that it is not the prior's, and both are here.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxir.degradations import Degradation
from jaxir.degradations.noise import Noise
from jaxir.degradations.operator import Operator
from jaxir.denoisers import (
    BlindGaussianDenoiser,
    GaussianDenoiser,
    PairedGaussianDenoiser,
    gaussian_denoiser,
)
from jaxir.processes import Process
from jaxir.testbeds.testbed import Testbed
from jaxir.typing import Image, Images, Key, Measurement, Scalar


class GaussianLaw(NamedTuple):
    """N(mean, covariance), the covariance on the flattened image."""

    mean: Image
    covariance: Float[Array, "d d"]

    @property
    def std(self) -> Image:
        """The root of the diagonal."""
        return jnp.sqrt(jnp.diagonal(self.covariance)).reshape(self.mean.shape)

    def sample(self, key: Key, count: int) -> Images:
        """`count` draws, by an eigendecomposition: the covariance may be singular."""
        flat = jax.random.multivariate_normal(
            key, self.mean.ravel(), self.covariance, (count,), method="eigh"
        )
        return flat.reshape(count, *self.mean.shape)


class Regression(Operator):
    """x ↦ E[y | x] = m_y + B (x − m)."""

    mean: Image
    mean_y: Measurement
    slope: Float[Array, "m d"]

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the clean image."""
        return self.mean.shape

    def apply(self, x: Image) -> Measurement:
        """m_y + B (x − m)."""
        shift = jnp.matmul(self.slope, (x - self.mean).ravel(), precision="highest")
        return self.mean_y + shift.reshape(self.mean_y.shape)


class CorrelatedNoise(Noise):
    """y = mean + n with n ~ N(0, R), R positive definite on the flattened measurement."""

    covariance: Float[Array, "m m"]

    def sample(self, key: Key, mean: Measurement) -> Measurement:
        """One draw."""
        return GaussianLaw(mean, self.covariance).sample(key, 1)[0]

    def log_prob(self, y: Measurement, mean: Measurement) -> Scalar:
        """The Gaussian log density."""
        law = (mean.ravel(), self.covariance)
        return jnp.asarray(jax.scipy.stats.multivariate_normal.logpdf(y.ravel(), *law))

    def std(self, mean: Measurement) -> Float[Array, ...]:
        """The root of the diagonal."""
        return jnp.sqrt(jnp.diagonal(self.covariance)).reshape(mean.shape)


class PairedGaussian(Testbed):
    """Any jointly Gaussian pair of images, small enough for dense algebra.

    Args:
        mean: m, of the clean image.
        mean_y: m_y, of any shape.
        covariance: C, on the flattened clean image, positive definite.
        cross: C_xy.
        covariance_y: C_yy, positive definite.

    Raises:
        ValueError: if the matrices do not fit the means.
    """

    mean: Image
    mean_y: Measurement
    covariance: Float[Array, "d d"]
    cross: Float[Array, "d m"]
    covariance_y: Float[Array, "m m"]

    def __check_init__(self) -> None:
        d, m = self.mean.size, self.mean_y.size
        for name, shape in (("covariance", (d, d)), ("cross", (d, m)), ("covariance_y", (m, m))):
            if getattr(self, name).shape != shape:
                raise ValueError(
                    f"{name} has shape {getattr(self, name).shape}, expected {shape} for a mean of {d} entries "
                    f"and a mean_y of {m}"
                )

    @property
    def degradation(self) -> Degradation:
        """y = m_y + B (x0 − m) + n with B = C_yx C⁻¹ and n ~ N(0, C_yy − B C_xy)."""
        slope = jnp.linalg.solve(self.covariance, self.cross).T
        with jax.default_matmul_precision("highest"):
            noise = self.covariance_y - slope @ self.cross
        return Degradation(
            Regression(self.mean, self.mean_y, slope), CorrelatedNoise((noise + noise.T) / 2)
        )

    @property
    def prior(self) -> GaussianLaw:
        """N(m, C)."""
        return GaussianLaw(self.mean, self.covariance)

    @property
    def gain(self) -> Float[Array, "d m"]:
        """K = C_xy C_yy⁻¹."""
        return jnp.linalg.solve(self.covariance_y, self.cross.T).T

    def posterior(self, y: Measurement) -> GaussianLaw:
        """N(m + K (y − m_y), C − K C_yx)."""
        with jax.default_matmul_precision("highest"):
            shift = self.gain @ (y - self.mean_y).ravel()
            covariance = self.covariance - self.gain @ self.cross.T
        return GaussianLaw(self.mean + shift.reshape(self.mean.shape), covariance)

    def given(self, z: Image, a: Scalar, sigma: Scalar) -> PairedGaussian:
        """Both means move by the regression on z, and C ← C − a² C S⁻¹ C with S = a² C + σ² I, and so on."""
        # where a and σ are both 0 z says nothing, as noise alone would
        sigma = jnp.where((a == 0) & (sigma == 0), 1, sigma)
        system = a**2 * self.covariance + sigma**2 * jnp.eye(self.mean.size)
        innovation = (z - a * self.mean).ravel()
        with jax.default_matmul_precision("highest"):
            left = jnp.linalg.solve(system, self.covariance)  # S⁻¹ C, commutes
            across = jnp.linalg.solve(system, self.cross)
            return PairedGaussian(
                self.mean + a * (left.T @ innovation).reshape(self.mean.shape),
                self.mean_y + a * (across.T @ innovation).reshape(self.mean_y.shape),
                sigma**2 * left,
                sigma**2 * across,
                self.covariance_y - a**2 * self.cross.T @ across,
            )

    def denoiser(self, process: Process) -> GaussianDenoiser | BlindGaussianDenoiser:
        """E[x0 | x_t]; on a coupled process `process.image` is to be affine."""
        if not process.coupled:
            return gaussian_denoiser(process, self.mean, self.covariance)
        zero = process.image(jnp.zeros_like(self.mean_y))
        basis = jnp.eye(self.mean_y.size).reshape(-1, *self.mean_y.shape)
        lift = jnp.reshape(jax.vmap(process.image)(basis) - zero, (self.mean_y.size, -1))
        with jax.default_matmul_precision("highest"):
            return BlindGaussianDenoiser(
                process,
                self.mean,
                process.image(self.mean_y),
                self.covariance,
                self.cross @ lift,
                lift.T @ self.covariance_y @ lift,
            )

    def conditional(self, process: Process) -> PairedGaussianDenoiser:
        """E[x0 | x_t, y], with everything decomposed once."""
        _, covariance = self.posterior(self.mean_y)
        exact = gaussian_denoiser(process, self.mean, covariance)
        return PairedGaussianDenoiser(
            process, self.mean, self.mean_y, self.gain, exact.basis, exact.variances
        )
