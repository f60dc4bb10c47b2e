"""Resizing, rows and columns apart: y = R x Cᵀ for each channel.

Two small matrices say all. Their singular value decompositions, taken once in float64 when the operator is
made, give those of the whole, since the singular values of R ⊗ C are products: every inverse is closed.

A whole factor must divide the image, since that is what tables of results mean by it. Any other one is a change
of size, to round(size/factor) pixels, and along each axis the ratio of the two sizes is what counts.
"""

from __future__ import annotations

from collections.abc import Callable

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxir.degradations.operator import Spectral, image_shape
from jaxir.typing import Image


class Axis(eqx.Module):
    """A matrix acting along one axis, with its singular values (padded by zeros) and right basis."""

    matrix: Float[Array, "m n"]
    singular_values: Float[Array, " n"]
    basis: Float[Array, "n n"]

    def __init__(self, matrix: Float[np.ndarray, "m n"]):
        _, s, vt = np.linalg.svd(matrix)
        self.matrix = jnp.asarray(matrix)
        self.singular_values = jnp.asarray(np.pad(s, (0, len(vt) - len(s))))
        self.basis = jnp.asarray(vt.T)


class Downsample(Spectral):
    """y = R x Cᵀ, a separable linear map of the rows and columns of every channel.

    Args:
        rows: R, a matrix on columns of pixels, from the image's height to the output's.
        columns: C, from the image's width to the output's.
        shape: of the image.
    """

    rows: Axis
    columns: Axis
    shape: tuple[int, int, int] = eqx.field(static=True, converter=image_shape)

    def __check_init__(self):
        sizes = (self.rows.matrix.shape[1], self.columns.matrix.shape[1])
        if sizes != self.shape[:2]:
            raise ValueError(
                f"the matrices act on {sizes} pixels but the image is {self.shape}: make them for its size"
            )

    def apply(self, x: Image) -> Image:
        """R x Cᵀ."""
        return _both(self.rows.matrix, x, self.columns.matrix)

    @property
    def spectrum(self) -> Float[Array, "h w 1"]:
        """All products of the singular values of R and C."""
        return jnp.outer(self.rows.singular_values, self.columns.singular_values)[..., None]

    def analyse(self, x: Image) -> Image:
        """Along each axis the right singular basis of its matrix."""
        return _both(self.rows.basis.T, x, self.columns.basis.T)

    def synthesise(self, coordinates: Image) -> Image:
        """Back to pixels."""
        return _both(self.rows.basis, coordinates, self.columns.basis)


def bicubic_downsample(shape: tuple[int, int, int], factor: float) -> Downsample:
    """Antialiased bicubic reduction, the protocol of the super-resolution literature (MATLAB's `imresize`).

    Keys' cubic with a = −½, widened by `factor`, with the image reflected at its border. Pillow's BICUBIC is
    the same but for the border, where it cuts the kernel off.

    Args:
        shape: of the image; height and width are multiples of `factor` where that is a whole number.
        factor: by which it becomes smaller, ≥ 1; the new sizes are round(height/factor) and round(width/factor).

    Raises:
        ValueError: if the height or the width is not a multiple of a whole `factor`, or it is below 1.

    Source: [keys1981cubic] Eq. 15.
    """
    return _separable(shape, factor, cubic_weights)


def area_downsample(shape: tuple[int, int, int], factor: float) -> Downsample:
    """The mean of the image over the area of each new pixel; arguments and errors as `bicubic_downsample`.

    Pixels that are covered in part count in part. For whole factors these are the means of blocks.
    """
    return _separable(shape, factor, area_weights)


def nearest_downsample(shape: tuple[int, int, int], factor: float) -> Downsample:
    """The pixel in which the middle of each new one lies; arguments and errors as `bicubic_downsample`.

    It is not antialiased. A middle between two pixels takes the later one, as Pillow's NEAREST.
    """
    return _separable(shape, factor, nearest_weights)


def bicubic_upsample(image: Image, factor: int) -> Image:
    """An image enlarged by bicubic interpolation, the classical baseline of super-resolution.

    Args:
        image: of any height, width and number of channels.
        factor: by which it becomes larger, a whole number ≥ 1.

    Source: [keys1981cubic] Eq. 15.
    """
    rows, columns = (cubic_weights(size, size * factor) for size in image.shape[:2])
    return _both(jnp.asarray(rows), image, jnp.asarray(columns))


def cubic_weights(size: int, new_size: int) -> Float[np.ndarray, "new_size size"]:
    """The matrix that resamples `size` pixels to `new_size` by Keys' cubic, antialiased when it reduces.

    Pixel i of n covers [i, i + 1]/n, so new pixel i lies at (i + ½) size/new_size − ½ of the old ones.
    """
    step = size / new_size
    stretch = max(step, 1.0)
    centre = (np.arange(new_size)[:, None] + 0.5) * step - 0.5
    taps = np.floor(centre).astype(int) + np.arange(-int(2 * stretch) - 1, int(2 * stretch) + 2)
    weights = _cubic((taps - centre) / stretch)
    mirrored = taps % (2 * size)
    mirrored = np.where(mirrored < size, mirrored, 2 * size - 1 - mirrored)
    matrix = np.zeros((new_size, size))
    np.add.at(matrix, (np.arange(new_size)[:, None], mirrored), weights)
    return matrix / matrix.sum(1, keepdims=True)


def area_weights(size: int, new_size: int) -> Float[np.ndarray, "new_size size"]:
    """The matrix of means over [i, i + 1]/new_size of an image that is constant on [j, j + 1]/size."""
    edges = np.arange(new_size + 1)[:, None] * size / new_size
    covered = np.clip(edges - np.arange(size), 0, 1)  # of pixel j, up to the edge
    return np.diff(covered, axis=0) * new_size / size


def nearest_weights(size: int, new_size: int) -> Float[np.ndarray, "new_size size"]:
    """The matrix that takes the pixel at (i + ½) size/new_size, in whole numbers."""
    return np.eye(size)[(2 * np.arange(new_size) + 1) * size // (2 * new_size)]


def _cubic(x: np.ndarray) -> np.ndarray:
    """Keys' kernel with a = −½: 1 at 0, 0 at the other integers and beyond 2."""
    x = np.abs(x)
    inner = 1.5 * x**3 - 2.5 * x**2 + 1
    outer = -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    return np.where(x <= 1, inner, np.where(x <= 2, outer, 0))


def _both(rows: Array, x: Image, columns: Array) -> Image:
    """Rows x columnsᵀ for each channel, in the dtype of `x`."""
    rows, columns = rows.astype(x.dtype), columns.astype(x.dtype)
    return jnp.einsum("ih,hwc,jw->ijc", rows, x, columns, precision="highest")


def _separable(
    shape: tuple[int, int, int], factor: float, weights: Callable[[int, int], np.ndarray]
) -> Downsample:
    height, width, _ = image_shape(shape)
    if not factor >= 1 or (factor == int(factor) and (height % factor or width % factor)):
        whole = max(int(factor), 1)
        raise ValueError(
            f"shape is {tuple(shape)} but height and width must be multiples of the factor {factor}: "
            f"crop the image to ({height - height % whole}, {width - width % whole})"
        )
    rows, columns = (Axis(weights(size, reduced(size, factor))) for size in (height, width))
    return Downsample(rows, columns, shape)


def reduced(size: int, factor: float) -> int:
    """The size after a reduction, at least 1."""
    return max(round(size / factor), 1)
