"""An image read between its pixels: linear in the image, so that its adjoint is JAX's transpose."""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxir.typing import Image


def bilinear(
    x: Image, rows: Float[Array, ...], columns: Float[Array, ...]
) -> Float[Array, "... c"]:
    """The image at points between its pixels, by bilinear weights; 0 outside.

    Args:
        x: an image.
        rows: of the points, in pixels from the middle of the first.
        columns: likewise.
    """
    height, width, _ = x.shape
    top, left = jnp.floor(rows), jnp.floor(columns)
    corners = []
    for row, by_row in ((top, 1 - (rows - top)), (top + 1, rows - top)):
        for column, by_column in ((left, 1 - (columns - left)), (left + 1, columns - left)):
            inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
            weight = jnp.where(inside, by_row * by_column, 0).astype(x.dtype)
            i = jnp.clip(row, 0, height - 1).astype(int)
            j = jnp.clip(column, 0, width - 1).astype(int)
            corners.append(weight[..., None] * x[i, j])
    return sum(corners[1:], corners[0])
