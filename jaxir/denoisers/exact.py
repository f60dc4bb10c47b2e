"""Denoisers that are exactly right: the prior is a Gaussian or a mixture of Gaussians.

They turn every claim about a sampler into arithmetic. With z = x − b y = a x0 + σ ε the conditional mean is linear for
a Gaussian and a softmax of linear maps for a mixture.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxir.denoisers.denoiser import Denoiser, Estimate
from jaxir.processes import Process
from jaxir.typing import Image, Scalar


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

    def estimate(self, x: Image, t: Scalar, y: Array | None = None) -> Estimate:
        """The linear conditional mean."""
        a, _, sigma = self.process.coefficients(t)
        gain = a * self.variances / (a**2 * self.variances + sigma**2)
        with jax.default_matmul_precision("highest"):
            z = self.basis.T @ (x - self.process.centre(t, y) - a * self.mean).ravel()
            return Estimate(self.mean + (self.basis @ (gain * z)).reshape(x.shape))


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

    def estimate(self, x: Image, t: Scalar, y: Array | None = None) -> Estimate:
        """The conditional mean of the mixture."""
        a, _, sigma = self.process.coefficients(t)
        total = a**2 * self.variance + sigma**2
        residual = x - self.process.centre(t, y) - a * self.means
        square = jnp.sum(residual**2, axis=tuple(range(1, residual.ndim)))
        q = jax.nn.softmax(jnp.log(self.weights) - 0.5 * square / total)
        components = self.means + (a * self.variance / total) * residual
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
