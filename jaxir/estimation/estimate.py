"""A number read from a picture, and how far to trust it.

How sure an estimator is cannot be taken from its own formula where that rests on what photographs are like; but
the four quarters of a picture are four pictures spoiled alike, and where they disagree there is doubt.

A large photograph has more evidence than is needed: what is measured are at most 4 × 4 squares of it, evenly spread,
so that time and memory are bounded. A smaller one is a single square, itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from jaxir.typing import Image

BLOCK = 8
"""Squares and quarters begin at a multiple of it, so that the blocks of a JPEG stay whole."""

SQUARE, ACROSS = 256, 4
"""The side of a square in pixels, and how many of them there are at most along an axis."""

Picture = Image | Float[np.ndarray, "h w c"]
"""An image wherever it is, on a device or on the host."""

Squares = Float[np.ndarray, "n h w c"]
"""The parts of a picture that are measured."""

Measure = Callable[[Squares], float]
"""What reads one number from a picture."""


class Estimate(NamedTuple):
    """What an image says of how it was spoiled.

    Attributes:
        value: the estimate.
        deviation: its scatter as a standard deviation, in the same units: half of that over the quarters of
            the picture, each of which has a fourth of the evidence. NaN where a quarter is too small to say
            anything. A large one is a warning; a small one is no promise, since it does not see what all
            quarters share, a soft lens or the photograph's own noise: benchmarks/estimation.py counts how
            often the error is below two of them.
    """

    value: float
    deviation: float

    @property
    def least(self) -> float:
        """What is left when two deviations are taken off, where there are any."""
        return self.value - 2 * float(np.nan_to_num(self.deviation))


def estimate(measure: Measure, image: Picture, *, smallest: int) -> Estimate:
    """`measure` of the whole picture, with the deviation that its quarters show.

    Args:
        measure: from the squares of a picture, of type float64, to the number.
        image: in [-1, 1].
        smallest: height and width that `measure` needs, in pixels.

    Raises:
        ValueError: if the picture is smaller, not (H, W, C), or not finite.
    """
    squares = squares_of(image, smallest)
    found = np.array([measure(part) for part in quarters(squares, smallest)])
    return Estimate(measure(squares), quarter_deviation(found))


def quarter_deviation(found: Float[np.ndarray, " n"]) -> float:
    """The standard deviation of an estimate of the whole, from those of its quarters; NaN without any."""
    return float(np.std(found, ddof=1)) / 2 if found.size else float("nan")


def squares_of(image: Picture, smallest: int) -> Squares:
    """What is measured of the image, in float64, on the host.

    Along an axis of less than two squares it is all of the image, and else squares from end to end.

    Raises:
        ValueError: if it is smaller, not (H, W, C), or not finite.
    """
    picture = np.asarray(image)
    if picture.ndim != 3 or min(picture.shape[:2]) < smallest:
        raise ValueError(
            f"image has shape {picture.shape} but the estimate needs (H, W, C) of at least "
            f"{smallest} × {smallest} pixels: pass a larger part of the photograph"
        )
    if not np.all(np.isfinite(picture)):
        raise ValueError("image holds values that are not finite: pass a float image in [-1, 1]")
    rows, columns = (_stretches(size) for size in picture.shape[:2])
    return np.stack([picture[where] for where in product(rows, columns)]).astype(np.float64)


def _stretches(size: int) -> list[slice]:
    if size < 2 * SQUARE:
        return [slice(None)]
    starts = np.linspace(0, size - SQUARE, min(size // SQUARE, ACROSS)).astype(int)
    return [slice(start, start + SQUARE) for start in starts // BLOCK * BLOCK]


def quarters(squares: Squares, smallest: int) -> Sequence[Squares]:
    """The quarters of a picture: of its squares where there are enough, or else of each; none if they are too small."""
    if len(squares) >= 4:
        return np.array_split(squares, 4)
    height, width = (size // 2 // BLOCK * BLOCK for size in squares.shape[1:3])
    if min(height, width) < smallest:
        return []
    corners = product((0, height), (0, width))
    return [squares[:, row : row + height, column : column + width] for row, column in corners]
