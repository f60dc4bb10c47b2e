"""A mixture of Gaussians seen through a linear operator: many modes, and still everything in closed form.

    x0 ~ Σ w_k N(m_k, v I),    x0 | y ~ Σ w_k' N(m_k + v Aᵀ S⁻¹ (y − A m_k), v I − v² Aᵀ S⁻¹ A),    S = v A Aᵀ + σ_y² I
    w_k' ∝ w_k N(y; A m_k, S)

By the push-through identity v Aᵀ S⁻¹ = (AᵀA + ρ)⁻¹ Aᵀ with ρ = σ_y²/v, so an operator's own `solve` is all the algebra;
draws are Matheron's, x + v Aᵀ S⁻¹ (y − A x − σ_y ξ) with x of the prior, and nothing of size d × d is factorised.
"""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxir import expect
from jaxir.degradations import Degradation, GaussianNoise, Linear
from jaxir.denoisers import MixtureDenoiser
from jaxir.denoisers.exact import mixture_given
from jaxir.processes import Process
from jaxir.testbeds.low_rank import LowRank
from jaxir.testbeds.testbed import Testbed, expect_uncoupled
from jaxir.typing import Image, Images, Key, Measurement, Scalar

DENSE = 1024
"""The largest number of entries of an image for which a covariance is written down."""


class MixtureLaw(eqx.Module):
    """Σ w_k N(m_k, Λ⁻¹), Λ = I/v, or I/v + AᵀA/σ_y² where a measurement was seen.

    Args:
        log_weights: log w_k, up to a constant.
        means: m_k, (K, H, W, C).
        variance: v.
        degradation: what was seen through; None before a measurement.
    """

    log_weights: Float[Array, " k"]
    means: Images
    variance: float | Scalar
    degradation: Degradation | None = None

    @property
    def weights(self) -> Float[Array, " k"]:
        """w_k."""
        return jax.nn.softmax(self.log_weights)

    @property
    def mean(self) -> Image:
        """Σ w_k m_k."""
        return jnp.tensordot(self.weights, self.means, 1, precision="highest")

    @property
    def std(self) -> Image:
        """The deviation of each pixel; it needs the covariance."""
        return jnp.sqrt(jnp.diagonal(self._dense())).reshape(self.mean.shape)

    @property
    def covariance(self) -> Float[Array, "d d"] | None:
        """Λ⁻¹ + Cov_w(m); None beyond `DENSE` entries."""
        return self._dense() if self.mean.size <= DENSE else None

    def _dense(self) -> Float[Array, "d d"]:
        shape, size = self.mean.shape, self.mean.size
        within = jax.vmap(self._within)(jnp.eye(size).reshape(size, *shape)).reshape(size, size)
        spread = (self.means - self.mean).reshape(len(self.means), size)
        with jax.default_matmul_precision("highest"):
            return within + (self.weights * spread.T) @ spread

    def _within(self, u: Image) -> Image:
        """Λ⁻¹ u."""
        if self.degradation is None:
            return self.variance * u
        return self.degradation.noise.sigma**2 * _solve(self.degradation, u, self.variance)

    def responsibilities(self, x: Image) -> Float[Array, " k"]:
        """The probability of each component at `x`; over exact draws their mean is w_k."""
        log_weights, _, _ = mixture_given(self.log_weights, self.means, self.variance, x, 1.0, 0.0)
        if self.degradation is not None:
            seen = (
                jax.vmap(self.degradation.operator)(x - self.means) / self.degradation.noise.sigma
            )
            log_weights = log_weights - 0.5 * jnp.sum(seen.reshape(len(seen), -1) ** 2, axis=1)
        return jax.nn.softmax(log_weights)

    def sample(self, key: Key, count: int) -> Images:
        """`count` draws: a component, then its Gaussian by Matheron's rule."""

        def one(key: Key) -> Image:
            which, prior, noise = jax.random.split(key, 3)
            k = jax.random.categorical(which, self.log_weights)
            x = jnp.sqrt(self.variance) * jax.random.normal(prior, self.means.shape[1:])
            if self.degradation is not None:
                rest = self.degradation.operator.adjoint(self.degradation.sample(noise, x))
                x = x - _solve(self.degradation, rest, self.variance)
            return self.means[k] + x

        return jax.vmap(one)(jax.random.split(key, count))


