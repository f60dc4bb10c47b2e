"""What a photograph suffers from, all of it: which of the estimates are large enough to be acted on.

Every estimator finds something in every photograph: none is quite sharp, and fine texture looks like noise. What is
undone must therefore be larger than what sound photographs show. The limits were set on BSDS500's training part, on
t91 and on the photographs as they are of Set5 and McMaster; benchmarks/auto_degradation.py counts the false alarms,
and what is lost and won, on others.

A blur is believed where it explains the spectrum, and not only where its parameter is large: the misfit that it
leaves is held against that of no blur, and a line's against a Gaussian's too.

JPEG is no stage of its own here. Its error is taken for noise, which every method can weigh, where the codec itself is
not linear.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from jaxir.estimation.estimate import Estimate, Picture, squares_of
from jaxir.estimation.gaussian_blur import gaussian_blur_width
from jaxir.estimation.jpeg import jpeg_error, jpeg_quality
from jaxir.estimation.motion_blur import Motion, fitted_line, line_power, motion_blur_line
from jaxir.estimation.noise import noise_level
from jaxir.estimation.spectrum_fit import SMALLEST, SpectrumFit

SMALLEST_NOISE = 32
"""The side that the noise and the blocks of a JPEG need, in pixels."""
QUIET = 0.015
"""A noise up to here is left out, in units of [-1, 1]: sound photographs have up to 0.012, but for the grainiest."""
FLOOR, KERNEL = 0.004, 0.01
"""The noise of a photograph where it is left out, half a grey level: a restoration then stays with what it was given;
and the least beside a blur, whose kernel is never quite right."""
SOFT = 0.65
"""A Gaussian blur up to this width is left out, in pixels: sound photographs have up to 0.57."""
EXPLAINED_BY_GAUSSIAN, EXPLAINED_BY_LINE = 0.8, 0.75
"""The largest share of the misfit that is left by a blur which is believed. A Gaussian's, of no blur's: above 0.9 for
most sharp photographs, and those whose share is smaller are below `SOFT`. A line's, of no blur's or a Gaussian's,
whichever is less: below 0.66 for motions from 4 pixels on, and above 0.82 for all else."""
LONGEST = 1 / 6
"""The longest motion that is believed, as a share of the picture's shorter side: a spectrum of so few patches has
stripes of its own."""
WIDTHS = np.arange(0.5, 8.1, 0.25)
"""The Gaussian blurs that are compared, in pixels."""


class Diagnosis(NamedTuple):
    """What is seen in a photograph, and what of it matters.

    An estimate is None where the photograph is too small for it, or where it sees nothing.

    Attributes:
        blur: what is to be undone: the width of a Gaussian blur in pixels, a motion, or None.
        width: of a Gaussian blur, whether it matters or not, in pixels.
        noise: the standard deviation of white noise, in units of [-1, 1].
        quality: of a JPEG.
        lost: the error that this quality has made, in units of [-1, 1].
    """

    blur: Estimate | Motion | None
    width: Estimate | None
    noise: Estimate | None
    quality: Estimate | None
    lost: float

    @property
    def noisy(self) -> bool:
        """Whether noise and JPEG matter."""
        return self._sure > QUIET

    @property
    def sigma(self) -> float:
        """The noise to restore with, in units of [-1, 1]."""
        least = FLOOR if self.blur is None else KERNEL
        return self._sure if self.noisy else least

    @property
    def _sure(self) -> float:
        """The root of what is sure of the white noise's variance, and of what JPEG adds."""
        white = 0.0 if self.noise is None else max(self.noise.least, 0.0)
        return math.hypot(white, self.lost)


def diagnose(image: Picture) -> Diagnosis:
    """What a photograph suffers from: blur, noise and JPEG.

    Args:
        image: in [-1, 1], of any size. One below 64 × 64 pixels says nothing of its blur, and one below 32 × 32
            nothing at all.

    Raises:
        ValueError: if it is not (H, W, C) or not finite.
    """
    squares_of(image, 1)
    side, channels = min(image.shape[:2]), image.shape[2]
    noise = noise_level(image) if side >= SMALLEST_NOISE else None
    quality = jpeg_quality(image) if side >= SMALLEST_NOISE and channels in (1, 3) else None
    if quality is not None and math.isnan(quality.value):
        quality = None
    lost = 0.0 if quality is None else jpeg_error(image, quality.value)
    width = gaussian_blur_width(image) if side >= SMALLEST else None
    blur = None if width is None else _blur(image, width)
    return Diagnosis(blur, width, noise, quality, lost)


def _blur(image: Picture, width: Estimate) -> Estimate | Motion | None:
    """The blur that explains the spectrum, where one does."""
    fit = SpectrumFit.of(squares_of(image, SMALLEST))
    none = fit.misfit(np.ones_like(fit.weight))
    round_ = min(fit.misfit(np.exp(-((2 * np.pi * w * fit.spectrum.radius) ** 2))) for w in WIDTHS)
    length, angle = fitted_line(fit)
    line = fit.misfit(line_power(fit, length, angle))
    if line < EXPLAINED_BY_LINE * min(none, round_) and length < LONGEST * min(image.shape[:2]):
        return motion_blur_line(image)
    if width.least > SOFT and round_ < EXPLAINED_BY_GAUSSIAN * none:
        return width
    return None
