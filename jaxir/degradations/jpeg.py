"""JPEG, encoder and decoder in one: what the bytes of a file would have been is never needed.

Huffman coding loses nothing, so a round trip through a file is its arithmetic alone: colour, chroma at half
the resolution, the discrete cosine transform of blocks of 8 × 8, rounding to multiples of a table, and all of
it back. Every step is done here in the integers in which the reference library does it (its accurate integer
transform and its interpolating upsampling), because a coefficient on the other side of a rounding moves a
whole block by the width of a step: nearly right arithmetic is far from the same picture.
"""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int

from jaxir import expect
from jaxir.degradations.operator import Operator, image_shape
from jaxir.degradations.sensor import straight_through
from jaxir.typing import Image, Scalar

LUMA_STEPS = np.array(
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ],
    np.int32,
)
"""Quantisation steps of luma at quality 50. Source: [itu1992t81] Table K.1."""

CHROMA_STEPS = np.full((8, 8), 99, np.int32)
"""Those of chroma. Source: [itu1992t81] Table K.2."""
CHROMA_STEPS[:4, :4] = [[17, 18, 24, 47], [18, 21, 26, 66], [24, 26, 56, 99], [47, 66, 99, 99]]

_HALF = np.array(
    [
        [8192, 8192, 8192, 8192],
        [11363, 9633, 6437, 2260],
        [10703, 4433, -4433, -10703],
        [9633, -2259, -11362, -6436],
        [8192, -8192, -8192, 8192],
        [6437, -11362, 2261, 9633],
        [4433, -10704, 10704, -4433],
        [2260, -6436, 9633, -11363],
    ],
    np.int32,
)
_SIGNS = np.where(np.arange(8) % 2, -1, 1).astype(np.int32)[:, None]
COSINES = np.concatenate([_HALF, _SIGNS * _HALF[:, ::-1]], axis=1)
"""√8 times the DCT in units of 2⁻¹³: sums of the twelve rounded constants of Loeffler's algorithm, and not the
cosines rounded one by one, from which they differ by a unit. Source: [loeffler1989dct]."""


class JPEG(Operator):
    """y = decode(encode(x)), in 8 bits as any viewer shows it: equal to Pillow's file, pixel by pixel.

    The derivative is that of the same codec without any rounding, where the transform and its inverse cancel:
    the image with its chroma at half the resolution, and 0 where it is clipped (straight-through). The
    derivative with respect to `quality` is 0.

    Args:
        quality: from 1 to 100 in the scale of libjpeg, where 100 still rounds; a new one does not retrace.
        shape: of the image, in grey or colour and of any height and width.
        subsampling: side of the square of pixels that share a chroma sample: 2 is 4:2:0, 1 is 4:4:4.

    Raises:
        ValueError: for a quality outside 1 to 100, another subsampling, or two channels.

    Source: [itu1992t81]; colour [itu2011t871] §7.
    """

    quality: int | float | Scalar
    shape: tuple[int, int, int] = eqx.field(static=True, converter=image_shape)
    subsampling: int = eqx.field(static=True, default=2)

    def __check_init__(self):
        if expect.known(self.quality) and not 1 <= self.quality <= 100:
            raise ValueError(f"quality is {self.quality}, expected a number from 1 to 100")
        if self.subsampling not in (1, 2):
            raise ValueError(
                f"subsampling is {self.subsampling}, expected 2 for 4:2:0 or 1 for 4:4:4"
            )
        if self.shape[2] not in (1, 3):
            raise ValueError(f"the image is {self.shape} but JPEG takes one channel or three")

    def apply(self, x: Image) -> Image:
        """The decoded image, in [-1, 1]."""
        pixels = jnp.round(jnp.clip((x + 1) * 127.5, 0, 255)).astype(jnp.int32)
        exact = codec(pixels, self.quality, self.subsampling).astype(x.dtype) / 127.5 - 1
        return straight_through(exact, jnp.clip(_softened(x, self.subsampling), -1, 1))


def codec(
    pixels: Int[Array, "h w c"], quality: int | float | Scalar, subsampling: int = 2
) -> Int[Array, "h w c"]:
    """Encode and decode whole numbers from 0 to 255."""
    if pixels.shape[-1] == 1:
        return _plane(pixels[..., 0], steps(LUMA_STEPS, quality))[..., None]
    luma, *chroma = jnp.moveaxis(_ycc(pixels), -1, 0)
    coded = [_plane(luma, steps(LUMA_STEPS, quality))]
    for plane in chroma:
        small = _halve(plane) if subsampling == 2 else plane
        small = _plane(small, steps(CHROMA_STEPS, quality))
        coded.append(_double(small, plane.shape) if subsampling == 2 else small)
    return _rgb(jnp.stack(coded, -1))


