"""Pictures for a page: small enough to send, and true pixels where they matter.

A photograph of 24 million pixels is reduced for the page, which hides what a restorer did to its pixels; so pieces of
it are shown as they are, from the places where the samples differ most.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator

import numpy as np
from jaxtyping import Float, UInt

LOSSLESS = 256 * 256
"""A picture of so many pixels or fewer is not compressed with losses."""

PIECE = 256
"""Side of a piece at true pixels."""

Pixels = UInt[np.ndarray, "h w 3"]


def quantise(image: Float[np.ndarray, "h w c"]) -> Pixels:
    """An image in [-1, 1] in 8 bits and three channels."""
    pixels = np.round((np.clip(image, -1, 1) + 1) * np.float32(127.5)).astype(np.uint8)
    return np.ascontiguousarray(np.broadcast_to(pixels, (*pixels.shape[:2], 3)))


def reduced(pixels: Pixels, side: int) -> Pixels:
    """The same with a longest side of at most `side` pixels."""
    from PIL import Image

    height, width = pixels.shape[:2]
    share = side / max(height, width)
    if share >= 1:
        return pixels
    size = (max(1, round(share * width)), max(1, round(share * height)))
    picture = Image.fromarray(pixels)
    return np.asarray(picture.resize(size, Image.Resampling.LANCZOS, reducing_gap=3))


def thinned(pixels: Pixels, side: int) -> Pixels:
    """Every so many pixels of it: noise stays as strong as it is, which an average would not leave it."""
    stride = -(-max(pixels.shape[:2]) // side)
    return pixels[::stride, ::stride]


def data_url(pixels: Pixels, *, quality: int = 88) -> str:
    """A picture as the text of its own address: PNG if it is small, else JPEG.

    Args:
        pixels: of the picture.
        quality: of the JPEG; from 90 on with the colours of every pixel.
    """
    from PIL import Image

    small = pixels.shape[0] * pixels.shape[1] <= LOSSLESS
    form, kind = ("PNG", "png") if small else ("JPEG", "jpeg")
    options = {} if small else {"quality": quality, "subsampling": 0 if quality >= 90 else 2}
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(file, form, **options)
    return f"data:image/{kind};base64,{base64.b64encode(file.getvalue()).decode()}"


def aligned(before: Pixels, shape: tuple[int, int]) -> Pixels:
    """The degraded photo under a restoration of another size.

    A restoration with a margin around what the camera saw gets a grey margin; any other size is a change of scale, and
    stays: the page stretches it.
    """
    (height, width), (tall, wide) = before.shape[:2], shape
    more, across = tall - height, wide - width
    scaled = tall % height == 0 and tall // height * width == wide
    if scaled or more != across or more <= 0 or more % 2:
        return before
    margin = more // 2
    return np.pad(before, ((margin, margin), (margin, margin), (0, 0)), constant_values=128)


def places(interest: Float[np.ndarray, "h w"], count: int = 2) -> Iterator[tuple[int, int]]:
    """(top, left) of the pieces with the largest mean of `interest`, which do not overlap.

    Args:
        interest: at least `PIECE` pixels wide and high.
        count: at most so many; no piece without any interest is given.
    """
    height, width = interest.shape
    sums = np.pad(interest.astype(np.float64).cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    tops, lefts = (
        np.unique([*range(0, side - PIECE, PIECE // 4), side - PIECE]) for side in (height, width)
    )
    y, x = tops[:, None], lefts[None, :]
    means = sums[y + PIECE, x + PIECE] - sums[y, x + PIECE] - sums[y + PIECE, x] + sums[y, x]
    for _ in range(count):
        i, j = np.unravel_index(np.argmax(means), means.shape)
        if means[i, j] <= 0:
            return
        yield int(tops[i]), int(lefts[j])
        means[(np.abs(y - tops[i]) < PIECE) & (np.abs(x - lefts[j]) < PIECE)] = 0
