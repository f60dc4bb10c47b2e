"""A number read from a picture, and how far to trust it.

How sure an estimator is cannot be taken from its own formula where that rests on what photographs are like; but
the four quarters of a picture are four pictures spoiled alike, and where they disagree there is doubt.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from jaxir.typing import Image

BLOCK = 8
"""Quarters begin at a multiple of it, so that the blocks of a JPEG stay whole."""

Measure = Callable[[Float[np.ndarray, "h w c"]], float]
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


def estimate(measure: Measure, image: Image, *, smallest: int) -> Estimate:
    """`measure` of the whole picture, with the deviation that its quarters show.

    Args:
        measure: from a picture of type float64 to the number.
        image: in [-1, 1].
        smallest: height and width that `measure` needs, in pixels.

    Raises:
        ValueError: if the picture is smaller, not (H, W, C), or not finite.
    """
    picture = as_picture(image, smallest)
    found = np.array([measure(part) for part in quarters(picture, smallest)])
    return Estimate(measure(picture), quarter_deviation(found))


def quarter_deviation(found: Float[np.ndarray, " n"]) -> float:
    """The standard deviation of an estimate of the whole, from those of its quarters; NaN without any."""
    return float(np.std(found, ddof=1)) / 2 if found.size else float("nan")


def as_picture(image: Image, smallest: int) -> Float[np.ndarray, "h w c"]:
    """The image in float64, on the host.

    Raises:
        ValueError: if it is smaller, not (H, W, C), or not finite.
    """
    picture = np.asarray(image, np.float64)
    if picture.ndim != 3 or min(picture.shape[:2]) < smallest:
        raise ValueError(
            f"image has shape {picture.shape} but the estimate needs (H, W, C) of at least "
            f"{smallest} × {smallest} pixels: pass a larger part of the photograph"
        )
    if not np.all(np.isfinite(picture)):
        raise ValueError("image holds values that are not finite: pass a float image in [-1, 1]")
    return picture


def quarters(
    picture: Float[np.ndarray, "h w c"], smallest: int
) -> Iterator[Float[np.ndarray, "h2 w2 c"]]:
    """The four quarters of a picture; none if they are smaller than that."""
    height, width = (size // 2 // BLOCK * BLOCK for size in picture.shape[:2])
    if min(height, width) >= smallest:
        for part in (picture[:height], picture[height : 2 * height]):
            yield from (part[:, :width], part[:, width : 2 * width])
