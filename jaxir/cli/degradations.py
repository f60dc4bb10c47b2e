"""Degradations by name, for the shell: `motion(15, 30)|noise(0.05)` reads left to right.

Noise levels are in units of [0, 1] here, as in the tables of papers; this is the door where they become [-1, 1].
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from jaxir.cli import scenes
from jaxir.cli.automatic import expect_measurable, is_automatic, measured
from jaxir.cli.call import Call, bind, parse_call
from jaxir.cli.errors import UsageError
from jaxir.cli.noises import NOISES

if TYPE_CHECKING:
    import numpy as np

    from jaxir.degradations import Degradation, Noise, Operator
    from jaxir.typing import Image

Shape = tuple[int, int, int]


def gaussian(shape: Shape, width: float) -> Operator:
    """Gaussian blur of standard deviation `width` pixels."""
    from jaxir.degradations import gaussian_blur

    return gaussian_blur(shape, width)


def motion(shape: Shape, length: float, angle: float) -> Operator:
    """Motion blur along a line, in pixels and degrees."""
    from jaxir.degradations import motion_blur

    return motion_blur(shape, length, angle)


def defocus(shape: Shape, radius: float) -> Operator:
    """Blur by a disc of `radius` pixels."""
    from jaxir.degradations import defocus_blur

    return defocus_blur(shape, radius)


def psf(shape: Shape, path: str) -> Operator:
    """Blur by the kernel in an image file or an .npy file, scaled to a sum of 1."""
    from jaxir.degradations import Blur

    return Blur(read_kernel(str(path)), shape)


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


def bayer(shape: Shape, pattern: str = "RGGB") -> Operator:
    """The raw image behind a colour filter array, one channel."""
    from jaxir import degradations

    return degradations.bayer(shape, pattern)


def hadamard(shape: Shape, rate: float = 0.25, seed: int = 0) -> Operator:
    """A share of the Walsh–Hadamard coordinates, as an image of them; sides are powers of two."""
    import jax

    from jaxir.degradations import hadamard_sensing

    return hadamard_sensing(jax.random.key(seed), shape, rate=rate)


def fourier(shape: Shape, rate: float = 0.25, seed: int = 0) -> Operator:
    """A share of the frequencies, as an image of their real (Hartley) coordinates."""
    import jax

    from jaxir.degradations import fourier_sensing

    return fourier_sensing(jax.random.key(seed), shape, rate=rate)


def jpeg(shape: Shape, quality: int) -> Operator:
    """JPEG with 4:2:0, of quality 1 to 100."""
    from jaxir.degradations import JPEG

    return JPEG(quality, shape)


def quantise(shape: Shape, levels: int) -> Operator:
    """Rounded to so many levels."""
    from jaxir.degradations import Quantise

    return Quantise(levels, shape)


def clip(shape: Shape, gain: float) -> Operator:
    """Contrast times `gain`, cut at black and white."""
    from jaxir.degradations import Clip

    return Clip(gain, shape)


def read_kernel(path: str) -> np.ndarray:
    """The blur kernel in a file: what is brighter weighs more, and black nothing.

    Raises:
        UsageError: if it is not one kernel with a positive sum.
    """
    import numpy as np

    from jaxir.data import read_image

    kernel = np.load(path) if path.endswith(".npy") else (read_image(path).mean(axis=-1) + 1) / 2
    if kernel.ndim != 2 or not kernel.sum() > 0:
        raise UsageError(
            f"{path} holds numbers of shape {kernel.shape} with sum {kernel.sum():g}, expected a kernel "
            "(height, width) with a positive sum: give an image of the blurred point"
        )
    return kernel / kernel.sum()


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
    return shape[0] + 2 * margin, shape[1] + 2 * margin, shape[2]


def _one_channel(shape: Shape, *_: object, **__: object) -> Shape:
    return shape[0], shape[1], 1


def _three_channels(shape: Shape, *_: object, **__: object) -> Shape:
    return shape[0], shape[1], 3


class Stage(NamedTuple):
    """An operator for the shell, and how it changes the shape of an image, both ways."""

    build: Callable[..., Operator]
    forward: Callable[..., Shape] = lambda shape, *_, **__: shape
    backward: Callable[..., Shape] = lambda shape, *_, **__: shape


STAGES = {
    "gaussian": Stage(gaussian),
    "motion": Stage(motion),
    "defocus": Stage(defocus),
    "psf": Stage(psf),
    "bicubic": Stage(bicubic, _reduced, _enlarged),
    "area": Stage(area, _reduced, _enlarged),
    "nearest": Stage(nearest, _reduced, _enlarged),
    "box": Stage(box),
    "random": Stage(random),
    "mask": Stage(mask),
    "crop": Stage(crop, _trimmed, _extended),
    "grey": Stage(grey, _one_channel, _three_channels),
    "bayer": Stage(bayer, _one_channel, _three_channels),
    "hadamard": Stage(hadamard),
    "fourier": Stage(fourier),
    "jpeg": Stage(jpeg),
    "quantise": Stage(quantise),
    "clip": Stage(clip),
    "haze": Stage(scenes.haze),
    "rain": Stage(scenes.rain),
    "snow": Stage(scenes.snow),
    "drops": Stage(scenes.drops),
    "shadow": Stage(scenes.shadow),
    "lowlight": Stage(scenes.low_light),
    "scratches": Stage(scenes.scratches),
    "fade": Stage(scenes.fade),
    "sepia": Stage(scenes.sepia),
}


class Recipe(NamedTuple):
    """A degradation as the shell wrote it, before the size of the image is known.

    A sigma of None, or a call with `auto`, is read from the degraded image by `measured`.
    """

    calls: tuple[Call, ...]
    sigma: float | None
    law: Callable[[], Noise] | None = None
    """The noise where it is not Gaussian."""

    @property
    def one_channel(self) -> bool:
        """Whether a photo in colour becomes an image of one channel."""
        return any(STAGES[call.name].forward is _one_channel for call in self.calls)

    def measured(self, y: Image) -> Recipe:
        """The same with numbers in the place of every `auto`, which are printed."""
        sigma = self.sigma
        if sigma is None:
            (sigma,) = measured(Call("noise", ("auto",), {}), y).positional
        calls = tuple(measured(call, y) for call in self.calls)
        return self._replace(calls=calls, sigma=sigma)

    def for_clean(self, shape: Shape) -> Degradation:
        """The degradation of a clean image of this shape."""
        from jaxir.degradations import Degradation, GaussianNoise, Identity

        if self.sigma is None or any(is_automatic(call) for call in self.calls):
            raise UsageError("auto is read from a degraded image: to spoil one, give numbers")
        builders = {name: stage.build for name, stage in STAGES.items()}
        operator: Operator | None = None
        for call in self.calls:
            stage = bind(call, builders, "degradation", shape)()
            operator = stage if operator is None else stage @ operator
            shape = STAGES[call.name].forward(shape, *call.positional, **call.named)
        noise = self.law() if self.law else GaussianNoise(2 * self.sigma)
        return Degradation(operator or Identity(shape), noise)

    def for_degraded(self, shape: Shape) -> Degradation:
        """The degradation whose result has this shape."""
        for call in reversed(self.calls):
            shape = STAGES[call.name].backward(shape, *call.positional, **call.named)
        return self.for_clean(shape)


def parse_degradation(text: str) -> Recipe:
    """Parse `stage|stage|...|noise(sigma)`, the noise last and with σ in [0, 1] units; `auto` may be its argument.

    Raises:
        UsageError: if a stage is unknown, misses an argument, or noise is not the last one.
    """
    if not text.strip():
        raise UsageError(
            'the degradation is empty: write "motion(15,30)|noise(0.05)", for instance'
        )
    calls = [parse_call(part) for part in text.split("|")]
    noises = {"noise": _noise, **NOISES}
    builders = {name: stage.build for name, stage in STAGES.items()} | noises
    expect_measurable(calls)
    sigma: float | None = 0.0
    law = None
    for position, call in enumerate(calls):
        if call.name in noises and position != len(calls) - 1:
            raise UsageError(f"{call.name} must be the last stage of {text!r}")
        if is_automatic(call):
            sigma = None if call.name == "noise" else sigma
            continue
        build = bind(call, builders, "degradation", (8, 8, 3))
        if call.name == "noise":
            sigma = build()
        elif call.name in NOISES:
            law = build
    return Recipe(tuple(call for call in calls if call.name not in noises), sigma, law)


def _noise(shape: Shape, sigma: float) -> float:
    if not 0 <= sigma < math.inf:
        raise UsageError(
            f"noise takes a standard deviation of 0 or more in units of [0, 1], got {sigma}: "
            "write noise(0.05)"
        )
    return float(sigma)
