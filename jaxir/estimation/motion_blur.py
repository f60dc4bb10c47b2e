"""How a camera moved while the shutter was open, from the photograph."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from jaxir.estimation.estimate import (
    Estimate,
    Picture,
    quarter_deviation,
    quarters,
    squares_of,
)
from jaxir.estimation.spectrum_fit import SMALLEST, SpectrumFit

LENGTHS, ANGLES = np.arange(2.0, 41.0), np.arange(0.0, 180.0, 6.0)
"""The lengths (pixels) and angles (degrees) that are compared first."""
REFINEMENTS = ((0.5, 2.0), (0.25, 0.67))
"""Then around the best, in these steps of both."""


class Motion(NamedTuple):
    """A straight motion, as `motion_blur` takes it.

    Attributes:
        length: in pixels, from 1 to 41.
        angle: in degrees from 0 to 180, counter-clockwise from the horizontal.
    """

    length: Estimate
    angle: Estimate


def motion_blur_line(image: Picture) -> Motion:
    """The length L and the angle θ of a straight motion blur.

    A line of length L has K = sinc(L f·u), u its direction: parallel dark stripes across the spectrum, 1/L
    apart. L and θ minimise what they leave of the spectrum,

        min over ν and β of Σ_f ( log P − log( K² + ν |f|^α ) − β·r )²

    as in `SpectrumFit`.

    Args:
        image: in [-1, 1], at least 64 × 64 pixels and three times the length.

    Raises:
        ValueError: if it is too small or not finite.

    Source: [cannon1976blur] for the zeros; [field1987images] for the spectrum of photographs.
    """
    squares = squares_of(image, SMALLEST)
    length, angle = fitted_line(SpectrumFit.of(squares))
    found = [fitted_line(SpectrumFit.of(part)) for part in quarters(squares, SMALLEST)]
    lengths, angles = np.reshape(found, (-1, 2)).T
    turned = (angles - angle + 90) % 180 - 90  # 179° is 2° away from 1°
    return Motion(
        Estimate(length, quarter_deviation(lengths)), Estimate(angle, quarter_deviation(turned))
    )


def line_power(fit: SpectrumFit, length: float, angle: float) -> Float[np.ndarray, " n"]:
    """K² = sinc²(L f·u) at the frequencies of a fit."""
    row, column = -np.sin(np.radians(angle)), np.cos(np.radians(angle))
    return np.sinc(length * (row * fit.spectrum.rows + column * fit.spectrum.columns)) ** 2


def fitted_line(fit: SpectrumFit) -> tuple[float, float]:
    """The length and the angle that leave least of a spectrum."""

    def best(lengths: np.ndarray, angles: np.ndarray) -> tuple[float, float]:
        pairs = [(float(length), float(angle)) for length in lengths for angle in angles]
        return min(pairs, key=lambda pair: fit.misfit(line_power(fit, *pair)))

    length, angle = best(LENGTHS, ANGLES)
    for pixels, degrees in REFINEMENTS:
        lengths = np.maximum(length + pixels * np.arange(-2, 3), 1)
        length, angle = best(lengths, angle + degrees * np.arange(-3, 4))
    return length, angle % 180
