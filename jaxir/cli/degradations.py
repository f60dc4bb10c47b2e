"""Degradations by name, for the shell: `motion(15, 30)|noise(0.05)` reads left to right.

Noise levels are in units of [0, 1] here, as in the tables of papers; this is the door where they become [-1, 1].
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from jaxir.cli.call import Call, bind, parse_call
from jaxir.cli.errors import UsageError

if TYPE_CHECKING:
    from jaxir.degradations import Degradation, Operator

Shape = tuple[int, int, int]


def gaussian(shape: Shape, width: float) -> Operator:
    """Gaussian blur of standard deviation `width` pixels."""
    from jaxir.degradations import gaussian_blur

    return gaussian_blur(shape, width)


def motion(shape: Shape, length: float, angle: float) -> Operator:
    """Motion blur along a line, in pixels and degrees."""
    from jaxir.degradations import motion_blur

    return motion_blur(shape, length, angle)


def bicubic(shape: Shape, factor: int) -> Operator:
    """Antialiased bicubic reduction by an integer factor."""
    from jaxir.degradations import bicubic_downsample

    return bicubic_downsample(shape, factor)


def area(shape: Shape, factor: int) -> Operator:
    """Mean of blocks of factor × factor pixels."""
    from jaxir.degradations import area_downsample

    return area_downsample(shape, factor)


def box(shape: Shape, size: int) -> Operator:
    """A square hole in the middle."""
    from jaxir.degradations import box_mask

    return box_mask(shape, size)


def random(shape: Shape, missing: float = 0.92, seed: int = 0) -> Operator:
    """Pixels missing by chance; the same seed gives the same pixels."""
    import jax

    from jaxir.degradations import random_mask

    return random_mask(jax.random.key(seed), shape, missing=missing)


def mask(shape: Shape, path: str) -> Operator:
    """A mask from an image file: white is known, black is missing."""
    from jaxir.data import read_image
    from jaxir.degradations import Mask

    known = read_image(str(path)).mean(axis=-1) > 0
    if known.shape != shape[:2]:
        raise UsageError(
            f"mask {path} is {known.shape[0]}×{known.shape[1]} but the image is {shape[0]}×{shape[1]}: "
            "give a mask of the image's size"
        )
    return Mask(known, shape)


def crop(shape: Shape, margin: int) -> Operator:
    """Without a margin on each side: what a camera sees of a scene that goes on beyond the picture."""
    from jaxir.degradations import Crop

    return Crop(shape, margin)


def grey(shape: Shape) -> Operator:
    """Luma of Rec. 601."""
    from jaxir import degradations

    return degradations.grey(shape)


def _reduced(shape: Shape, factor: int) -> Shape:
    return shape[0] // factor, shape[1] // factor, shape[2]


def _enlarged(shape: Shape, factor: int) -> Shape:
    return shape[0] * factor, shape[1] * factor, shape[2]


def _trimmed(shape: Shape, margin: int) -> Shape:
    return shape[0] - 2 * margin, shape[1] - 2 * margin, shape[2]


def _extended(shape: Shape, margin: int) -> Shape:
    return shape[0] + 2 * margin, shape[1] + 2 * margin, shape[2]


class Stage(NamedTuple):
    """An operator for the shell, and how it changes the shape of an image, both ways."""

    build: Callable[..., Operator]
    forward: Callable[..., Shape] = lambda shape, *_, **__: shape
    backward: Callable[..., Shape] = lambda shape, *_, **__: shape


STAGES = {
    "gaussian": Stage(gaussian),
    "motion": Stage(motion),
    "bicubic": Stage(bicubic, _reduced, _enlarged),
    "area": Stage(area, _reduced, _enlarged),
    "box": Stage(box),
    "random": Stage(random),
    "mask": Stage(mask),
    "crop": Stage(crop, _trimmed, _extended),
    "grey": Stage(grey, lambda shape: (*shape[:2], 1), lambda shape: (*shape[:2], 3)),
}


class Recipe(NamedTuple):
    """A degradation as the shell wrote it, before the size of the image is known."""

    calls: tuple[Call, ...]
    sigma: float

    def for_clean(self, shape: Shape) -> Degradation:
        """The degradation of a clean image of this shape."""
        from jaxir.degradations import Degradation, GaussianNoise, Identity

        builders = {name: stage.build for name, stage in STAGES.items()}
        operator: Operator | None = None
        for call in self.calls:
            stage = bind(call, builders, "degradation", shape)()
            operator = stage if operator is None else stage @ operator
            shape = STAGES[call.name].forward(shape, *call.positional, **call.named)
        return Degradation(operator or Identity(shape), GaussianNoise(2 * self.sigma))

    def for_degraded(self, shape: Shape) -> Degradation:
        """The degradation whose result has this shape."""
        for call in reversed(self.calls):
            shape = STAGES[call.name].backward(shape, *call.positional, **call.named)
        return self.for_clean(shape)


def parse_degradation(text: str) -> Recipe:
    """Parse `stage|stage|...|noise(sigma)`, the noise last and with σ in [0, 1] units.

    Raises:
        UsageError: if a stage is unknown, misses an argument, or noise is not the last one.
    """
    if not text.strip():
        raise UsageError(
            'the degradation is empty: write "motion(15,30)|noise(0.05)", for instance'
        )
    calls = [parse_call(part) for part in text.split("|")]
    builders = {name: stage.build for name, stage in STAGES.items()} | {"noise": _noise}
    sigma = 0.0
    for position, call in enumerate(calls):
        build = bind(call, builders, "degradation", (8, 8, 3))
        if call.name == "noise":
            if position != len(calls) - 1:
                raise UsageError(f"noise must be the last stage of {text!r}")
            sigma = build()
    return Recipe(tuple(call for call in calls if call.name != "noise"), sigma)


def _noise(shape: Shape, sigma: float) -> float:
    if not 0 <= sigma < math.inf:
        raise UsageError(
            f"noise takes a standard deviation of 0 or more in units of [0, 1], got {sigma}: "
            "write noise(0.05)"
        )
    return float(sigma)
