"""Denoisers that are exactly right: the prior is a Gaussian or a mixture of Gaussians.

They turn every claim about a sampler into arithmetic. With z = x − b y = a x0 + σ ε the conditional mean is linear for
a Gaussian and a softmax of linear maps for a mixture. Where x0 and y are jointly Gaussian there are two of them: one
that sees y, which is that of the Gaussian x0 | y, and one that has x_t alone, in which b y is part of the noise.

Bayes' rule for z is here once, as `gaussian_given` and `mixture_given`, and right at both ends of every process: at
the pinned end of a bridge a = σ = 0 and z says nothing, where σ = 0 < a it says everything.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxir.denoisers.denoiser import Denoiser, Estimate
from jaxir.processes import Process
from jaxir.typing import Image, Measurement, Scalar


def gaussian_given(
    variance: float | Array, a: float | Scalar, sigma: float | Scalar
) -> tuple[Array, Array]:
    """What z = a x0 + σ ε says of x0 ~ N(m, v): E[x0 | z] = m + a v/(a² v + σ²) (z − a m), with v σ²/(a² v + σ²) left.

    Args:
        variance: v ≥ 0, a number or one for each direction.
        a: ≥ 0.
        sigma: σ ≥ 0; where a² v + σ² is 0 nothing is learnt.

    Returns:
        The gain on z − a m, and the variance that is left.

    Source: [wiener1949].
    """
    total = a**2 * variance + sigma**2
    told = total > 0
    total = jnp.where(told, total, 1)
    gain = jnp.where(told, a * variance / total, 0)
    return gain, jnp.where(told, variance * sigma**2 / total, variance)


def mixture_given(
    log_weights: Float[Array, " k"],
    means: Float[Array, "k h w c"],
    variance: float | Scalar,
    z: Image,
    a: float | Scalar,
    sigma: float | Scalar,
) -> tuple[Float[Array, " k"], Float[Array, "k h w c"], Scalar]:
    """What x0 ~ Σ w_k N(m_k, v I) becomes when z = a x0 + σ ε has been seen: such a mixture again.

        w_k ← w_k N(z; a m_k, (a² v + σ²) I),    m_k ← E[x0 | z, k],    v ← v σ²/(a² v + σ²)

    Where a² v + σ² is 0 only the nearest a m_k are left, all of them where a is 0.

    Args:
        log_weights: log w_k, up to a constant.
        means: m_k.
        variance: v ≥ 0.
        z: what was seen.
        a: ≥ 0.
        sigma: σ ≥ 0.

    Returns:
        The weights, means and variance that are left; weights as they came, up to a constant.
    """
    gain, left = gaussian_given(variance, a, sigma)
    residual = z - a * means
    square = jnp.sum(residual**2, axis=tuple(range(1, residual.ndim)))
    gap = square - jax.lax.stop_gradient(jnp.min(square))
    total = a**2 * variance + sigma**2
    told = total > 0
    misfit = jnp.where(told, gap / jnp.where(told, total, 1), jnp.where(gap > 0, jnp.inf, 0))
    return log_weights - 0.5 * misfit, means + gain * residual, left


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
        gain, _ = gaussian_given(self.variances, a, sigma)
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
        gain, _ = gaussian_given(self.power, a, sigma)
        z = x - self.process.centre(t, y) - a * self.mean
        return Estimate(self.mean + spectral_filter(gain, z))


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
        z = x - self.process.centre(t, y)
        log_weights, means, _ = mixture_given(
            jnp.log(self.weights), self.means, self.variance, z, a, sigma
        )
        return Estimate(
            jnp.tensordot(jax.nn.softmax(log_weights), means, axes=1, precision="highest")
        )


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
