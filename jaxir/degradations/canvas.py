"""Images of a size that is drawn by chance, inside programs of fixed shapes.

The image is the upper left part of a larger array, its last row and column repeated over the rest; sizes are
traced numbers. Repeating is what JPEG does with blocks that are not full and what a blur may do at an edge, so
that every operation acts on the whole array and only `extended` must follow. Numbers in [-1, 1].
"""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from jaxir.degradations.blur import Blur
from jaxir.degradations.jpeg import codec
from jaxir.typing import Image, Scalar

AREA, BILINEAR, BICUBIC, NEAREST = range(4)
"""The ways to resize; not antialiased but for the area, as in the pipelines of the literature."""


class Canvas(NamedTuple):
    """An image of any size up to the array's.

    Attributes:
        pixels: the array.
        size: height and width of the part that counts, whole numbers.
    """

    pixels: Image
    size: Int[Array, " 2"]


def extended(canvas: Canvas) -> Canvas:
    """The last row and column repeated over what does not count."""
    rows, columns = (
        jnp.minimum(jnp.arange(n), last - 1)
        for n, last in zip(canvas.pixels.shape[:2], canvas.size, strict=True)
    )
    return canvas._replace(pixels=canvas.pixels[rows][:, columns])


def resized(
    canvas: Canvas, size: Int[Array, " 2"], way: Int[Array, ""], *, within: tuple[int, int]
) -> Canvas:
    """Resize to a traced size, in an array of the size `within`."""
    rows, columns = (
        resize_weights(int(n), old, new, way, out)
        for n, old, new, out in zip(canvas.pixels.shape[:2], canvas.size, size, within, strict=True)
    )
    padded = jnp.pad(canvas.pixels, ((2, 2), (2, 2), (0, 0)), mode="edge")
    rows, columns = rows.astype(padded.dtype), columns.astype(padded.dtype)
    pixels = jnp.einsum("ih,hwc,jw->ijc", rows, padded, columns, precision="highest")
    return extended(Canvas(pixels, size))


def resize_weights(
    n: int, old: Int[Array, ""], new: Int[Array, ""], way: Int[Array, ""], out: int
) -> Float[Array, "out n4"]:
    """The matrix from `n` pixels with two more on either side to `out`, of which `old` and `new` count.

    New pixel i lies at (i + ½) old/new − ½. The cubic is Keys' with a = −¾, which training pipelines use where
    MATLAB has −½.
    """
    step = old / new
    start = jnp.arange(out)[:, None] * step
    taps = np.arange(-2, n + 2)
    distance = jnp.abs(taps - (start + step / 2 - 0.5))
    tent = jnp.maximum(0, 1 - distance)
    inner = (1.25 * distance - 2.25) * distance**2 + 1
    outer = ((-0.75 * distance + 3.75) * distance - 6) * distance + 3
    cubic = jnp.where(distance <= 1, inner, jnp.where(distance < 2, outer, 0))
    area = jnp.clip(jnp.minimum(start + step, taps + 1) - jnp.maximum(start, taps), 0) / step
    nearest = (taps == jnp.floor(start + step / 2)).astype(tent.dtype)
    return jnp.select([way == AREA, way == BILINEAR, way == BICUBIC], [area, tent, cubic], nearest)


def blurred(canvas: Canvas, kernel: Float[Array, "g g"]) -> Canvas:
    """Convolve with a kernel of odd side, the edge repeated."""
    reach = kernel.shape[0] // 2
    around = ((reach, reach), (reach, reach), (0, 0))
    padded = jnp.pad(canvas.pixels, around, mode="edge")
    pixels = Blur(kernel, padded.shape).apply(padded)[reach:-reach, reach:-reach]
    return extended(canvas._replace(pixels=pixels))


def compressed(canvas: Canvas, quality: Int[Array, ""] | Scalar) -> Canvas:
    """Through JPEG with 4:2:0."""
    levels = jnp.round(jnp.clip((canvas.pixels + 1) * 127.5, 0, 255)).astype(jnp.int32)
    pixels = codec(levels, quality).astype(canvas.pixels.dtype) / 127.5 - 1
    return extended(canvas._replace(pixels=pixels))
