"""The κ family: every published ancestral, DDIM-like or renoising step is a rule for one number.

κ is the correlation of the noise at s with the noise at t:

    x_s = a_s D + b_s y + σ_s (κ ε̂ + √(1 − κ²) ξ),        ξ ~ N(0, I)

With Δ = ℓ_t − ℓ_s < 0 it is computed as

    x_s = k x_t + (a_s − k a_t) D + (b_s − k b_t) y + τ ξ
    k = κ σ_s/σ_t,    a_s − k a_t = −a_s expm1(log κ + Δ),    τ = σ_s √(−expm1(2 log κ))

which never divides by σ_s, does not cancel when the step is small, and makes a rule a function that returns log κ.
For the true x0 in place of D the marginal of x_s is exact for every κ.
"""

from __future__ import annotations

import abc

import jax
import jax.numpy as jnp
from jaxtyping import Array, PyTree

from jaxir.denoisers import Denoiser, Estimate
from jaxir.gaussian import Gaussian
from jaxir.processes import Process
from jaxir.transitions.transition import Step, Transition
from jaxir.typing import Image, Scalar


class Correlated(Transition):
    """A transition of the κ family; a concrete one writes `log_kappa`."""

    @abc.abstractmethod
    def log_kappa(self, process: Process, t: Scalar, s: Scalar) -> Scalar:
        """log κ ≤ 0 of the step from t to s."""

    def noise(self, process: Process, t: Scalar, s: Scalar) -> Scalar:
        """The standard deviation τ of the fresh noise."""
        return process.coefficients(s).sigma * _fresh(self.log_kappa(process, t, s))

    def advance(
        self,
        process: Process,
        carry: PyTree,
        x: Image,
        estimate: Estimate,
        t: Scalar,
        s: Scalar,
        y: Array | None = None,
    ) -> tuple[Gaussian, PyTree]:
        """From an estimate that is known already: N(k x + (a_s − k a_t) D + (b_s − k b_t) y, τ²)."""
        log_kappa = self.log_kappa(process, t, s)
        now, then = process.coefficients(t), process.coefficients(s)
        k = jnp.exp(log_kappa) * then.sigma / now.sigma
        gain = -then.a * jnp.expm1(log_kappa + process.log_snr(t) - process.log_snr(s))
        shift = process.centre(s, y) - k * process.centre(t, y)
        return Gaussian(k * x + gain * estimate.x0_hat + shift, self.noise(process, t, s)), carry

    def step(
        self,
        denoiser: Denoiser,
        carry: PyTree,
        x: Image,
        t: Scalar,
        s: Scalar,
        y: Array | None = None,
    ) -> Step:
        """Evaluate the denoiser at (x, t) and advance to s."""
        estimate = denoiser.estimate(x, t, y)
        law, carry = self.advance(denoiser.process, carry, x, estimate, t, s, y)
        return Step(law, carry, estimate)


class DDIM(Correlated):
    """κ = √(1 − η² (1 − ρ_t/ρ_s)) with ρ = a²/σ²: η = 0 is deterministic, η = 1 the natural posterior.

    Args:
        eta: η in [0, 1].

    Source: [song2021ddim] Eqs. 12 and 16.
    """

    eta: float = 0.0

    def __check_init__(self) -> None:
        if not isinstance(self.eta, jax.core.Tracer) and not 0 <= self.eta <= 1:
            raise ValueError(f"eta is {self.eta}, expected a number in [0, 1]")

    def log_kappa(self, process: Process, t: Scalar, s: Scalar) -> Scalar:
        """½ log(1 + η² (e^{2Δ} − 1))."""
        delta = process.log_snr(t) - process.log_snr(s)
        return 0.5 * jnp.log1p(self.eta**2 * jnp.expm1(2 * delta))

    def noise(self, process: Process, t: Scalar, s: Scalar) -> Scalar:
        """η σ_s √(−expm1(2Δ)): the same number, but with a derivative where η = 0."""
        delta = process.log_snr(t) - process.log_snr(s)
        return self.eta * process.coefficients(s).sigma * _fresh(delta)


class Ancestral(Correlated):
    """The natural posterior of the forward chain given x0: κ = (a_t σ_s)/(a_s σ_t), so log κ = Δ.

    The fresh noise is σ_s^{1−m} σ_t^m √(1 − ρ_t/ρ_s), between DDPM's β̃ (m = 0, exact for a point mass and within the κ
    family) and its β (m = 1, exact in one step for data N(0, I); a wider noise than κ's own).

    Args:
        mix: m in [0, 1].

    Source: [ho2020ddpm] Eqs. 6 and 7 with Sec. 3.2; [nichol2021improved] Eq. 15 for m between.
    """

    mix: float = 0.0

    def __check_init__(self) -> None:
        if not isinstance(self.mix, jax.core.Tracer) and not 0 <= self.mix <= 1:
            raise ValueError(f"mix is {self.mix}, expected a number in [0, 1]")

    def log_kappa(self, process: Process, t: Scalar, s: Scalar) -> Scalar:
        """Δ."""
        return process.log_snr(t) - process.log_snr(s)

    def noise(self, process: Process, t: Scalar, s: Scalar) -> Scalar:
        """σ_s^{1−m} σ_t^m √(1 − e^{2Δ})."""
        now, then = process.coefficients(t).sigma, process.coefficients(s).sigma
        return then ** (1 - self.mix) * now**self.mix * _fresh(self.log_kappa(process, t, s))


class Renoise(Correlated):
    """A fixed share of fresh noise whatever the step: κ = √(1 − ζ).

    ζ = 1 forgets the old noise (consistency sampling, DAPS), ζ = η² is the step of DDRM and DDNM, and DiffPIR's ζ is
    this one. Exact for the true x0 at any number of steps. With D it does not tend to the reverse SDE: many steps at
    one noise level are Langevin steps x̂ += (1 − κ) σ̂² score + σ̂ √ζ ξ at temperature (1 + κ)/2, so that as the steps
    become many it samples p(x0)^{2/(1 + κ)}: for ζ = 1 a Gaussian of half the variance.

    Args:
        zeta: ζ in [0, 1].

    Source: [zhu2023diffpir] Eq. 13; [kawar2022ddrm] Eq. 7.
    """

    zeta: float = 1.0

    def __check_init__(self) -> None:
        if not isinstance(self.zeta, jax.core.Tracer) and not 0 <= self.zeta <= 1:
            raise ValueError(f"zeta is {self.zeta}, expected a number in [0, 1]")

    def log_kappa(self, process: Process, t: Scalar, s: Scalar) -> Scalar:
        """½ log(1 − ζ)."""
        return 0.5 * jnp.log1p(-jnp.asarray(self.zeta, t.dtype))


def _fresh(log_kappa: Scalar) -> Scalar:
    """√(1 − κ²), with the derivative 0 where κ = 1, as in a step of length zero."""
    share = -jnp.expm1(2 * log_kappa)
    return jnp.where(share > 0, jnp.sqrt(jnp.where(share > 0, share, 1)), 0)
