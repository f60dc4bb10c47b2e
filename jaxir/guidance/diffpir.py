"""DiffPIR: the proximal step of plug-and-play restoration, at every noise level."""

from __future__ import annotations

from jaxir import expect
from jaxir.degradations import Degradation
from jaxir.degradations.linear_gaussian import require_linear_gaussian
from jaxir.denoisers import Denoiser, Estimate
from jaxir.guidance.guided import (
    Guided,
    noise_level,
)
from jaxir.typing import Image, Measurement, Scalar


class DiffPIR(Guided):
    """argmin_x ‖y − A x‖² + ρ ‖x − D‖² = D + (AᴴA + ρ)⁻¹ Aᴴ(y − A D),    ρ = λ σ_y²/σ̂².

    Args:
        denoiser: the prior's.
        degradation: linear with Gaussian noise.
        weight: λ > 0, trust in the prior; 1 takes D's error to have variance σ̂².

    Source: [zhu2023diffpir] Eqs. 10 and 12.
    Differs from the paper: σ_y and σ̂ are in the same units, where the code's λ is four times ours.
    """

    denoiser: Denoiser
    degradation: Degradation
    weight: float = 1.0

    def __check_init__(self) -> None:
        require_linear_gaussian("DiffPIR", self.degradation)
        expect.positive("weight", self.weight)

    def estimate(self, x: Image, t: Scalar, y: Measurement | None = None) -> Estimate:
        """One evaluation, no gradient."""
        operator = self.degradation.operator
        rho = self.weight * (noise_level(self.degradation) / self.snr_scale(t)) ** 2
        estimate = self.denoiser.estimate(x, t)
        back = operator.adjoint(self.residual(estimate.x0_hat, y))
        return estimate._replace(x0_hat=estimate.x0_hat + operator.solve(back, rho))
