"""Moment matching: p(y | x_t) ≈ N(A D, σ_y² I + A V Aᴴ) with the true covariance V = (σ²/a) J of x0 given x_t."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp

from jaxir.degradations import Degradation, Spectral
from jaxir.denoisers import Denoiser, Estimate
from jaxir.guidance.guided import Guided, noise_level, pullback, require_linear_gaussian
from jaxir.typing import Image, Measurement, Scalar


class MMPS(Guided):
    """D + V Aᴴ u with (σ_y² I + A V Aᴴ) u = y − A D and V = (σ²/a) J, J = ∂D/∂x symmetric for an exact denoiser.

    Exact for a Gaussian prior. The system is solved by `steps` iterations of conjugate gradients, each of which is one
    pullback of the network: V Aᴴ u is accumulated on the way and costs nothing. One iteration is not enough; the
    relative residual that is left is reported as `residual`.

    Args:
        denoiser: the prior's.
        degradation: linear with Gaussian noise.
        steps: k ≥ 1, iterations and pullbacks for each estimate.

    Source: [rozet2024mmps] Eq. 13 and Algorithm 2; V from Tweedie's second-order formula [efron2011tweedie].
    """

    denoiser: Denoiser
    degradation: Degradation
    steps: int = eqx.field(static=True, default=4)

    def __check_init__(self) -> None:
        require_linear_gaussian("MMPS", self.degradation)
        if self.steps < 1:
            raise ValueError(f"steps is {self.steps}, expected at least 1")

    def estimate(self, x: Image, t: Scalar, y: Measurement | None = None) -> Estimate:
        """One evaluation and k pullbacks."""
        operator, variance = self.degradation.operator, noise_level(self.degradation) ** 2
        estimate, pull = pullback(self.denoiser, x, t)
        residual = self.residual(estimate.x0_hat, y)
        if isinstance(
            operator, Spectral
        ):  # what A cannot reach, a mask's hole, is not to be solved for
            residual = operator(operator.pinv(residual))
        scale = self.gain(t)

        def iterate(_: Scalar, state: tuple) -> tuple:
            r, p, square, correction = state
            vp = scale * pull(operator.adjoint(p))  # V Aᴴ p
            mp = variance * p + operator(vp)
            curvature = _dot(p, mp)
            # a learnt J is not quite symmetric: a direction of no curvature is left out
            step = jnp.where(curvature > 0, square / jnp.where(curvature > 0, curvature, 1), 0)
            r = r - step * mp
            new = _dot(r, r)
            ratio = jnp.where(square > 0, new / jnp.where(square > 0, square, 1), 0)
            return r, r + ratio * p, new, correction + step * vp

        square = _dot(residual, residual)
        state = (residual, residual, square, jnp.zeros_like(estimate.x0_hat))
        *_, left, correction = jax.lax.fori_loop(0, self.steps, iterate, state)
        info = {"residual": jnp.sqrt(left / jnp.maximum(square, jnp.finfo(square.dtype).tiny))}
        return estimate._replace(x0_hat=estimate.x0_hat + correction, info=info)


def _dot(u: Measurement, v: Measurement) -> Scalar:
    """The real inner product, also of complex arrays."""
    return jnp.vdot(u, v, precision="highest").real
