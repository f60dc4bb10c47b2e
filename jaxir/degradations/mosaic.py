"""One colour a pixel: what a sensor behind a colour filter array records, to be demosaicked."""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Bool, Float

from jaxir.degradations.operator import Spectral, image_shape
from jaxir.typing import Image


class Mosaic(Spectral):
    """y[i, j] = x[i, j, c(i, j)], (H, W, C) to the raw image (H, W, 1), by a pattern that repeats.

    A mask of colours whose holes are not kept: AAᴴ = 1, so that A⁺ = Aᴴ puts each value in its place.

    Args:
        pattern: the channel that each pixel of one tile sees, whole numbers (rows, columns).
        shape: of the image.

    Raises:
        ValueError: if the pattern is not a table of channels of the image.
    """

    filters: Bool[Array, "h w c"]
    shape: tuple[int, int, int] = eqx.field(static=True)

    def __init__(self, pattern: ArrayLike, shape: tuple[int, int, int]):
        self.shape = image_shape(shape)
        height, width, channels = self.shape
        tile = np.asarray(pattern)
        if tile.ndim != 2 or not np.isin(tile, np.arange(channels)).all():
            raise ValueError(
                f"pattern is {tile.tolist()} but the image is {self.shape}: pass a table of channels, "
                f"0 to {channels - 1}"
            )
        rows, columns = np.arange(height) % tile.shape[0], np.arange(width) % tile.shape[1]
        self.filters = jnp.asarray(tile[rows][:, columns, None] == np.arange(channels))

    def apply(self, x: Image) -> Image:
        """What each filter lets through."""
        return jnp.sum(jnp.where(self.filters, x, 0), axis=-1, keepdims=True)

    @property
    def spectrum(self) -> Float[Array, "h w c"]:
        """1 for the colour that is seen."""
        return self.filters.astype(float)

    def analyse(self, x: Image) -> Image:
        """Pixels and channels are the basis."""
        return x

    def synthesise(self, coordinates: Image) -> Image:
        """Pixels and channels are the basis."""
        return coordinates


def bayer(shape: tuple[int, int, int], pattern: str = "RGGB") -> Mosaic:
    """The usual colour filter array, twice as many green pixels as red or blue ones.

    Args:
        shape: of the image, with three channels.
        pattern: the colours of the first two rows of two pixels, read line by line: RGGB, BGGR, GRBG or GBRG.

    Raises:
        ValueError: for another pattern, or if the image is not in colour.

    Source: [bayer1976].
    """
    if pattern not in ("RGGB", "BGGR", "GRBG", "GBRG"):
        raise ValueError(f"pattern is {pattern!r}, expected RGGB, BGGR, GRBG or GBRG")
    if shape[2:] != (3,):
        raise ValueError(f"the image is {tuple(shape)} but {pattern} filters need three channels")
    return Mosaic(np.reshape(["RGB".index(colour) for colour in pattern], (2, 2)), shape)
