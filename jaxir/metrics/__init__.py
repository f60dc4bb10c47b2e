"""How far a restored image is from the truth: (restored, truth) → a number.

`psnr` and `ssim` are pure functions for one pair in [-1, 1]; `measure` says by which
protocol one was applied.

    measure(psnr, restored, truth, crop=4, colour=luma)     PSNR 28.41 (luma, range 2, border 4)
"""

from jaxir.metrics.bits import bits_per_dimension
from jaxir.metrics.colour import luma, rgb
from jaxir.metrics.interval import mean_interval
from jaxir.metrics.psnr import psnr
from jaxir.metrics.score import Score, measure
from jaxir.metrics.ssim import ssim

__all__ = [
    "Score",
    "bits_per_dimension",
    "luma",
    "mean_interval",
    "measure",
    "psnr",
    "rgb",
    "ssim",
]
