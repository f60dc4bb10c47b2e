"""Plug-and-play restoration: an optimiser whose proximal step of the prior is the denoiser.

Half-quadratic splitting needs no file: it is the proximal guidance `DiffPIR` with the steps of `Cold`, no noise at all.
The alternating direction method adds a dual variable, which the state carries.
"""

from __future__ import annotations

from jaxtyping import Array, PyTree

from jaxir import expect
from jaxir.degradations import Degradation
from jaxir.degradations.linear_gaussian import require_linear_gaussian
from jaxir.denoisers import Denoiser
from jaxir.gaussian import Gaussian
from jaxir.guidance.guided import noise_level, require_uncoupled
from jaxir.transitions import Step, Transition
from jaxir.typing import Image, Scalar


class ADMM(Transition):
    """v = D(z),   u = z − v,   x = argmin ‖y − A x‖² + ρ ‖x − (v − u)‖²,   z ← x + u,    ρ = λ σ_y²/σ̂².

    In the usual letters z is what the denoiser is given, x + u; after v = D(z) the dual variable is u + x − v = z − v,
    so that z is all there is to keep. The state is a z.

    Args:
        degradation: linear with Gaussian noise.
        weight: λ > 0, trust in the prior.

    Source: [venkatakrishnan2013pnp]; [chan2017pnpadmm] for the falling noise level.
    """

    degradation: Degradation
    weight: float = 1.0

    def __check_init__(self) -> None:
        require_linear_gaussian("ADMM", self.degradation)
        expect.positive("weight", self.weight)

    def step(
        self,
        denoiser: Denoiser,
        carry: PyTree,
        x: Image,
        t: Scalar,
        s: Scalar,
        y: Array | None = None,
    ) -> Step:
        """One evaluation, no gradient, no noise."""
        require_uncoupled("ADMM", denoiser.process)
        self.degradation.expect_measurement(y)
        operator, process = self.degradation.operator, denoiser.process
        now, then = process.coefficients(t), process.coefficients(s)
        rho = self.weight * (noise_level(self.degradation) * now.a / now.sigma) ** 2
        estimate = denoiser.estimate(x, t)
        dual = x / now.a - estimate.x0_hat
        near = estimate.x0_hat - dual
        image = near + operator.solve(operator.adjoint(y - operator(near)), rho)
        law = Gaussian(then.a * (image + dual), 0.0)
        return Step(law, carry, estimate._replace(x0_hat=image))
