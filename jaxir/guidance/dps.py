"""Diffusion posterior sampling: p(y | x_t) ≈ p(y | D(x_t)), for any differentiable operator and any noise.

Two forms. `DPS` is the schedule-consistent denoiser, the closure put into Tweedie's formula. `PublishedDPS` is the
step of the paper, an ancestral step minus a multiple of the gradient of the residual's norm: robust, not calibrated.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, PyTree

from jaxir.degradations import Degradation
from jaxir.denoisers import Denoiser, Estimate
from jaxir.gaussian import Gaussian
from jaxir.guidance.guided import Guided, require_uncoupled
from jaxir.transitions import Correlated, Step, Transition
from jaxir.typing import Image, Measurement, Scalar


class DPS(Guided):
    """D + scale · (σ²/a) ∇ₓ log p(y | D(x)), the gradient through the network.

    With scale = 1 it is the closure as derived, which overshoots and may diverge when y is precise: p(y | D) leaves out
    the uncertainty of D. It is exact as t → 0.

    Args:
        denoiser: the prior's.
        degradation: any, with a finite log-likelihood.
        scale: factor on the likelihood's gradient, ≥ 0.

    Source: [chung2023dps] Eq. 11; Eq. 37 of [luo2024taming].
    """

    denoiser: Denoiser
    degradation: Degradation
    scale: float = 1.0

    def __check_init__(self) -> None:
        sigma = getattr(self.degradation.noise, "sigma", 1.0)
        if not isinstance(sigma, jax.core.Tracer) and sigma == 0:
            raise ValueError(
                "DPS got a degradation without noise, whose log-likelihood is not finite: "
                "give it a small sigma, or use PublishedDPS or DDNM"
            )

    def estimate(self, x: Image, t: Scalar, y: Measurement | None = None) -> Estimate:
        """One evaluation and one pullback."""

        def log_likelihood(x: Image) -> tuple[Scalar, Estimate]:
            estimate = self.denoiser.estimate(x, t)
            return self.degradation.log_prob(y, estimate.x0_hat), estimate

        gradient, estimate = jax.grad(log_likelihood, has_aux=True)(x)
        return estimate._replace(x0_hat=estimate.x0_hat + self.scale * self.gain(t) * gradient)


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
            residual = jnp.abs(y - self.degradation(estimate.x0_hat))
            return jnp.sqrt(jnp.sum(residual**2) + 1e-12), estimate

        gradient, estimate = jax.grad(distance, has_aux=True)(x)
        law, carry = self.transition.advance(denoiser.process, carry, x, estimate, t, s)
        return Step(Gaussian(law.mean - self.scale * gradient, law.scale), carry, estimate)
