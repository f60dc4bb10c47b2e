"""Diffusion posterior sampling: p(y | x_t) ≈ p(y | D(x_t)), for any differentiable operator and any noise.

Two forms. `DPS` is the schedule-consistent denoiser, the closure put into Tweedie's formula. `PublishedDPS` is the
step of the paper, an ancestral step minus a multiple of the gradient of the residual's norm: robust, not calibrated.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PyTree

from jaxir.degradations import Degradation
from jaxir.denoisers import Denoiser, Estimate
from jaxir.expect import known
from jaxir.gaussian import Gaussian
from jaxir.guidance.guided import Guided, length, require_uncoupled
from jaxir.linear import linearization
from jaxir.transitions import Correlated, Step, Transition
from jaxir.typing import Image, Measurement, Scalar


class DPS(Guided):
    """D + γ c,    c = (σ²/a) ∇ₓ log p(y | D(x)) = V g,    the gradient through the network.

    g = ∇ log p(y | x0) at D, and V = (σ²/a) ∂D/∂x is the covariance of x0 given x_t. γ = 1 is the closure as derived,
    which overshoots and may diverge when y is precise: p(y | D) leaves out the uncertainty of D. Along c the posterior
    log p(y | D + γ c) − ½ γ² ⟨c, V⁻¹ c⟩ knows it, since ⟨c, V⁻¹ c⟩ = ⟨g, c⟩, and Newton's step to its maximum is

        γ* = ⟨g, c⟩/(⟨g, c⟩ + ⟨c, H c⟩),    H = −∇² log p(y | x0)

    where a nonlinear A is linearised. It costs one product with A and none with the network, needs no setting, and has
    the discrepancy principle in it: the misfit counts in units of its noise. By default γ = min(1, 3/2 γ*/w),
    where w is the share of a correction that the sampler takes at once: up to 2 γ*/w is stable along the line, and the
    more is nearer to what all the directions need. It is reported as `strength`. `DPSStep` knows w.

    Args:
        denoiser: the prior's.
        degradation: any, with a finite log-likelihood.
        scale: γ ≥ 0; found anew at every estimate by default.
        share: w in (0, 1]; 1, a sampler that goes to the estimate at once, is right for none and safe for all.

    Source: [chung2023dps] Eq. 11; Eq. 37 of [luo2024taming]. The automatic γ is this project's.
    """

    denoiser: Denoiser
    degradation: Degradation
    scale: float | Scalar | None = None
    share: float | Scalar = 1.0

    def __check_init__(self) -> None:
        _expect_likelihood(self.degradation, self.scale)

    def estimate(self, x: Image, t: Scalar, y: Measurement | None = None) -> Estimate:
        """One evaluation and one pullback."""
        self.degradation.expect_measurement(y)
        y = self.degradation.operator.clean(y)

        def log_likelihood(x: Image) -> tuple[Scalar, Estimate]:
            estimate = self.denoiser.estimate(x, t)
            return self.degradation.log_prob(y, estimate.x0_hat), estimate

        gradient, estimate = jax.grad(log_likelihood, has_aux=True)(x)
        correction = self.gain(t) * gradient
        scale = self._strength(y, estimate.x0_hat, correction) if self.scale is None else self.scale
        info = {**(estimate.info or {}), "strength": jnp.asarray(scale, x.dtype)}
        return estimate._replace(x0_hat=estimate.x0_hat + scale * correction, info=info)

    def _strength(self, y: Measurement, x0_hat: Image, correction: Image) -> Scalar:
        """min(1, 3/2 γ*/w); 0 where the correction, by a Jacobian that is not symmetric, leads downhill."""
        mean, push, _ = linearization(self.degradation.operator, x0_hat)
        change = push(correction)

        def along(step: Scalar) -> Scalar:
            return self.degradation.noise.log_prob(y, mean + step * change)

        zero = jnp.zeros((), x0_hat.dtype)
        slope, bend = jax.jvp(jax.grad(along), (zero,), (jnp.ones_like(zero),))
        best = slope / jnp.where(slope > 0, slope - jnp.minimum(bend, 0.0), 1.0)
        return jnp.clip(1.5 * best / self.share, 0.0, 1.0)


class DPSStep(Transition):
    """A step of another transition with `DPS` for the prior, as strong as that step allows.

    Args:
        transition: the unguided step, x_s = k x_t + (a_s − k a_t) D + τ ξ, which takes the share w = 1 − k a_t/a_s of
            an estimate.
        degradation: that of `DPS`.
        scale: that of `DPS`.

    Source: [chung2023dps] Eq. 11; w is this project's.
    """

    transition: Correlated
    degradation: Degradation
    scale: float | Scalar | None = None

    def __check_init__(self) -> None:
        _expect_likelihood(self.degradation, self.scale)

    def init(self, x: Image) -> PyTree:
        """The unguided transition's carry."""
        return self.transition.init(x)

    def step(
        self,
        denoiser: Denoiser,
        carry: PyTree,
        x: Image,
        t: Scalar,
        s: Scalar,
        y: Array | None = None,
    ) -> Step:
        """One evaluation and one pullback."""
        process = denoiser.process
        a, gain = process.coefficients(s).a, self.transition.weights(process, t, s).gain
        share = jnp.where(gain > 0, gain / a, 1.0)
        estimate = DPS(denoiser, self.degradation, self.scale, share).estimate(x, t, y)
        law, carry = self.transition.advance(process, carry, x, estimate, t, s)
        return Step(law, carry, estimate)


class PublishedDPS(Transition):
    """x_s ~ transition(x_t) − scale · ∇ₓ ‖y − A(D(x_t))‖, the norm of one image.

    Args:
        transition: the unguided step; ancestral in the paper.
        degradation: its operator is used, its noise is not.
        scale: ζ of the code, 0.3 to 1 for 1000 steps of images in [-1, 1]; the paper's ζ' is half of it.

    Source: [chung2023dps] Algorithm 1 and the authors' step sizes (App. D).
    Differs from the paper: the norm is of one image, where the code takes it over the batch.
    """

    transition: Correlated
    degradation: Degradation
    scale: float = 1.0

    def init(self, x: Image) -> PyTree:
        """The unguided transition's carry."""
        return self.transition.init(x)

    def step(
        self,
        denoiser: Denoiser,
        carry: PyTree,
        x: Image,
        t: Scalar,
        s: Scalar,
        y: Array | None = None,
    ) -> Step:
        """One evaluation and one pullback."""
        require_uncoupled("PublishedDPS", denoiser.process)
        self.degradation.expect_measurement(y)
        y = self.degradation.operator.clean(y)

        def distance(x: Image) -> tuple[Scalar, Estimate]:
            estimate = denoiser.estimate(x, t)
            return length(y - self.degradation(estimate.x0_hat)), estimate

        gradient, estimate = jax.grad(distance, has_aux=True)(x)
        law, carry = self.transition.advance(denoiser.process, carry, x, estimate, t, s)
        return Step(Gaussian(law.mean - self.scale * gradient, law.scale), carry, estimate)


def _expect_likelihood(degradation: Degradation, scale: float | Scalar | None) -> None:
    """Raise a ValueError for a likelihood that is not finite, or a strength that is negative."""
    sigma = getattr(degradation.noise, "sigma", 1.0)
    if known(sigma) and not np.all(sigma):
        raise ValueError(
            "DPS got a degradation without noise, whose log-likelihood is not finite: "
            "give it a small sigma, or use PublishedDPS or DDNM"
        )
    if scale is not None and known(scale) and scale < 0:
        raise ValueError(f"scale is {scale}, expected at least 0, or None to have it found")
