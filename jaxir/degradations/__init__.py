"""How the photo was spoiled: y = A(x) + n, an operator and a noise.

    degradation = Degradation(bicubic_downsample((256, 256, 3), 4), GaussianNoise(0.1))
    y = degradation.sample(key, x)

Operators compose, `A @ B` applying B first; `from_function` and `from_linear_function` make one of any JAX
function, and `check_operator` says whether it is what it claims to be.
"""

from jaxir.degradations.blur import Blur, gaussian_blur, motion_blur
from jaxir.degradations.check import OperatorReport, check_operator
from jaxir.degradations.colour import Grey, grey
from jaxir.degradations.degradation import Degradation
from jaxir.degradations.function import from_function, from_linear_function
from jaxir.degradations.mask import Crop, Identity, Mask, box_mask, random_mask
from jaxir.degradations.noise import GaussianNoise, Noise
from jaxir.degradations.operator import Linear, Operator, Spectral
from jaxir.degradations.resize import (
    Downsample,
    area_downsample,
    bicubic_downsample,
    bicubic_upsample,
)

__all__ = [
    "Blur",
    "Crop",
    "Degradation",
    "Downsample",
    "GaussianNoise",
    "Grey",
    "Identity",
    "Linear",
    "Mask",
    "Noise",
    "Operator",
    "OperatorReport",
    "Spectral",
    "area_downsample",
    "bicubic_downsample",
    "bicubic_upsample",
    "box_mask",
    "check_operator",
    "from_function",
    "from_linear_function",
    "gaussian_blur",
    "grey",
    "motion_blur",
    "random_mask",
]
