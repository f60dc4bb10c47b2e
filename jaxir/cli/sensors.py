"""What a sensor takes of an image and how a file keeps it, by name, for the shell; chance comes from a seed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jaxir.cli.errors import UsageError
from jaxir.cli.stage import Shape, Stage

if TYPE_CHECKING:
    from jaxir.degradations import Operator


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


def one_channel(shape: Shape, *_: object, **__: object) -> Shape:
    """A colour becomes a number."""
    return *shape[:2], 1


def three_channels(shape: Shape, *_: object, **__: object) -> Shape:
    """And was one of three."""
    return *shape[:2], 3


SENSORS = {
    "box": Stage(box),
    "random": Stage(random),
    "mask": Stage(mask),
    "grey": Stage(grey, one_channel, three_channels),
    "bayer": Stage(bayer, one_channel, three_channels),
    "hadamard": Stage(hadamard),
    "fourier": Stage(fourier),
    "jpeg": Stage(jpeg),
    "quantise": Stage(quantise),
    "clip": Stage(clip),
}
"""Names to stages."""
