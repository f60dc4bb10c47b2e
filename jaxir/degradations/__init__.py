"""How the photo was spoiled: y = A(x) + n, an operator and a noise.

    degradation = Degradation(bicubic_downsample((256, 256, 3), 4), GaussianNoise(0.1))
    y = degradation.sample(key, x)

Operators compose, `A @ B` applying B first; `from_function` and `from_linear_function` make one of any JAX
function, and `check_operator` says whether it is what it claims to be.
"""

from jaxir.degradations.affine import Affine, Gain
from jaxir.degradations.blur import Blur, defocus_blur, gaussian_blur, motion_blur
from jaxir.degradations.bsrgan import BSRGAN
from jaxir.degradations.channels import ChannelMix
from jaxir.degradations.check import OperatorReport, check_operator, expect_sound
from jaxir.degradations.colour import Grey, from_ycbcr, grey, to_ycbcr
from jaxir.degradations.degradation import Degradation
from jaxir.degradations.drops import Drops, drops
from jaxir.degradations.field import smooth_field
from jaxir.degradations.function import from_function, from_linear_function
from jaxir.degradations.impulse_noise import ImpulseNoise, SaltAndPepperNoise
from jaxir.degradations.jpeg import JPEG
from jaxir.degradations.light import low_light, shadow, shadow_cover
from jaxir.degradations.mask import Crop, Identity, Mask, box_mask, random_mask
from jaxir.degradations.mosaic import Mosaic, bayer
from jaxir.degradations.mri import MultiCoil, cartesian_mask, coil_maps
from jaxir.degradations.noise import GaussianNoise, LaplaceNoise, Noise, StudentNoise
from jaxir.degradations.old_photo import fade, scratch_cover, scratches, sepia
from jaxir.degradations.operator import Linear, Operator, Spectral
from jaxir.degradations.pansharpening import Pansharpening
from jaxir.degradations.phase import PhaseRetrieval
from jaxir.degradations.photon_noise import PoissonGaussianNoise, PoissonNoise, SpeckleNoise
from jaxir.degradations.random_kernel import RandomKernel
from jaxir.degradations.real_esrgan import RealESRGAN
from jaxir.degradations.resize import (
    Downsample,
    area_downsample,
    bicubic_downsample,
    bicubic_upsample,
    nearest_downsample,
)
from jaxir.degradations.sensing import Sensing, fourier_sensing, hadamard_sensing
from jaxir.degradations.sensor import Clip, Gamma, Quantise, nonlinear_blur
from jaxir.degradations.stack import LinearStack, Stack, stack
from jaxir.degradations.temporal import TimeFilter, each_frame, exposure
from jaxir.degradations.tomography import ParallelBeam, all_pass, fbp, hann, parallel_beam
from jaxir.degradations.varying_blur import VaryingBlur
from jaxir.degradations.weather import haze, rain, snow

__all__ = [
    "BSRGAN",
    "JPEG",
    "Affine",
    "Blur",
    "ChannelMix",
    "Clip",
    "Crop",
    "Degradation",
    "Downsample",
    "Drops",
    "Gain",
    "Gamma",
    "GaussianNoise",
    "Grey",
    "Identity",
    "ImpulseNoise",
    "LaplaceNoise",
    "Linear",
    "LinearStack",
    "Mask",
    "Mosaic",
    "MultiCoil",
    "Noise",
    "Operator",
    "OperatorReport",
    "Pansharpening",
    "ParallelBeam",
    "PhaseRetrieval",
    "PoissonGaussianNoise",
    "PoissonNoise",
    "Quantise",
    "RandomKernel",
    "RealESRGAN",
    "SaltAndPepperNoise",
    "Sensing",
    "SpeckleNoise",
    "Spectral",
    "Stack",
    "StudentNoise",
    "TimeFilter",
    "VaryingBlur",
    "all_pass",
    "area_downsample",
    "bayer",
    "bicubic_downsample",
    "bicubic_upsample",
    "box_mask",
    "cartesian_mask",
    "check_operator",
    "coil_maps",
    "defocus_blur",
    "drops",
    "each_frame",
    "expect_sound",
    "exposure",
    "fade",
    "fbp",
    "fourier_sensing",
    "from_function",
    "from_linear_function",
    "from_ycbcr",
    "gaussian_blur",
    "grey",
    "hadamard_sensing",
    "hann",
    "haze",
    "low_light",
    "motion_blur",
    "nearest_downsample",
    "nonlinear_blur",
    "parallel_beam",
    "rain",
    "random_mask",
    "scratch_cover",
    "scratches",
    "sepia",
    "shadow",
    "shadow_cover",
    "smooth_field",
    "snow",
    "stack",
    "to_ycbcr",
]
