"""A photograph without blur, noise or the marks of a JPEG, for what measures them."""

import functools

import numpy as np
from skimage import data as photographs


@functools.cache
def photograph() -> np.ndarray:
    """A sharp photograph of 192 × 256 pixels, in [-1, 1]."""
    astronaut = photographs.astronaut()[:384, :512].astype(float)
    return astronaut.reshape(192, 2, 256, 2, 3).mean((1, 3)) / 127.5 - 1
