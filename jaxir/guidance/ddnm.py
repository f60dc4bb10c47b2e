"""DDNM: the range of the measurement from y, the null space from the prior.

`DDNM` is a denoiser and takes y at its word. `DDNMPlus` is a transition, which knows how much noise y has: it trusts
each coordinate of A⁺y as far as the step's own noise covers its noise.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, PyTree

from jaxir import expect
from jaxir.degradations import Degradation, Spectral
from jaxir.degradations.linear_gaussian import require_linear_gaussian, require_spectral
from jaxir.denoisers import Denoiser, Estimate
from jaxir.gaussian import Gaussian
from jaxir.guidance.guided import Guided, require_uncoupled
from jaxir.transitions import Step, Transition
from jaxir.typing import Image, Measurement, Scalar


class DDNM(Guided):
    """D + A⁺(y − A D): whatever the prior says, A of the estimate is y.

    For noise-free measurements; noise in y goes into the image as it is.

    Args:
        denoiser: the prior's.
        degradation: linear.

    Source: [wang2023ddnm] Eq. 13.
    Differs from the paper: ε̂ is recomputed from the corrected estimate, as the κ family does for every guidance; the
        code keeps the old one.
    """

    denoiser: Denoiser
    degradation: Degradation

    def __check_init__(self) -> None:
        require_linear_gaussian("DDNM", self.degradation)

    def estimate(self, x: Image, t: Scalar, y: Measurement | None = None) -> Estimate:
        """One evaluation, no gradient."""
        estimate = self.denoiser.estimate(x, t)
        self.degradation.expect_measurement(y)
        operator, x0_hat = self.degradation.operator, estimate.x0_hat
        # in this order a pixel that is known is kept to the last bit
        return estimate._replace(
            x0_hat=(x0_hat - operator.pinv(operator(x0_hat))) + operator.pinv(y)
        )


class DDNMPlus(Transition):
    """x_s = a_s D' + √(1 − η²) σ_s ε̂ + √(η² σ_s² − (a_s Λ σ_y/s)²) z,    D' = D + Λ A⁺(y − A D).

    Λ_i = min(1, η σ_s s_i/(a_s σ_y)) in the basis V of A = U diag(s) Vᴴ, so that the noise of A⁺y, which is σ_y/s_i
    in a coordinate, is part of the noise of the step. The last step, which has no noise, takes y only if y has none.

    Args:
        degradation: an operator with a fast singular basis, Gaussian noise.
        eta: η in [0, 1].

    Source: [wang2023ddnm] Sec. 3.3.
    Differs from the paper: Λ is that of Eq. 19 by singular values with the noise of Eq. 17, so that ε̂ has its share
        in what is observed too; its Eq. 19 as it stands is `DDRM` with η_b = 1.
    """

    degradation: Degradation
    eta: float = 0.85

    def __check_init__(self) -> None:
        require_spectral("DDNM+", self.degradation, otherwise="DiffPIR or MMPS")
        expect.share("eta", self.eta)

    def step(
        self,
        denoiser: Denoiser,
        carry: PyTree,
        x: Image,
        t: Scalar,
        s: Scalar,
        y: Array | None = None,
    ) -> Step:
        """One evaluation, no gradient; ε̂ is the prior's, as published."""
        require_uncoupled("DDNM+", denoiser.process)
        self.degradation.expect_measurement(y)
        operator, process = self.degradation.operator, denoiser.process
        estimate = denoiser.estimate(x, t)
        values = operator.spectrum.astype(x.dtype)
        seen = operator.observed(values)
        level = self.degradation.noise.sigma / jnp.where(seen, values, 1)  # of A⁺y

        a, _, sigma = process.coefficients(s)
        fresh, theirs = self.eta * sigma, a * jnp.where(seen, level, 0)
        trust = jnp.where(theirs > fresh, fresh / jnp.where(theirs > 0, theirs, 1), 1.0)
        unexplained = operator.pinv(y - operator(estimate.x0_hat))
        aim = estimate.x0_hat + operator.diagonal(trust, unexplained)
        keep = jnp.sqrt(1 - jnp.asarray(self.eta, x.dtype) ** 2) * sigma
        law = Gaussian(
            a * aim + keep * process.eps(x, t, estimate.x0_hat),
            jax.tree_util.Partial(
                Spectral.diagonal,
                operator,
                jnp.sqrt(jnp.maximum(fresh**2 - (trust * theirs) ** 2, 0)),
            ),
        )
        clean = operator.diagonal((level == 0).astype(x.dtype), unexplained)
        return Step(law, carry, estimate._replace(x0_hat=estimate.x0_hat + clean))
