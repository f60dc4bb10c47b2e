"""Colour taken away, and colour set apart from brightness: each pixel by itself."""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxir.degradations.operator import Spectral, image_shape
from jaxir.typing import Image

REC601 = (0.299, 0.587, 0.114)
"""The weights of red, green and blue in luma. Source: [itu2011bt601] §2.5.1."""


class Grey(Spectral):
    """y = w·x in each pixel, (H, W, C) to (H, W, 1): colourisation.

    AAᴴ = |w|², so that in each pixel one direction, w/|w|, is seen with singular value |w|. It is completed
    to a basis by the Householder reflection H = I − 2uuᵀ/|u|², u = w/|w| ± e₁, which takes e₁ to ∓w/|w|.

    Args:
        weights: one for each channel; with sum 1 they keep the range [-1, 1].
        shape: of the image.

    Raises:
        ValueError: if there is not one weight for each channel.
    """

    weights: Float[Array, " c"] = eqx.field(converter=jnp.asarray)
    shape: tuple[int, int, int] = eqx.field(static=True, converter=image_shape)

    def __check_init__(self):
        if self.weights.shape != self.shape[2:]:
            raise ValueError(
                f"weights have shape {self.weights.shape} but the image is {self.shape}: "
                "pass one for each channel"
            )

    def apply(self, x: Image) -> Image:
        """The weighted sum of the channels."""
        return _channels(x, self.weights[:, None])

    @property
    def spectrum(self) -> Float[Array, " c"]:
        """|w|, then zeros."""
        return jnp.zeros_like(self.weights).at[0].set(jnp.linalg.norm(self.weights))

    def analyse(self, x: Image) -> Image:
        """H x in each pixel; H is its own inverse."""
        u = self.weights / jnp.linalg.norm(self.weights)
        u = u.at[0].add(jnp.where(u[0] < 0, -1, 1))  # the sign that cannot cancel
        return _channels(x, jnp.eye(len(u)) - 2 * jnp.outer(u, u) / jnp.sum(u**2))

    def synthesise(self, coordinates: Image) -> Image:
        """H again."""
        return self.analyse(coordinates)


def grey(shape: tuple[int, int, int]) -> Grey:
    """The luma of an RGB image, as a single channel.

    Raises:
        ValueError: unless the image has three channels.

    Source: [itu2011bt601] §2.5.1.
    """
    return Grey(REC601, shape)


def to_ycbcr(image: Image) -> Image:
    """Luma and two colour differences, the full-range YCbCr of JPEG files, all in [-1, 1].

        Y = 0.299 R + 0.587 G + 0.114 B,     Cb = (B − Y)/1.772,     Cr = (R − Y)/1.402

    In 8 bits the differences are 127.5 (Cb + 1), where a file has 128 + 127.5 Cb: half a level more.

    Args:
        image: RGB in [-1, 1].

    Source: [itu2011t871] §7.
    """
    red, _, blue = jnp.moveaxis(image, -1, 0)
    y = jnp.sum(jnp.asarray(REC601, image.dtype) * image, axis=-1)
    return jnp.stack([y, (blue - y) / 1.772, (red - y) / 1.402], axis=-1)


def from_ycbcr(image: Image) -> Image:
    """RGB of a YCbCr image, the inverse of `to_ycbcr`; beyond [-1, 1] where no colour is so."""
    y, cb, cr = jnp.moveaxis(image, -1, 0)
    red, blue = y + 1.402 * cr, y + 1.772 * cb
    green = (y - REC601[0] * red - REC601[2] * blue) / REC601[1]
    return jnp.stack([red, green, blue], axis=-1)


def _channels(x: Image, matrix: Array) -> Image:
    return jnp.einsum("hwc,cd->hwd", x, matrix.astype(x.dtype), precision="highest")
