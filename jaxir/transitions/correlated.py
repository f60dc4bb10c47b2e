"""The κ family: every published ancestral, DDIM-like, bridge or renoising step is a rule for one number.

κ is the correlation of the noise at s with the noise at t:

    x_s = a_s D + b_s y + σ_s (κ ε̂ + √(1 − κ²) ξ),        ξ ~ N(0, I)
        = k x_t + (a_s − k a_t) D + (b_s − k b_t) y + τ ξ,        k = κ σ_s/σ_t,    τ² = σ_s² − k² σ_t²

For the true x0 in place of D the marginal of x_s is exact for every κ. A rule that is a function of the log-SNR gives
log κ, from which, with Δ = ℓ_t − ℓ_s < 0,

    a_s − k a_t = −a_s expm1(log κ + Δ),    τ = σ_s √(−expm1(2 log κ))

which never divides by σ_s and does not cancel when the step is small. Where σ_t = 0, at the pinned end of a bridge,
there is no old noise to keep: κ = 0 whatever the rule, the only step that starts from a point.
"""

from __future__ import annotations

import abc
from typing import ClassVar, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, PyTree

from jaxir import expect
from jaxir.denoisers import Denoiser, Estimate
from jaxir.gaussian import Gaussian
from jaxir.processes import Process
from jaxir.transitions.transition import Step, Transition
from jaxir.typing import Image, Scalar


class Weights(NamedTuple):
    """k on x_t, a_s − k a_t on D, and τ on fresh noise."""

    keep: Scalar
    gain: Scalar
    noise: Scalar


class Correlated(Transition):
    """A transition of the κ family; a concrete one writes `weights`."""

    @abc.abstractmethod
    def weights(self, process: Process, t: Scalar, s: Scalar) -> Weights:
        """(k, a_s − k a_t, τ) of the step from t to s."""

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
        keep, gain, noise = self.weights(process, t, s)
        shift = process.centre(s, y) - keep * process.centre(t, y)
        return Gaussian(keep * x + gain * estimate.x0_hat + shift, noise), carry

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


def weights_of(log_kappa: Scalar, process: Process, t: Scalar, s: Scalar) -> Weights:
    """(k, a_s − k a_t, τ) from log κ ≤ 0."""
    now, then = process.coefficients(t), process.coefficients(s)
    delta = process.log_snr(t) - process.log_snr(s)
    pinned = now.sigma == 0
    log_kappa = jnp.where(pinned, -jnp.inf, log_kappa)
    keep = jnp.exp(log_kappa) * then.sigma / jnp.where(pinned, 1, now.sigma)
    gain = -then.a * jnp.expm1(log_kappa + jnp.where(pinned, 0, delta))
    return Weights(keep, gain, then.sigma * _fresh(log_kappa))


class DDIM(Correlated):
    """κ = √(1 − η² (1 − ρ_t/ρ_s)) with ρ = a²/σ²: η = 0 is deterministic, η = 1 the natural posterior.

    Args:
        eta: η in [0, 1].

    Source: [song2021ddim] Eqs. 12 and 16.
    """

    eta: float = 0.0

    def __check_init__(self) -> None:
        expect.share("eta", self.eta)

    def weights(self, process: Process, t: Scalar, s: Scalar) -> Weights:
        """log κ = ½ log(1 + η² (e^{2Δ} − 1)), and τ = η σ_s √(−expm1(2Δ)), which has a derivative where η = 0."""
        now, sigma = process.coefficients(t).sigma, process.coefficients(s).sigma
        delta = process.log_snr(t) - process.log_snr(s)
        log_kappa = 0.5 * jnp.log1p(self.eta**2 * jnp.expm1(2 * delta))
        noise = jnp.where(now == 0, sigma, self.eta * sigma * _fresh(delta))
        return weights_of(log_kappa, process, t, s)._replace(noise=noise)


class Ancestral(Correlated):
    """The natural posterior of the forward chain given x0: κ = (a_t σ_s)/(a_s σ_t), so log κ = Δ.

    The fresh noise is σ_s^{1−m} σ_t^m √(1 − ρ_t/ρ_s), between DDPM's β̃ (m = 0, exact for a point mass and within the κ
    family) and its β (m = 1, exact in one step for data N(0, I); a wider noise than κ's own). A step to σ_s = 0 has no
    noise whatever m is, as published.

    Args:
        mix: m in [0, 1].

    Source: [ho2020ddpm] Eqs. 6 and 7 with Sec. 3.2; [nichol2021improved] Eq. 15 for m between.
    """

    mix: float = 0.0

    def __check_init__(self) -> None:
        expect.share("mix", self.mix)

    def weights(self, process: Process, t: Scalar, s: Scalar) -> Weights:
        """log κ = Δ, and τ = σ_s^{1−m} σ_t^m √(1 − e^{2Δ})."""
        delta = process.log_snr(t) - process.log_snr(s)
        noise = _mixed(process, t, s, self.mix)
        return weights_of(delta, process, t, s)._replace(noise=noise)


