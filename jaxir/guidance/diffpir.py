"""DiffPIR: the proximal step of plug-and-play restoration, at every noise level."""

from __future__ import annotations

import jax.numpy as jnp

from jaxir import expect
from jaxir.degradations import Degradation
from jaxir.degradations.linear_gaussian import require_linear_gaussian
from jaxir.denoisers import Denoiser, Estimate
from jaxir.guidance.guided import Guided, noise_level
from jaxir.typing import Image, Measurement, Scalar


class DiffPIR(Guided):
    """argmin_x ‖y − A x‖² + ρ ‖x − D‖² = D + (AᴴA + ρ)⁻¹ Aᴴ(y − A D),    ρ = λ σ_y²/σ̂².

    λ = 1 takes D's error to have variance σ̂², and the residual r = y − A D shows where that is too little: each of its
    m numbers has the variance σ_y² + s² v for an error of variance v, with the mean s² = ‖Aᴴr‖²/‖r‖² of A's squared
    singular values. By default

        λ = σ̂²/max(σ̂², 4 v),    v = max(0, ‖r‖²/m − σ_y²) ‖r‖²/‖Aᴴr‖²

    twice the deviation that the residual shows, for D knows y through the state and errs less where it is measured. It
    lets a few known pixels count that the denoiser would take for noise, and is reported as `strength`.

    Args:
        denoiser: the prior's.
        degradation: linear with Gaussian noise.
        weight: λ > 0, trust in the prior, 1 as published; found anew at every estimate by default.

    Source: [zhu2023diffpir] Eqs. 10 and 12. The automatic λ is this project's.
    Differs from the paper: σ_y and σ̂ are in the same units, where the code's λ is four times ours.
    """

    denoiser: Denoiser
    degradation: Degradation
    weight: float | Scalar | None = None

    def __check_init__(self) -> None:
        require_linear_gaussian("DiffPIR", self.degradation)
        if self.weight is not None:
            expect.positive("weight", self.weight)

    def estimate(self, x: Image, t: Scalar, y: Measurement | None = None) -> Estimate:
        """One evaluation, no gradient."""
        operator = self.degradation.operator
        estimate = self.denoiser.estimate(x, t)
        residual = self.residual(estimate.x0_hat, y)
        back = operator.adjoint(residual)
        weight = self._weight(t, residual, back) if self.weight is None else self.weight
        rho = weight * (noise_level(self.degradation) / self.snr_scale(t)) ** 2
        info = {**(estimate.info or {}), "strength": jnp.asarray(weight, x.dtype)}
        return estimate._replace(x0_hat=estimate.x0_hat + operator.solve(back, rho), info=info)

    def _weight(self, t: Scalar, residual: Measurement, back: Image) -> Scalar:
        """σ̂²/max(σ̂², 4 v)."""
        told = self.degradation.operator.told(residual)
        parts = 2 if jnp.iscomplexobj(residual) else 1
        square = jnp.sum(jnp.abs(jnp.where(told, residual, 0)) ** 2)
        excess = square / jnp.maximum(parts * jnp.sum(told), 1) - noise_level(self.degradation) ** 2
        seen = jnp.sum(back**2)
        shown = jnp.maximum(excess, 0) * square / jnp.where(seen > 0, seen, 1)
        expected = self.snr_scale(t) ** 2
        return expected / jnp.maximum(expected, 4 * shown)
