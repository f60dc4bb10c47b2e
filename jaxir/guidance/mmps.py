"""Moment matching: p(y | x_t) ≈ N(A D, σ_y² I + A V Aᴴ) with the true covariance V = (σ²/a) J of x0 given x_t."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp

from jaxir.degradations import Degradation, Spectral
from jaxir.degradations.linear_gaussian import require_linear_gaussian
from jaxir.denoisers import Denoiser, Estimate
from jaxir.guidance.guided import Guided, noise_level, pullback
from jaxir.typing import Image, Measurement, Scalar


class MMPS(Guided):
    """D + V Aᴴ u with (σ_y² I + A V Aᴴ) u = y − A D and V = (σ²/a) J, J = ∂D/∂x symmetric for an exact denoiser.

    Exact for a Gaussian prior. The system is solved by `steps` iterations of the generalised conjugate residual method,
    each of which is one pullback of the network; V Aᴴ u is accumulated on the way and costs nothing. The Jacobian of a
    learnt denoiser is not symmetric, and where it is far from it conjugate gradients diverge; here the residual never
    grows. What is left of it, relative to y − A D, is reported as `residual`: one iteration is not enough.

    Args:
        denoiser: the prior's.
        degradation: linear with Gaussian noise.
        steps: k ≥ 1, iterations and pullbacks for each estimate; k pairs of an image and a measurement are kept.

    Source: [rozet2024mmps] Eq. 13 and Algorithm 2; V from Tweedie's second-order formula [efron2011tweedie];
        [eisenstat1983gcr] for the solver.
    """

    denoiser: Denoiser
    degradation: Degradation
    steps: int = eqx.field(static=True, default=3)

    def __check_init__(self) -> None:
        require_linear_gaussian("MMPS", self.degradation)
        if self.steps < 1:
            raise ValueError(f"steps is {self.steps}, expected at least 1")

    def estimate(self, x: Image, t: Scalar, y: Measurement | None = None) -> Estimate:
        """One evaluation and k pullbacks."""
        operator, variance = self.degradation.operator, noise_level(self.degradation) ** 2
        estimate, pull = pullback(self.denoiser, x, t)
        residual = self._reachable(self.residual(estimate.x0_hat, y))
        scale = self.gain(t)

        def iterate(i: Scalar, state: tuple) -> tuple:
            r, images, measurements, correction = state
            w = scale * pull(operator.adjoint(r))  # V Aᴴ r
            q = variance * r + operator(w)
            along = jax.vmap(_dot, (0, None))(measurements, q)
            q, w = (
                v - jnp.tensordot(along, past, 1, precision="highest")
                for v, past in ((q, measurements), (w, images))
            )
            square = _dot(q, q)
            norm = jnp.where(square > 0, jax.lax.rsqrt(jnp.where(square > 0, square, 1)), 0)
            q, w = norm * q, norm * w
            step = _dot(q, r)
            kept = images.at[i].set(w), measurements.at[i].set(q)
            return r - step * q, *kept, correction + step * w

        def room(like: Measurement) -> Measurement:
            return jnp.zeros((self.steps, *like.shape), like.dtype)

        start = jnp.zeros_like(estimate.x0_hat)
        state = (residual, room(start), room(residual), start)
        left, *_, correction = jax.lax.fori_loop(0, self.steps, iterate, state)
        square = jnp.maximum(_dot(residual, residual), jnp.finfo(left.dtype).tiny)
        residual_left = jnp.sqrt(_dot(left, left) / square)
        info = {
            **(estimate.info or {}),
            "residual": residual_left,
            "pullbacks": jnp.full((), self.steps, scale.dtype),
        }
        return estimate._replace(x0_hat=estimate.x0_hat + correction, info=info)

    def _reachable(self, residual: Measurement) -> Measurement:
        """A A⁺ of the residual where it is cheap: the noise in a mask's hole is not to be solved for."""
        operator = self.degradation.operator
        return operator(operator.pinv(residual)) if isinstance(operator, Spectral) else residual


def _dot(u: Measurement, v: Measurement) -> Scalar:
    """The real inner product, also of complex arrays."""
    return jnp.vdot(u, v, precision="highest").real
