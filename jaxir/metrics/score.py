"""A number with the protocol that makes it comparable."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import jax.numpy as jnp

from jaxir.metrics.colour import rgb
from jaxir.metrics.pair import RANGE
from jaxir.typing import Image, Scalar


@dataclass(frozen=True)
class Score:
    """What was measured, and how.

    Attributes:
        value: the number; dB for PSNR.
        metric: its name.
        data_range: the difference of white and black, 2 for images in [-1, 1].
        crop: the pixels left out along each border.
        colour: the colour space.
    """

    value: float
    metric: str
    data_range: float
    crop: int
    colour: str

    def __str__(self) -> str:
        return (
            f"{self.metric.upper()} {self.value:.4g} "
            f"({self.colour}, range {self.data_range:g}, border {self.crop})"
        )


def measure(
    metric: Callable[[Image, Image], Scalar],
    restored: Image,
    truth: Image,
    *,
    crop: int = 0,
    colour: Callable[[Image], Image] = rgb,
) -> Score:
    """Apply a metric to one pair of images and say how.

    Args:
        metric: `psnr`, `ssim`, or a function of your own (restored, truth) → number.
        restored: one image, in [-1, 1]; it is neither clipped nor rounded.
        truth: what it should be.
        crop: pixels to leave out along each border, ≥ 0; super-resolution takes the factor.
        colour: `rgb`, or `luma` as in super-resolution.

    Raises:
        ValueError: if nothing is left of the images, or the metric refuses them.

    Example:
        >>> measure(psnr, restored, truth, crop=4, colour=luma).value
        28.41
    """
    pair = []
    for name, image in (("restored", restored), ("truth", truth)):
        if crop < 0 or 2 * crop >= min(image.shape[:2]):
            raise ValueError(
                f"crop is {crop} but {name} has shape {image.shape}: pass 0 or more, less than half"
            )
        inside = slice(crop, -crop or None)
        pair.append(colour(jnp.asarray(image)[inside, inside]))
    return Score(float(metric(*pair)), metric.__name__, RANGE, crop, colour.__name__)
