"""Blurs by name, for the shell; lengths in pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jaxir.cli.errors import UsageError
from jaxir.cli.stage import Shape, Stage

if TYPE_CHECKING:
    import numpy as np

    from jaxir.degradations import Operator


def gaussian(shape: Shape, width: float) -> Operator:
    """Gaussian blur of standard deviation `width`."""
    from jaxir.degradations import gaussian_blur

    return gaussian_blur(shape, width)


def motion(shape: Shape, length: float, angle: float) -> Operator:
    """Motion blur along a line, the angle in degrees."""
    from jaxir.degradations import motion_blur

    return motion_blur(shape, length, angle)


def defocus(shape: Shape, radius: float) -> Operator:
    """Blur by a disc."""
    from jaxir.degradations import defocus_blur

    return defocus_blur(shape, radius)


def psf(shape: Shape, path: str) -> Operator:
    """Blur by the kernel in an image file or an .npy file, scaled to a sum of 1."""
    from jaxir.degradations import Blur

    return Blur(read_kernel(str(path)), shape)


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


BLURS = {
    "gaussian": Stage(gaussian),
    "motion": Stage(motion),
    "defocus": Stage(defocus),
    "psf": Stage(psf),
}
"""Names to stages."""