class GaussianMixture(Testbed):
    """The problem (w_k, m_k, v, A, σ_y).

    Args:
        log_weights: log w_k, up to a constant.
        means: m_k, (K, H, W, C).
        degradation: linear with Gaussian noise of σ_y > 0.
        variance: v ≥ 0, of each component; 0 is left when x0 itself has been seen.

    Raises:
        ValueError: if there is not one weight for each component, or the variance is negative.
        TypeError: if the operator is not linear or the noise not Gaussian.
    """

    log_weights: Float[Array, " k"]
    means: Images
    degradation: Degradation
    variance: float | Scalar = 1.0

    def __check_init__(self) -> None:
        if self.log_weights.shape != self.means.shape[:1]:
            raise ValueError(
                f"log_weights has shape {self.log_weights.shape} but there are {len(self.means)} means: "
                "give one weight for each component"
            )
        if expect.known(self.variance) and not self.variance >= 0:
            raise ValueError(f"variance is {self.variance}, expected 0 or more")
        if not isinstance(self.degradation.operator, Linear):
            raise TypeError(
                f"the operator is {type(self.degradation.operator).__name__}, expected a linear one"
            )
        if not isinstance(self.degradation.noise, GaussianNoise):
            raise TypeError(
                f"the noise is {type(self.degradation.noise).__name__}, expected GaussianNoise"
            )

    @property
    def prior(self) -> MixtureLaw:
        """Σ w_k N(m_k, v I)."""
        return MixtureLaw(self.log_weights, self.means, self.variance)

    def posterior(self, y: Measurement) -> MixtureLaw:
        """Means move by u = v Aᵀ S⁻¹ r, r = y − A m_k, and rᵀ S⁻¹ r = |r − A u|²/σ_y² + |u|²/v, a sum of squares."""
        operator, noise = self.degradation.operator, self.degradation.noise.sigma**2

        def component(mean: Image) -> tuple[Scalar, Image]:
            r = y - operator(mean)
            shift = _solve(self.degradation, operator.adjoint(r), self.variance)
            misfit = jnp.sum(jnp.abs(r - operator(shift)) ** 2) / noise
            moved = jnp.sum(shift**2) / jnp.where(self.variance > 0, self.variance, 1)
            return -0.5 * (misfit + moved), mean + shift

        likelihood, means = jax.vmap(component)(self.means)
        return MixtureLaw(self.log_weights + likelihood, means, self.variance, self.degradation)

    def given(self, z: Image, a: Scalar, sigma: Scalar) -> GaussianMixture:
        """w_k ← w_k N(z; a m_k, (a² v + σ²) I), m_k ← m_k + a v/(a² v + σ²) (z − a m_k), v ← v σ²/(a² v + σ²)."""
        log_weights, means, variance = mixture_given(
            self.log_weights, self.means, self.variance, z, a, sigma
        )
        return GaussianMixture(log_weights, means, self.degradation, variance)

    def denoiser(self, process: Process) -> MixtureDenoiser:
        """E[x0 | x_t].

        Raises:
            ValueError: on a process that moves towards y.
        """
        expect_uncoupled(self, process)
        return MixtureDenoiser(process, self.prior.weights, self.means, self.variance)


def _solve(degradation: Degradation, u: Image, variance: float | Scalar) -> Image:
    """(AᵀA + σ_y²/v)⁻¹ u, and its limit 0 where v is."""
    some = variance > 0
    rho = degradation.noise.sigma**2 / jnp.where(some, variance, 1)
    return jnp.where(some, degradation.operator.solve(u, rho), 0)


def mcgdiff_problem(key: Key, dimension: int = 8, observed: int = 2) -> GaussianMixture:
    """One problem of the benchmark of MCGDiff: 25 unit Gaussians at (8i, 8j, 8i, 8j, ...), i, j = −2..2.

    The weights are normalised squares of normal draws, A = U diag(s) Vᵀ has the singular vectors of a Gaussian matrix
    and s ~ U(0, 1), and σ_y ~ U(0, 1) max s. Images have the shape (1, 1, d). Where σ_y is below 1e-3 use float64: the
    posterior divides rounding by σ_y².

    Args:
        key: draws the weights, A and σ_y; the paper has 20 problems for each size.
        dimension: d, even; 8, 80 and 800 in the paper.
        observed: d_y, 1, 2 and 4 in the paper.

    Raises:
        ValueError: if the sizes do not fit.

    Source: [cardoso2024mcgdiff].
    """
    if dimension < 2 or dimension % 2 or not 1 <= observed <= dimension:
        raise ValueError(
            f"dimension is {dimension} and observed {observed}, expected an even dimension and "
            "1 <= observed <= dimension"
        )
    weights, matrix, values, level = jax.random.split(key, 4)
    i, j = (8.0 * axis.ravel() for axis in jnp.meshgrid(jnp.arange(-2, 3), jnp.arange(-2, 3)))
    means = jnp.tile(jnp.stack([i, j], axis=1), (1, dimension // 2))
    u, _, vt = jnp.linalg.svd(jax.random.normal(matrix, (observed, dimension)), full_matrices=False)
    s = jnp.sort(jax.random.uniform(values, (observed,)))[::-1]
    sigma = jax.random.uniform(level) * jnp.max(s)
    operator = LowRank(u, s, vt.T, (1, 1, dimension))
    log_weights = jnp.log(jax.random.normal(weights, (25,)) ** 2)
    return GaussianMixture(
        jax.nn.log_softmax(log_weights),
        means.reshape(25, 1, 1, dimension),
        Degradation(operator, GaussianNoise(sigma)),
    )
