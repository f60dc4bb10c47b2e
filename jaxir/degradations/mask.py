"""Operators that keep some pixels and leave the others out; all are diagonal in pixels."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Bool, Float

from jaxir.degradations.operator import Spectral, expect_shape, image_shape
from jaxir.typing import Image, Key


class Identity(Spectral):
    """y = x: denoising.

    Args:
        shape: of the image.
    """

    shape: tuple[int, int, int] = eqx.field(static=True, converter=image_shape)

    def apply(self, x: Image) -> Image:
        """The image itself."""
        return x

    @property
    def spectrum(self) -> Float[Array, ""]:
        """1 everywhere."""
        return jnp.ones(())

    def analyse(self, x: Image) -> Image:
        """Pixels are the basis."""
        return x

    def synthesise(self, coordinates: Image) -> Image:
        """Pixels are the basis."""
        return coordinates


class Mask(Spectral):
    """y = m x with m = 1 where the image is known and 0 where it is missing: inpainting.

    A projection: A = Aᴴ = A⁺ = A². The measurement has the image's shape; what it holds in the hole says nothing,
    and `clean` puts 0 there.

    Args:
        mask: of zeros and ones or booleans, (H, W), (H, W, 1) or (H, W, C).
        shape: of the image.

    Raises:
        ValueError: if the mask is of another size, or has values other than 0 and 1.
    """

    mask: Bool[Array, "h w c"]
    shape: tuple[int, int, int] = eqx.field(static=True)

    def __init__(self, mask: ArrayLike, shape: tuple[int, int, int]):
        mask = jnp.asarray(mask)
        mask = mask[..., None] if mask.ndim == 2 else mask
        self.shape = image_shape(shape)
        channels = self.shape[2] if mask.shape[2:] != (1,) else 1
        advice = "pass a mask of the image's height and width"
        expect_shape("mask", mask, (*self.shape[:2], channels), "what this image takes", advice)
        if not isinstance(mask, jax.core.Tracer) and not bool(jnp.all((mask == 0) | (mask == 1))):
            raise ValueError(
                f"mask has values in [{mask.min()}, {mask.max()}] but 1 is known and 0 is missing: "
                "pass mask > threshold"
            )
        self.mask = mask.astype(bool)

    def clean(self, y: Image) -> Image:
        """0 in the hole, whatever is there, NaN included."""
        return jnp.where(self.mask, y, 0)

    def apply(self, x: Image) -> Image:
        """The image, with 0 where it is missing."""
        return jnp.where(self.mask, x, 0)

    @property
    def spectrum(self) -> Float[Array, "h w c"]:
        """The mask."""
        return self.mask.astype(float)

    def analyse(self, x: Image) -> Image:
        """Pixels are the basis."""
        return x

    def synthesise(self, coordinates: Image) -> Image:
        """Pixels are the basis."""
        return coordinates


class Crop(Spectral):
    """y = x without a margin on each side; `Crop @ Blur` is blur without a boundary.

    Args:
        shape: of the image.
        margin: in pixels, ≥ 0, less than half of height and width.

    Raises:
        ValueError: if nothing is left.
    """

    shape: tuple[int, int, int] = eqx.field(static=True, converter=image_shape)
    margin: int = eqx.field(static=True)

    def __check_init__(self):
        if self.margin < 0 or 2 * self.margin >= min(self.shape[:2]):
            raise ValueError(
                f"margin is {self.margin} but the image is {self.shape}: pass 0 or more, less than half"
            )

    @property
    def inside(self) -> tuple[slice, slice]:
        """The rows and the columns that are kept."""
        height, width, _ = self.shape
        return slice(self.margin, height - self.margin), slice(self.margin, width - self.margin)

    def apply(self, x: Image) -> Image:
        """The middle of the image."""
        return x[self.inside]

    @property
    def spectrum(self) -> Float[Array, "h w 1"]:
        """1 inside, 0 in the margin."""
        return jnp.zeros((*self.shape[:2], 1)).at[self.inside].set(1)

    def analyse(self, x: Image) -> Image:
        """Pixels are the basis."""
        return x

    def synthesise(self, coordinates: Image) -> Image:
        """Pixels are the basis."""
        return coordinates


def box_mask(
    shape: tuple[int, int, int], size: int, *, corner: tuple[int, int] | None = None
) -> Mask:
    """A square hole.

    Args:
        shape: of the image.
        size: of the hole in pixels.
        corner: (row, column) of its upper left pixel; by default the hole is in the middle.

    Raises:
        ValueError: if the hole is not inside the image.
    """
    height, width, _ = image_shape(shape)
    top, left = ((height - size) // 2, (width - size) // 2) if corner is None else corner
    if size < 0 or min(top, left) < 0 or top + size > height or left + size > width:
        raise ValueError(
            f"the hole covers rows {top} to {top + size} and columns {left} to {left + size} but the "
            f"image is {tuple(shape)}: pass a smaller size or another corner"
        )
    mask = np.ones((height, width), bool)
    mask[top : top + size, left : left + size] = False
    return Mask(mask, shape)


def random_mask(key: Key, shape: tuple[int, int, int], *, missing: float = 0.92) -> Mask:
    """Each pixel is missing by chance, in all channels together.

    Args:
        key: draws the pixels.
        shape: of the image.
        missing: the probability, in [0, 1]; 0.92 is DPS's.

    Raises:
        ValueError: if `missing` is not a probability.

    Source: [chung2023dps] §4.
    """
    if not isinstance(missing, jax.core.Tracer) and not 0 <= missing <= 1:
        raise ValueError(f"missing is {missing} but a probability lies in [0, 1]: 0.92 leaves 8 %")
    return Mask(jax.random.bernoulli(key, 1 - missing, image_shape(shape)[:2]), shape)
