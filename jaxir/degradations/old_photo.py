"""What time does to a print: scratches, fading, a brown tone. Each is affine; `@` makes an old photo of them."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import ArrayLike

from jaxir.degradations.affine import Affine, mixture
from jaxir.degradations.channels import ChannelMix
from jaxir.degradations.colour import REC601
from jaxir.degradations.operator import image_shape
from jaxir.expect import positive, share
from jaxir.typing import Image, Key, Scalar

BROWN = (1.0, 0.86, 0.66)
"""The colour of white paper in a brown print, in [0, 1]; chosen by eye."""


def scratches(cover: ArrayLike, shape: tuple[int, int, int], *, colour: ArrayLike = 1.0) -> Affine:
    """y = (1 − m) x + m v: paper, of colour v, where the emulsion is gone.

    Args:
        cover: m in [0, 1], (H, W, 1); `scratch_cover` draws one.
        shape: of the image.
        colour: v in [-1, 1].

    Source: [wan2020oldphoto].
    """
    return mixture(cover, colour, shape)


def scratch_cover(
    key: Key, shape: tuple[int, int, int], *, count: int = 6, width: float | Scalar = 1.5
) -> Image:
    """Straight scratches from top to bottom, each with its own place, slope and soft edge.

    Args:
        key: draws them.
        shape: of the image.
        count: of the scratches.
        width: in pixels, > 0.
    """
    positive("width", width)
    height, columns, _ = image_shape(shape)
    start, end = jax.random.uniform(key, (2, count, 1, 1), maxval=columns)
    down = jnp.arange(height)[:, None] / height
    line = start + (end - start) * down
    # distance across the line, not along the row
    across = jnp.abs(jnp.arange(columns) - line) / jnp.hypot(1, (end - start) / height)
    return jnp.max(jnp.clip(width / 2 + 0.5 - across, 0, 1), axis=0)[..., None]


def fade(
    shape: tuple[int, int, int], *, contrast: float | Scalar = 0.6, level: ArrayLike = 0.2
) -> Affine:
    """y = c x + (1 − c) v: less contrast around a level v.

    Args:
        shape: of the image.
        contrast: c in [0, 1].
        level: v in [-1, 1], what a print fades to; a number or one for each channel.
    """
    share("contrast", contrast)
    return mixture(1 - jnp.asarray(contrast), level, shape)


def sepia(shape: tuple[int, int, int], *, strength: float = 1.0) -> Affine:
    """v = ((1 − s) I + s t wᵀ) u of the intensities: luma w, printed in the tone t.

    Of the intensities it is linear, M u; of images in [-1, 1] then y = M x + M 1 − 1.

    Args:
        shape: of the image, with three channels.
        strength: s in [0, 1]; at 1 the colours are lost, and only luma can be seen.

    Source: [itu2011bt601] §2.5.1.
    """
    share("strength", strength)
    matrix = (1 - strength) * jnp.eye(3) + strength * jnp.outer(jnp.array(BROWN), jnp.array(REC601))
    return Affine(ChannelMix(matrix, shape), matrix.sum(axis=1) - 1)