def steps(table: Int[np.ndarray, "8 8"], quality: int | float | Scalar) -> Int[Array, "8 8"]:
    """The quantisation steps for a quality: the table × 50/quality up to 50, × (2 − quality/50) above."""
    quality = jnp.asarray(quality, jnp.int32)
    percent = jnp.where(quality < 50, 5000 // quality, 200 - 2 * quality)
    return jnp.clip((table * percent + 50) // 100, 1, 255)


def _plane(plane: Int[Array, "h w"], table: Int[Array, "8 8"]) -> Int[Array, "h w"]:
    """Blocks of 8 × 8 to multiples of `table` and back, the edge repeated to fill the last blocks."""
    height, width = plane.shape
    padded = jnp.pad(plane, ((0, -height % 8), (0, -width % 8)), mode="edge") - 128
    blocks = padded.reshape(padded.shape[0] // 8, 8, padded.shape[1] // 8, 8)
    blocks = _along(3, COSINES, blocks, 11)  # two more bits are kept in between
    blocks = _along(1, COSINES, blocks, 15)  # eight times the orthonormal coefficients
    step = 8 * table[:, None, :]
    blocks = jnp.sign(blocks) * ((jnp.abs(blocks) + step // 2) // step) * table[:, None, :]
    blocks = _along(1, COSINES.T, blocks, 11)
    blocks = _along(3, COSINES.T, blocks, 18)
    return jnp.clip(blocks.reshape(padded.shape)[:height, :width] + 128, 0, 255)


def _along(axis: int, matrix: np.ndarray, blocks: Array, bits: int) -> Array:
    """`matrix` along one axis, rounded to units of 2^bits; products of integers, so the order cannot matter."""
    product = jnp.moveaxis(jnp.tensordot(matrix, blocks, ((1,), (axis,))), 0, axis)
    return (product + (1 << (bits - 1))) >> bits


def _halve(plane: Int[Array, "h w"]) -> Int[Array, "h2 w2"]:
    """Means of 2 × 2, rounded down and up in turn along a row, which is first filled to whole blocks."""
    height, width = plane.shape
    even = jnp.pad(plane, ((0, height % 2), (0, -width % 16)), mode="edge")
    total = even[::2, ::2] + even[1::2, ::2] + even[::2, 1::2] + even[1::2, 1::2]
    return (total + 1 + jnp.arange(total.shape[1]) % 2) >> 2


def _double(plane: Int[Array, "h2 w2"], shape: tuple[int, int]) -> Int[Array, "h w"]:
    """Twice the size: ¾ of the nearer and ¼ of the farther sample along each axis, 9 3 3 1 of 16 in all."""
    plane = plane[: (shape[0] + 1) // 2, : (shape[1] + 1) // 2]
    columns = _interpolated(plane)
    rows = _interpolated(columns.T).T
    return ((rows + 8 - jnp.arange(rows.shape[1]) % 2) >> 4)[: shape[0], : shape[1]]


def _interpolated(plane: Array) -> Array:
    """Four times the values at twice as many rows."""
    padded = jnp.pad(plane, ((1, 1), (0, 0)), mode="edge")
    before, after = (3 * plane + padded[where] for where in (slice(None, -2), slice(2, None)))
    return jnp.stack([before, after], 1).reshape(-1, plane.shape[1])


def _fixed(number: float) -> int:
    """In units of 2⁻¹⁶."""
    return round(number * 65536)


def _ycc(rgb: Int[Array, "h w 3"]) -> Int[Array, "h w 3"]:
    """Luma and the two differences, shifted by 128, all from 0 to 255."""
    y, cb, cr = (0.299, 0.587, 0.114), (-0.16874, -0.33126, 0.5), (0.5, -0.418687589, -0.081312411)  # fmt: skip
    matrix = np.array([[_fixed(w) for w in row] for row in (y, cb, cr)], np.int32)
    offset = np.array([1 << 15, (128 << 16) + (1 << 15) - 1, (128 << 16) + (1 << 15) - 1], np.int32)
    return (jnp.tensordot(rgb, matrix, ((2,), (1,))) + offset) >> 16


def _rgb(ycc: Int[Array, "h w 3"]) -> Int[Array, "h w 3"]:
    """And back, each product rounded."""
    y, cb, cr = jnp.moveaxis(ycc - np.array([0, 128, 128], np.int32), -1, 0)
    half = 1 << 15
    red = (_fixed(1.402) * cr + half) >> 16
    green = (-_fixed(0.34414) * cb - _fixed(0.71414) * cr + half) >> 16
    blue = (_fixed(1.772) * cb + half) >> 16
    return jnp.clip(jnp.stack([y + red, y + green, y + blue], -1), 0, 255)


def _softened(x: Image, subsampling: int) -> Image:
    """The codec without rounding. Halving, doubling and the colours are linear, so one of them is enough:
    with L the luma weights, x = L x + (x − L x), and the second part goes through the smaller grid.
    """  # noqa: D205
    if x.shape[-1] == 1 or subsampling == 1:
        return x
    luma = jnp.tensordot(x, jnp.asarray([0.299, 0.587, 0.114], x.dtype), 1)[..., None]
    height, width, _ = x.shape
    chroma = jnp.pad(x - luma, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    small = (chroma[::2, ::2] + chroma[1::2, ::2] + chroma[::2, 1::2] + chroma[1::2, 1::2]) / 4
    double = jax.vmap(lambda plane: _interpolated(_interpolated(plane).T).T / 16, -1, -1)
    return luma + double(small)[:height, :width]
