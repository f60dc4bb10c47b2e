"""Denoisers that are exactly right: the prior is a Gaussian or a mixture of Gaussians.

They turn every claim about a sampler into arithmetic. With z = x − b y = a x0 + σ ε the conditional mean is linear for
a Gaussian and a softmax of linear maps for a mixture. Where x0 and y are jointly Gaussian there are two of them: one
that sees y, which is that of the Gaussian x0 | y, and one that has x_t alone, in which b y is part of the noise.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxir.denoisers.denoiser import Denoiser, Estimate
from jaxir.processes import Process
from jaxir.typing import Image, Measurement, Scalar


class GaussianDenoiser(Denoiser):
    """x0 ~ N(m, U diag(p) Uᵀ): D = m + U diag(a p/(a² p + σ²)) Uᵀ (x − b y − a m).

    Args:
        process: any process.
        mean: m, with the shape of an image.
        basis: U, an orthogonal matrix acting on the flattened image.
        variances: p > 0, along the columns of U.

    Source: [efron2011tweedie]; the Wiener filter [wiener1949].
    """

    process: Process
    mean: Image
    basis: Float[Array, "d d"]
    variances: Float[Array, " d"]

    @property
    def sees_y(self) -> bool:
        """True: what is known of x0 does not change with y."""
        return True

    def estimate(self, x: Image, t: Scalar, y: Array | None = None) -> Estimate:
        """The linear conditional mean."""
        a, _, sigma = self.process.coefficients(t)
        gain = _over(a * self.variances, a**2 * self.variances + sigma**2)
        with jax.default_matmul_precision("highest"):
            z = self.basis.T @ (x - self.process.centre(t, y) - a * self.mean).ravel()
            return Estimate(self.mean + (self.basis @ (gain * z)).reshape(x.shape))


class PairedGaussianDenoiser(Denoiser):
    """E[x0 | x_t, y] of a jointly Gaussian pair: the Gaussian denoiser of x0 | y ~ N(m + K (y − m_y), P).

    Args:
        process: any process.
        mean: m, an image.
        mean_y: m_y, with the shape of a measurement.
        gain: K = C_xy C_yy⁻¹, from flattened measurements to flattened images.
        basis: U of P = U diag(p) Uᵀ.
        variances: p ≥ 0, along the columns of U.

    Source: [efron2011tweedie]; the Wiener filter [wiener1949].
    """

    process: Process
    mean: Image
    mean_y: Measurement
    gain: Float[Array, "d m"]
    basis: Float[Array, "d d"]
    variances: Float[Array, " d"]

    @property
    def sees_y(self) -> bool:
        """True."""
        return True

    def estimate(self, x: Image, t: Scalar, y: Measurement | None = None) -> Estimate:
        """The Gaussian denoiser, its mean moved by y."""
        shift = jnp.matmul(self.gain, (y - self.mean_y).ravel(), precision="highest")
        mean = self.mean + shift.reshape(x.shape)
        return GaussianDenoiser(self.process, mean, self.basis, self.variances).estimate(x, t, y)


class BlindGaussianDenoiser(Denoiser):
    """E[x0 | x_t] of a jointly Gaussian pair, on a process whose state holds b y while y itself is not seen:

        D = m + (a C + b C_xy) S⁻¹ (x − a m − b m_y),    S = a² C + b² C_yy + a b (C_xy + C_yx) + σ² I

    What a network learns that is trained without y as an input.

    Args:
        process: any process.
        mean: m, an image.
        mean_y: m_y, the mean of the image of y, `process.image(y)`.
        covariance: C of the flattened x0.
        cross: C_xy of x0 and the image of y.
        covariance_y: C_yy of the image of y.

    Source: [efron2011tweedie]; the Wiener filter [wiener1949].
    """

    process: Process
    mean: Image
    mean_y: Image
    covariance: Float[Array, "d d"]
    cross: Float[Array, "d d"]
    covariance_y: Float[Array, "d d"]

    def estimate(self, x: Image, t: Scalar, y: Measurement | None = None) -> Estimate:
        """The linear conditional mean; `y` is not looked at."""
        a, b, sigma = self.process.coefficients(t)
        both = a * b * (self.cross + self.cross.T)
        state = a**2 * self.covariance + b**2 * self.covariance_y + both
        state = state + sigma**2 * jnp.eye(len(state), dtype=state.dtype)
        with jax.default_matmul_precision("highest"):
            weights = jnp.linalg.solve(state, (x - a * self.mean - b * self.mean_y).ravel())
            shift = (a * self.covariance + b * self.cross) @ weights
        return Estimate(self.mean + shift.reshape(x.shape))


class SpectralGaussianDenoiser(Denoiser):
    """x0 ~ N(m, F⁻¹ diag(p) F), stationary on the torus: D = m + F⁻¹ [a p/(a² p + σ²)] F (x − b y − a m).

    Args:
        process: any process.
        mean: m, with the shape of an image.
        power: p ≥ 0, the variance of each coefficient of the unitary FFT; its mean is the variance of a pixel.

    Source: [wiener1949].
    """

    process: Process
    mean: Image
    power: Float[Array, "h w 1"]

    @property
    def sees_y(self) -> bool:
        """True: what is known of x0 does not change with y."""
        return True

    def estimate(self, x: Image, t: Scalar, y: Measurement | None = None) -> Estimate:
        """The linear conditional mean, by two FFTs."""
        a, _, sigma = self.process.coefficients(t)
        gain = _over(a * self.power, a**2 * self.power + sigma**2)
        z = x - self.process.centre(t, y) - a * self.mean
        return Estimate(self.mean + spectral_filter(gain, z))


def _over(numerator: Array, denominator: Array) -> Array:
    """The quotient, and 0 where the denominator is: at the pinned end of a bridge the state says nothing of x0."""
    return jnp.where(denominator > 0, numerator / jnp.where(denominator > 0, denominator, 1), 0)


def spectral_filter(factors: Float[Array, "h w 1"], x: Image) -> Image:
    """F⁻¹ diag(factors) F x for real factors that are even in frequency."""
    return jnp.fft.ifft2(factors * jnp.fft.fft2(x, axes=(0, 1)), axes=(0, 1)).real


class MixtureDenoiser(Denoiser):
    """x0 ~ Σ_k w_k N(m_k, v I): D = Σ_k q_k (m_k + a v/(a² v + σ²) (z − a m_k)), q_k ∝ w_k N(z; a m_k, (a² v + σ²) I).

    Args:
        process: any process.
        weights: w_k, positive, summing to 1.
        means: m_k, (K, H, W, C).
        variance: v ≥ 0, of each component; v = 0 is the denoiser of K stored images.

    Source: [efron2011tweedie].
    """

    process: Process
    weights: Float[Array, " k"]
    means: Float[Array, "k h w c"]
    variance: float = 1.0

    def __check_init__(self) -> None:
        if len(self.weights) != len(self.means):
            raise ValueError(
                f"weights has {len(self.weights)} entries but means has {len(self.means)}: "
                "give one weight for each component"
            )

    @property
    def sees_y(self) -> bool:
        """True: what is known of x0 does not change with y."""
        return True

    def estimate(self, x: Image, t: Scalar, y: Array | None = None) -> Estimate:
        """The conditional mean of the mixture."""
        a, _, sigma = self.process.coefficients(t)
        total = a**2 * self.variance + sigma**2
        residual = x - self.process.centre(t, y) - a * self.means
        square = jnp.sum(residual**2, axis=tuple(range(1, residual.ndim)))
        q = jax.nn.softmax(jnp.log(self.weights) - 0.5 * _over(square, total))
        components = self.means + _over(a * self.variance, total) * residual
        return Estimate(jnp.tensordot(q, components, axes=1, precision="highest"))


def gaussian_denoiser(
    process: Process, mean: Image, covariance: Float[Array, "d d"]
) -> GaussianDenoiser:
    """The exact denoiser of N(mean, covariance), by one eigendecomposition.

    Args:
        process: any process.
        mean: an image of d entries.
        covariance: positive semi-definite, on the flattened image.

    Raises:
        ValueError: if the covariance does not fit the mean.
    """
    if covariance.shape != (mean.size, mean.size):
        raise ValueError(
            f"covariance has shape {covariance.shape}, expected {(mean.size, mean.size)} "
            f"for a mean of shape {mean.shape}"
        )
    variances, basis = jnp.linalg.eigh(covariance)
    return GaussianDenoiser(process, mean, basis, jnp.maximum(variances, 0.0))
