"""What changes the size of an image, by name, for the shell."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jaxir.cli.stage import Shape, Stage

if TYPE_CHECKING:
    from jaxir.degradations import Operator


def bicubic(shape: Shape, factor: float) -> Operator:
    """Antialiased bicubic reduction; a whole factor must divide the image."""
    from jaxir.degradations import bicubic_downsample

    return bicubic_downsample(shape, factor)


def area(shape: Shape, factor: float) -> Operator:
    """Mean of blocks of factor × factor pixels; a whole factor must divide the image."""
    from jaxir.degradations import area_downsample

    return area_downsample(shape, factor)


def nearest(shape: Shape, factor: float) -> Operator:
    """Every factor-th pixel; a whole factor must divide the image."""
    from jaxir.degradations import nearest_downsample

    return nearest_downsample(shape, factor)


def crop(shape: Shape, margin: int) -> Operator:
    """Without a margin on each side: what a camera sees of a scene that goes on beyond the picture."""
    from jaxir.degradations import Crop

    return Crop(shape, margin)


def _reduced(shape: Shape, factor: float) -> Shape:
    return _sized(shape, 1 / factor if factor else 0.0)


def _enlarged(shape: Shape, factor: float) -> Shape:
    return _sized(shape, factor)


def _sized(shape: Shape, factor: float) -> Shape:
    height, width = (max(round(size * factor), 1) for size in shape[:2])
    return height, width, shape[2]


def _trimmed(shape: Shape, margin: int) -> Shape:
    return shape[0] - 2 * margin, shape[1] - 2 * margin, shape[2]


def _extended(shape: Shape, margin: int) -> Shape:
    return _trimmed(shape, -margin)


SIZES = {
    "bicubic": Stage(bicubic, _reduced, _enlarged),
    "area": Stage(area, _reduced, _enlarged),
    "nearest": Stage(nearest, _reduced, _enlarged),
    "crop": Stage(crop, _trimmed, _extended),
}
"""Names to stages."""
