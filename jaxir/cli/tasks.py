"""The standard tasks of `jaxir demo` and `jaxir bench`: how a photo is spoiled, and what to compare with."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import jax

from jaxir import classical
from jaxir.degradations import (
    Degradation,
    GaussianNoise,
    Identity,
    bicubic_downsample,
    box_mask,
    gaussian_blur,
    motion_blur,
    random_mask,
)

if TYPE_CHECKING:
    from jaxir.degradations import Operator
    from jaxir.typing import Image, Key, Measurement

SIGMA = 0.05
"""Noise of every task, in [0, 1] units."""

Shape = tuple[int, int, int]
Restorer = Callable[["Measurement", Degradation], "Image"]


class Task(NamedTuple):
    """A way to spoil a photo.

    Attributes:
        title: for people.
        degradation: (key, shape) -> degradation.
        view: the measurement as an image of full size, the input that a method must beat.
        baselines: classical methods by name, with weights tuned for this task on training photographs by
            benchmarks/tune_classical.py.
    """

    title: str
    degradation: Callable[[Key, Shape], Degradation]
    view: Restorer
    baselines: dict[str, Restorer]


def _as_is(y: Measurement, degradation: Degradation) -> Image:
    return y


def _noisy(operator: Operator) -> Degradation:
    return Degradation(operator, GaussianNoise(2 * SIGMA))


def _tv(weight: float) -> Restorer:
    return functools.partial(classical.total_variation, weight=weight)


TASKS = {
    "denoise": Task(
        "noise alone",
        lambda key, shape: _noisy(Identity(shape)),
        _as_is,
        {"TV": _tv(0.905)},
    ),
    "bicubic2": Task(
        "2 times smaller",
        lambda key, shape: _noisy(bicubic_downsample(shape, 2)),
        classical.bicubic,
        {"TV": _tv(0.32)},
    ),
    "gaussian": Task(
        "Gaussian blur of 1.6 px",
        lambda key, shape: _noisy(gaussian_blur(shape, 1.6)),
        _as_is,
        {"Wiener": classical.wiener, "TV": _tv(0.226)},
    ),
    "motion": Task(
        "motion blur, 11 px at 30 degrees",
        lambda key, shape: _noisy(motion_blur(shape, 11, 30)),
        _as_is,
        {"Wiener": classical.wiener, "TV": _tv(0.226)},
    ),
    "bicubic": Task(
        "4 times smaller",
        lambda key, shape: _noisy(bicubic_downsample(shape, 4)),
        classical.bicubic,
        {"TV": _tv(0.16)},
    ),
    "random": Task(
        "92 % of pixels missing",
        lambda key, shape: _noisy(random_mask(key, shape, missing=0.92)),
        _as_is,
        {"TV": _tv(0.16)},
    ),
    "box": Task(
        "hole of a quarter of the width",
        lambda key, shape: _noisy(box_mask(shape, shape[1] // 4)),
        _as_is,
        {"TV": _tv(0.905)},
    ),
}


def spoil(task: Task, key: Key, image: Image) -> tuple[Degradation, Measurement]:
    """Draw the task's degradation and the measurement of an image."""
    mask_key, noise_key = jax.random.split(key)
    height, width, channels = image.shape
    degradation = task.degradation(mask_key, (height, width, channels))
    return degradation, degradation.sample(noise_key, image)
