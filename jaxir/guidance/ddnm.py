"""DDNM: the range of the measurement from y, the null space from the prior.

`DDNM` is a denoiser and takes y at its word. `DDNMPlus` is a transition, which knows how much noise y has: it trusts y
as far as the step's own noise covers that of y.
"""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, PyTree

from jaxir import expect
from jaxir.degradations import Degradation
from jaxir.degradations.linear_gaussian import require_linear_gaussian
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
    """x_s = a_s D' + √(1 − η²) σ_s ε̂ + √(η² σ_s² − (a_s λ σ_y)²) z,    D' = D + λ A⁺(y − A D).

    λ = min(1, η σ_s/(a_s σ_y)), so that the noise of y is part of the noise of the step. The noise of A⁺y is taken to
    be σ_y in every direction, which is right for singular values of 1 (masks, means of blocks up to a factor); `DDRM`
    treats every singular value by itself.

    Args:
        degradation: linear with Gaussian noise.
        eta: η in [0, 1].

    Source: [wang2023ddnm] Sec. 3.3 and Eqs. 16 to 19.
    """

    degradation: Degradation
    eta: float = 0.85

    def __check_init__(self) -> None:
        require_linear_gaussian("DDNM+", self.degradation)
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
        a, _, sigma = process.coefficients(s)
        fresh, theirs = self.eta * sigma, a * self.degradation.noise.sigma
        trust = jnp.minimum(1.0, fresh / jnp.maximum(theirs, jnp.finfo(x.dtype).tiny))
        x0_hat = estimate.x0_hat + trust * operator.pinv(y - operator(estimate.x0_hat))
        keep = jnp.sqrt(1 - jnp.asarray(self.eta, x.dtype) ** 2) * sigma
        mean = a * x0_hat + keep * process.eps(x, t, estimate.x0_hat)
        noise = jnp.sqrt(jnp.maximum(fresh**2 - (trust * theirs) ** 2, 0.0))
        # the step to no noise would trust y only if it has none
        final = jnp.where(theirs == 0, x0_hat, estimate.x0_hat)
        return Step(Gaussian(mean, noise), carry, estimate._replace(x0_hat=final))
