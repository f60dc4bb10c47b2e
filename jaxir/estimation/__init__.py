"""How a photograph was spoiled, read from itself: what `auto` means in the shell.

    sigma = noise_level(y).value                  units of [-1, 1]
    blur = gaussian_blur(y.shape, gaussian_blur_width(y).value)

    diagnose(y)                                   which of them matter

Each takes the degraded image alone and returns an `Estimate`, a value with its deviation. They run on the host in
float64, once for a photograph: there is nothing to differentiate or to batch.
"""

from jaxir.estimation.diagnosis import Diagnosis, diagnose
from jaxir.estimation.estimate import Estimate
from jaxir.estimation.gaussian_blur import gaussian_blur_width
from jaxir.estimation.jpeg import jpeg_error, jpeg_quality
from jaxir.estimation.motion_blur import Motion, motion_blur_line
from jaxir.estimation.noise import noise_level

__all__ = [
    "Diagnosis",
    "Estimate",
    "Motion",
    "diagnose",
    "gaussian_blur_width",
    "jpeg_error",
    "jpeg_quality",
    "motion_blur_line",
    "noise_level",
]
