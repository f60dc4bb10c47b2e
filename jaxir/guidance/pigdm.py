"""ΠGDM: p(y | x_t) ≈ N(A D, σ_y² I + r² A Aᴴ), the uncertainty of D taken as r² I."""

from __future__ import annotations

from jaxir import expect
from jaxir.degradations import Degradation
from jaxir.degradations.linear_gaussian import require_linear_gaussian
from jaxir.denoisers import Denoiser, Estimate
from jaxir.guidance.guided import (
    Guided,
    noise_level,
    pullback,
)
from jaxir.typing import Image, Measurement, Scalar


class PiGDM(Guided):
    """D + (σ²/a) Jᵀ Aᴴ (σ_y² I + r² A Aᴴ)⁻¹ (y − A D),   r² = v σ̂²/(v + σ̂²),   J = ∂D/∂x.

    Exact for a prior N(m, v I). By the push-through identity the solve is (AᴴA + σ_y²/r²)⁻¹ Aᴴ(y − A D)/r².

    Args:
        denoiser: the prior's.
        degradation: linear with Gaussian noise.
        variance: v > 0, the prior variance of a pixel; 1 in the paper.

    Source: [song2023pigdm] Eqs. 7 and 8.
    """

    denoiser: Denoiser
    degradation: Degradation
    variance: float = 1.0

    def __check_init__(self) -> None:
        require_linear_gaussian("PiGDM", self.degradation)
        expect.positive("variance", self.variance)

    def estimate(self, x: Image, t: Scalar, y: Measurement | None = None) -> Estimate:
        """One evaluation and one pullback."""
        operator, level = self.degradation.operator, self.snr_scale(t) ** 2
        r2 = self.variance * level / (self.variance + level)
        estimate, pull = pullback(self.denoiser, x, t)
        back = operator.adjoint(self.residual(estimate.x0_hat, y))
        v = operator.solve(back, noise_level(self.degradation) ** 2 / r2) / r2
        return estimate._replace(x0_hat=estimate.x0_hat + self.gain(t) * pull(v))
