"""How far a restored image is from the truth: (restored, truth) → a number; and how far one set of images from another.

`psnr`, `ssim`, `ms_ssim` and an `LPIPS` are functions of one pair in [-1, 1]; `measure` says by which
protocol one was applied. `NIQE` asks for no truth. `frechet_distance` and `kernel_distance` compare sets by features.
What has weights is given them: see `jaxir.pretrained`.

    measure(psnr, restored, truth, crop=4, colour=luma)     PSNR 28.41 (luma, range 2, border 4)
"""

from jaxir.metrics.bits import bits_per_dimension
from jaxir.metrics.colour import luma, rgb
from jaxir.metrics.features import Features, antialiased_bicubic, features_of, plain_bilinear
from jaxir.metrics.frechet import Moments, frechet_distance, moments
from jaxir.metrics.interval import mean_interval
from jaxir.metrics.kernel_distance import KernelDistance, kernel_distance, squared_discrepancy
from jaxir.metrics.lpips import LPIPS
from jaxir.metrics.ms_ssim import ms_ssim
from jaxir.metrics.niqe import NIQE
from jaxir.metrics.psnr import psnr
from jaxir.metrics.score import Score, measure
from jaxir.metrics.ssim import ssim

__all__ = [
    "LPIPS",
    "NIQE",
    "Features",
    "KernelDistance",
    "Moments",
    "Score",
    "antialiased_bicubic",
    "bits_per_dimension",
    "features_of",
    "frechet_distance",
    "kernel_distance",
    "luma",
    "mean_interval",
    "measure",
    "moments",
    "ms_ssim",
    "plain_bilinear",
    "psnr",
    "rgb",
    "squared_discrepancy",
    "ssim",
]
