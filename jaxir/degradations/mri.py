"""Magnetic resonance: several coils, each of which sees the body in its own light, sampled in Fourier space.

An image is real here, so a complex one has two channels, its real and its imaginary part; one channel is a
real image, whose phase is in the coil maps. Fourier space has its centre in the middle of the array, as scanners
and the data sets of the field have it.
"""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Complex, Float

from jaxir.degradations.operator import Linear, expect_shape, image_shape
from jaxir.expect import known, share
from jaxir.typing import Image, Key


class MultiCoil(Linear):
    """y_j = M F (S_j x) for the coils j: the measurement is complex, (coils, H, W), 0 where nothing is sampled.

    F is the unitary Fourier transform. Where the maps have Σ|S_j|² = 1 everywhere, |A x| ≤ |x|; sampled
    fully, every singular value is 1, and with a single coil of constant map and complex images they are
    0 and 1 for any M.

    Args:
        maps: S, complex, (coils, H, W).
        mask: M, of zeros and ones or booleans, (H, W), its centre in the middle; `cartesian_mask` draws one.
        shape: of the image, (H, W, 1) real or (H, W, 2) complex.

    Raises:
        ValueError: if the three do not fit.

    Source: [pruessmann1999sense].
    """

    maps: Complex[Array, "coils h w"] = eqx.field(converter=jnp.asarray)
    mask: Bool[Array, "h w"] = eqx.field(converter=lambda mask: jnp.asarray(mask) != 0)
    shape: tuple[int, int, int] = eqx.field(static=True, converter=image_shape)

    def __check_init__(self):
        if self.shape[2] > 2:
            raise ValueError(
                f"shape is {self.shape} but an MR image has one channel (real) or two (real, imaginary)"
            )
        size, advice = self.shape[:2], "make them for the image's height and width"
        expect_shape("maps", self.maps, (len(self.maps), *size), "what this image takes", advice)
        expect_shape("mask", self.mask, size, "what this image takes", advice)

    def apply(self, x: Image) -> Complex[Array, "coils h w"]:
        """M F S x."""
        z = to_complex(x)
        return jnp.where(self.mask, to_kspace(self.maps.astype(z.dtype) * z), 0)

    def clean(self, y: Complex[Array, "coils h w"]) -> Complex[Array, "coils h w"]:
        """0 where nothing was sampled, whatever is there."""
        return jnp.where(self.mask, y, 0)


def cartesian_mask(
    key: Key, shape: tuple[int, int, int], *, acceleration: float = 4.0, centre: float = 0.08
) -> Bool[Array, "h w"]:
    """Whole columns of Fourier space: the central ones, and others by chance, W/acceleration in all.

    Args:
        key: draws the columns.
        shape: of the image.
        acceleration: how many times fewer columns than all, ≥ 1.
        centre: the share of columns in the middle that are always there, in [0, 1].

    Raises:
        ValueError: if the centre alone is more than the acceleration leaves.

    Source: [zbontar2018fastmri].
    """
    share("centre", centre)
    height, width, _ = image_shape(shape)
    middle, total = round(width * centre), round(width / acceleration)
    if acceleration < 1 or middle > total:
        raise ValueError(
            f"acceleration is {acceleration} and centre {centre}: of {width} columns {total} are kept "
            f"and {middle} lie in the centre; pass an acceleration of at least 1 and at most 1/centre"
        )
    column = jnp.arange(width)
    first = width // 2 - middle // 2
    always = (column >= first) & (column < first + middle)
    order = jnp.argsort(jnp.where(always, -1.0, jax.random.uniform(key, (width,))))
    kept = jnp.zeros(width, bool).at[order[:total]].set(True)
    return jnp.broadcast_to(kept, (height, width))


def coil_maps(
    kspace: Complex[Array, "coils h w"], *, calibration: int = 24
) -> Complex[Array, "coils h w"]:
    """Coil maps from the middle of Fourier space: S_j = c_j / √Σ|c|², c_j a low-resolution image of each coil.

    Σ|S_j|² = 1 wherever there is signal. The maps carry the slow part of the image's phase, so that an
    image made with them is nearly real.

    Args:
        kspace: of the coils, fully sampled in its middle.
        calibration: the side of the square of Fourier space that is used, in samples, from 2 to its size;
            more gives sharper maps with more of the image in them.

    Raises:
        ValueError: if the square is larger than Fourier space.

    Source: [mckenzie2002selfcalibrating].
    """
    size = kspace.shape[1:]
    if known(calibration) and not 2 <= calibration <= min(size):
        raise ValueError(
            f"calibration is {calibration} but Fourier space is {size}: pass from 2 to {min(size)}"
        )
    window = _hann(size[0], calibration)[:, None] * _hann(size[1], calibration)[None, :]
    low = to_pixels(kspace * window.astype(kspace.real.dtype))
    strength = jnp.sqrt(jnp.sum(jnp.abs(low) ** 2, axis=0))
    return low / jnp.where(strength > 0, strength, 1)


def to_complex(x: Image) -> Complex[Array, "h w"]:
    """The complex image that one channel (real) or two (real and imaginary part) stand for."""
    return jax.lax.complex(x[..., 0], x[..., 1] if x.shape[2] == 2 else jnp.zeros_like(x[..., 0]))


def to_kspace(x: Complex[Array, "... h w"]) -> Complex[Array, "... h w"]:
    """The unitary Fourier transform, with both origins in the middle."""
    axes = (-2, -1)
    return jnp.fft.fftshift(jnp.fft.fft2(jnp.fft.ifftshift(x, axes), norm="ortho"), axes)


def to_pixels(k: Complex[Array, "... h w"]) -> Complex[Array, "... h w"]:
    """The inverse of `to_kspace`."""
    axes = (-2, -1)
    return jnp.fft.fftshift(jnp.fft.ifft2(jnp.fft.ifftshift(k, axes), norm="ortho"), axes)


def _hann(size: int, width: int) -> Float[Array, " n"]:
    """A Hann window of so many samples around the middle of an axis, 0 outside."""
    offset = jnp.arange(size) - size // 2
    return jnp.where(jnp.abs(offset) < width / 2, jnp.cos(jnp.pi * offset / width) ** 2, 0)