class LearnedAncestral(Correlated):
    """`Ancestral` with the noise that the network has learnt: m is an image, `Estimate.mix`.

    Source: [nichol2021improved] Eq. 15.
    """

    def weights(self, process: Process, t: Scalar, s: Scalar) -> Weights:
        """Those of β̃, m = 0."""
        return Ancestral().weights(process, t, s)

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
        """The mean of `Ancestral`, and its noise at each number of the image.

        Raises:
            ValueError: if the denoiser has learnt no variance.
        """
        if estimate.mix is None:
            raise ValueError(
                "the denoiser has learnt no variance: use Ancestral, or a network with twice the channels of the image"
            )
        law, carry = super().advance(process, carry, x, estimate, t, s, y)
        return Gaussian(law.mean, _mixed(process, t, s, estimate.mix)), carry


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
        expect.share("zeta", self.zeta)

    def weights(self, process: Process, t: Scalar, s: Scalar) -> Weights:
        """log κ = ½ log(1 − ζ)."""
        return weights_of(
            0.5 * jnp.log1p(-jnp.asarray(self.zeta, jnp.result_type(t))), process, t, s
        )


class Bridge(Correlated):
    """k = b_s/b_t, so that the degraded image drops out of the step: the posterior of a process told where it ends.

    For a bridge over a base that does not revert to y it is the natural posterior (the past knows the end only through
    the present); on ResShift it is the published step; on `Interpolation` with σ = 0 it is InDI and I2SB's OT-ODE, and
    cold diffusion's x + D(x̂0, s) − D(x̂0, t) for the y that x and x̂0 imply. Since y is not in it, it alone may run a
    denoiser that did not see y, whose samples then have the right law on the whole but not given y.

    Source: [liu2023i2sb] Eq. 4; [yue2023resshift] Eq. 7; [delbracio2023indi] Eq. 5; [bansal2022cold] Algorithm 2.
    """

    needs_y: ClassVar[bool] = False

    def weights(self, process: Process, t: Scalar, s: Scalar) -> Weights:
        """(b_s/b_t, a_s − (b_s/b_t) a_t, √(σ_s² − (b_s/b_t)² σ_t²)).

        Raises:
            ValueError: if the process is not coupled.
        """
        if not process.coupled:
            raise ValueError(
                f"Bridge steps need a process that moves towards the degraded image, got "
                f"{type(process).__name__}, whose b is 0: use DDIM or Ancestral"
            )
        now, then = process.coefficients(t), process.coefficients(s)
        keep = then.b / now.b
        left = jnp.maximum(then.sigma**2 - (keep * now.sigma) ** 2, 0.0)
        return Weights(keep, then.a - keep * now.a, _root(left))


class Cold(Correlated):
    """x_s = a_s D + b_s y: the estimate brought to the next time, with no noise, old or new.

    The naive sampling of cold diffusion, and with a proximal guidance the half-quadratic splitting of plug-and-play
    restoration. It has no law to converge to.

    Source: [bansal2022cold] Algorithm 1; [zhang2021dpir] Algorithm 1.
    """

    def weights(self, process: Process, t: Scalar, s: Scalar) -> Weights:
        """(0, a_s, 0)."""
        a = process.coefficients(s).a
        return Weights(jnp.zeros_like(a), a, jnp.zeros_like(a))


def _mixed(process: Process, t: Scalar, s: Scalar, mix: float | Array) -> Array:
    """σ_s^{1−m} σ_t^m √(1 − e^{2Δ}), and 0 for a step to σ_s = 0."""
    now, then = process.coefficients(t).sigma, process.coefficients(s).sigma
    end = (now == 0) | (then == 0)
    ratio = jnp.where(end, 1, now) / jnp.where(end, 1, then)
    return then * ratio**mix * _fresh(process.log_snr(t) - process.log_snr(s))


def _fresh(log_kappa: Scalar) -> Scalar:
    """√(1 − κ²)."""
    return _root(-jnp.expm1(2 * log_kappa))


def _root(square: Scalar) -> Scalar:
    """The square root, with the derivative 0 at 0, as in a step of length zero."""
    return jnp.where(square > 0, jnp.sqrt(jnp.where(square > 0, square, 1)), 0)
