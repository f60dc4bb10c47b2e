"""DDRM: restoration coordinate by coordinate in the singular basis of the operator."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, PyTree

from jaxir import expect
from jaxir.degradations import Degradation, Spectral
from jaxir.degradations.linear_gaussian import require_spectral
from jaxir.denoisers import Denoiser
from jaxir.gaussian import Gaussian
from jaxir.guidance.guided import require_uncoupled
from jaxir.transitions import Step, Transition
from jaxir.typing import Image, Scalar


class DDRM(Transition):
    """In the basis V of A = U diag(s) Vᴴ, on x̂ = x/a, with σ̂ the level of the step's end and σ_i = σ_y/s_i:

        s_i = 0      D_i + √(1 − η²) σ̂ ε̂_i + η σ̂ z_i
        σ̂ < σ_i      D_i + √(1 − η²) σ̂ (y_i − D_i)/σ_i + η σ̂ z_i
        σ̂ ≥ σ_i      (1 − η_b) D_i + η_b y_i + √(σ̂² − η_b² σ_i²) z_i

    with y_i the coordinates of A⁺y. The noise is diagonal in V. With η_b = 1 these are the steps of DDNM+ as well.
    Right near its published 20 steps with η = 0.85; it does not converge to the posterior as the steps become many.

    Args:
        degradation: an operator with a fast singular basis, Gaussian noise.
        eta: η in [0, 1].
        eta_b: η_b in [0, 1].

    Source: [kawar2022ddrm] Eqs. 7 and 8 and Sec. 4; [wang2023ddnm] Eq. 19.
    """

    degradation: Degradation
    eta: float = 0.85
    eta_b: float = 1.0

    def __check_init__(self) -> None:
        require_spectral("DDRM", self.degradation, otherwise="DiffPIR or MMPS")
        expect.share("eta", self.eta)
        expect.share("eta_b", self.eta_b)

    def step(
        self,
        denoiser: Denoiser,
        carry: PyTree,
        x: Image,
        t: Scalar,
        s: Scalar,
        y: Array | None = None,
    ) -> Step:
        """One evaluation, no gradient; the estimate is that of the step to no noise, where y counts if it has none."""
        require_uncoupled("DDRM", denoiser.process)
        self.degradation.expect_measurement(y)
        operator, process = self.degradation.operator, denoiser.process
        estimate = denoiser.estimate(x, t)
        eps = operator.analyse(process.eps(x, t, estimate.x0_hat))
        ours = operator.analyse(estimate.x0_hat)
        theirs = operator.analyse(operator.pinv(y))
        values = operator.spectrum.astype(x.dtype)
        seen = operator.observed(values)
        level = self.degradation.noise.sigma / jnp.where(seen, values, 1)  # σ_i

        sigma = jnp.exp(-process.log_snr(s))
        keep = jnp.sqrt(1 - jnp.asarray(self.eta, x.dtype) ** 2)
        pulled = (
            keep * sigma * jnp.where(seen, (theirs - ours) / jnp.where(level > 0, level, 1), eps)
        )
        mixed = self.eta_b * (theirs - ours)
        sharp = seen & (sigma >= level)
        left = jnp.sqrt(jnp.maximum(sigma**2 - (self.eta_b * level) ** 2, 0.0))
        a = process.coefficients(s).a
        scale = a * jnp.where(sharp, left, self.eta * sigma)
        law = Gaussian(
            a * operator.synthesise(ours + jnp.where(sharp, mixed, pulled)),
            jax.tree_util.Partial(Spectral.diagonal, operator, scale),
        )
        aim = operator.synthesise(ours + jnp.where(seen & (level == 0), mixed, 0))
        return Step(law, carry, estimate._replace(x0_hat=aim))
