"""How a camera moved while the shutter was open, from the photograph."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from jaxir.estimation.estimate import Estimate, as_picture, quarter_deviation, quarters
from jaxir.estimation.spectrum import EXPONENT, Spectrum, power_spectrum
from jaxir.typing import Image

TILE, SMALLEST = 128, 64
"""The side of a tile of the spectrum, and of one where the picture is smaller, in pixels."""
HIGHEST = 0.35
"""Frequencies above it, in cycles a pixel, say little but noise."""
LENGTHS, ANGLES = np.arange(2.0, 41.0), np.arange(0.0, 180.0, 6.0)
"""The lengths (pixels) and angles (degrees) that are compared first."""
REFINEMENTS = ((0.5, 2.0), (0.25, 0.67))
"""Then around the best, in these steps of both."""
FLOORS = np.geomspace(1e-3, 3, 6)
"""The values of ν, relative to the spectrum at a frequency of 0.2."""
DEPTH = 1e-3
"""What the window leaves of the power at a zero of the blur."""


class Motion(NamedTuple):
    """A straight motion, as `motion_blur` takes it.

    Attributes:
        length: in pixels, from 1 to 41.
        angle: in degrees from 0 to 180, counter-clockwise from the horizontal.
    """

    length: Estimate
    angle: Estimate


def motion_blur_line(image: Image) -> Motion:
    """The length L and the angle θ of a straight motion blur.

    A line of length L has K = sinc(L f·u), u its direction: parallel dark stripes across the spectrum, 1/L
    apart. L and θ minimise what they leave of the spectrum,

        min over ν and β of Σ_f ( log P − log( K² + ν |f|^α ) − β·r )²

    where r are a constant, log|f| and the second and fourth harmonics of the direction, in which
    photographs differ. Weights fall as 1/|f|, so that each octave counts.

    Args:
        image: in [-1, 1], at least 64 × 64 pixels and three times the length.

    Raises:
        ValueError: if it is too small or not finite.

    Source: [cannon1976blur] for the zeros; [field1987images] for the spectrum of photographs.
    """
    picture = as_picture(image, SMALLEST)
    length, angle = _line(picture)
    lengths, angles = np.reshape([_line(part) for part in quarters(picture, SMALLEST)], (-1, 2)).T
    turned = (angles - angle + 90) % 180 - 90  # 179° is 2° away from 1°
    return Motion(
        Estimate(length, quarter_deviation(lengths)), Estimate(angle, quarter_deviation(turned))
    )


def _line(picture: Float[np.ndarray, "h w c"]) -> tuple[float, float]:
    tile = TILE if min(picture.shape[:2]) >= TILE else SMALLEST
    spectrum = power_spectrum(picture, tile)
    kept = spectrum.radius < HIGHEST
    spectrum = Spectrum(*(part[kept] for part in spectrum))
    nuisance, weight = _nuisance(spectrum)

    def unexplained(logarithm: Float[np.ndarray, "... n"]) -> Float[np.ndarray, "... n"]:
        weighted = logarithm * weight
        return weighted - (weighted @ nuisance) @ nuisance.T

    target = unexplained(spectrum.log_power)
    noise = (spectrum.radius / 0.2) ** EXPONENT

    def misfit(length: float, angle: float) -> float:
        row, column = -np.sin(np.radians(angle)), np.cos(np.radians(angle))
        along = row * spectrum.rows + column * spectrum.columns
        square = np.sinc(length * along) ** 2 + DEPTH
        found = unexplained(np.log(square + FLOORS[:, None] * noise))
        return float(np.min(np.sum((target - found) ** 2, axis=-1)))

    def best(lengths: np.ndarray, angles: np.ndarray) -> tuple[float, float]:
        pairs = [(float(length), float(angle)) for length in lengths for angle in angles]
        return min(pairs, key=lambda pair: misfit(*pair))

    length, angle = best(LENGTHS, ANGLES)
    for pixels, degrees in REFINEMENTS:
        lengths = np.maximum(length + pixels * np.arange(-2, 3), 1)
        length, angle = best(lengths, angle + degrees * np.arange(-3, 4))
    return length, angle % 180


def _nuisance(
    spectrum: Spectrum,
) -> tuple[Float[np.ndarray, "n k"], Float[np.ndarray, " n"]]:
    """An orthonormal basis of what is not blur, under the weights √(1/|f|), and those."""
    weight = spectrum.radius**-0.5
    direction = np.arctan2(spectrum.rows, spectrum.columns)
    harmonics = [wave(n * direction) for n in (2, 4) for wave in (np.cos, np.sin)]
    terms = [np.ones_like(weight), np.log(spectrum.radius), *harmonics]
    return np.linalg.qr(np.stack(terms, axis=1) * weight[:, None])[0], weight
