"""TMPD: the covariance of the measurement given x_t, with its matrix replaced by row sums."""

from __future__ import annotations

import jax.numpy as jnp

from jaxir.degradations import Degradation
from jaxir.degradations.linear_gaussian import require_linear_gaussian
from jaxir.denoisers import Denoiser, Estimate
from jaxir.guidance.guided import Guided, noise_level, pullback
from jaxir.typing import Image, Measurement, Scalar


class TMPD(Guided):
    """D + V Aᴴ (r/c),    c = σ_y² + max(A V Aᴴ 1, 0),    r = y − A D,    V = (σ²/a) J,    J = ∂D/∂x.

    Row sums are the diagonal where A V Aᴴ is diagonal: right for single pixels that are uncorrelated, biased otherwise
    (where V correlates neighbours they overstate the diagonal, and where it anticorrelates them they may be negative).

    Args:
        denoiser: the prior's.
        degradation: linear with Gaussian noise, with a real measurement.

    Raises:
        TypeError: for another, a complex measurement when it is met.

    Source: [boys2023tmpd] Eq. 9 and Sec. 4 (the diagonal by row sums).
    """

    denoiser: Denoiser
    degradation: Degradation

    def __check_init__(self) -> None:
        require_linear_gaussian("TMPD", self.degradation)

    def estimate(self, x: Image, t: Scalar, y: Measurement | None = None) -> Estimate:
        """One evaluation and two pullbacks."""
        operator = self.degradation.operator
        estimate, pull = pullback(self.denoiser, x, t)
        residual = self.residual(estimate.x0_hat, y)
        if jnp.iscomplexobj(residual):
            raise TypeError(
                "TMPD got a complex measurement, for which row sums are no variances: use MMPS, which needs none"
            )

        def covariance(v: Measurement) -> Image:  # V Aᴴ v
            return self.gain(t) * pull(operator.adjoint(v))

        rows = operator(covariance(jnp.ones_like(residual)))
        total = noise_level(self.degradation) ** 2 + jnp.maximum(rows, 0)
        return estimate._replace(x0_hat=estimate.x0_hat + covariance(residual / total))
