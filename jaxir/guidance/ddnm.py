"""DDNM: the range of the measurement from y, the null space from the prior."""

from __future__ import annotations

from jaxir.degradations import Degradation
from jaxir.degradations.linear_gaussian import require_linear_gaussian
from jaxir.denoisers import Denoiser, Estimate
from jaxir.guidance.guided import Guided
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
