"""Bicubic enlargement, what super-resolution is compared with."""

from __future__ import annotations

from jaxir.degradations import Degradation, bicubic_upsample
from jaxir.typing import Image


def bicubic(y: Image, degradation: Degradation) -> Image:
    """The measurement enlarged to the image's size by Keys' cubic; noise is left as it is.

    Args:
        y: the low-resolution image, in [-1, 1].
        degradation: one that reduces height and width by the same whole factor.

    Raises:
        ValueError: if it does not.

    Source: [keys1981cubic] Eq. 15.
    """
    degradation.expect_measurement(y)
    height, width, _ = degradation.operator.shape
    factor = height // y.shape[0]
    if (y.shape[0] * factor, y.shape[1] * factor) != (height, width):
        raise ValueError(
            f"y has shape {y.shape} and the image {degradation.operator.shape}: "
            "bicubic enlargement needs one whole factor between them"
        )
    return bicubic_upsample(y, factor)
