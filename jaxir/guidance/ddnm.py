"""DDNM: the range of the measurement from y, the null space from the prior."""

from __future__ import annotations

from jaxir.degradations import Degradation
from jaxir.denoisers import Denoiser, Estimate
from jaxir.guidance.guided import Guided, require_linear_gaussian
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
        correction = self.degradation.operator.pinv(self.residual(estimate.x0_hat, y))
        return estimate._replace(x0_hat=estimate.x0_hat + correction)
