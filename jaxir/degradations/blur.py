"""Blur by one kernel for the whole image, as a circular convolution.

A circular convolution is diagonal in the Fourier basis, which makes every inverse a division; but it wraps
around, so that the left edge of the result has seen the right edge of the image. A camera does not: for a
real photograph use the part that has seen no edge,

    Crop(shape, margin) @ Blur(kernel, shape)        margin = half the kernel,

with an image larger than the measurement by the margin on each side.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, DTypeLike, Float

from jaxir.degradations.operator import Spectral, image_shape
from jaxir.typing import Image


class Blur(Spectral):
    """y = k ⊛ x, a circular convolution of every channel: y[i, j] = Σ k[m, n] x[i − m + h/2, j − n + w/2].

    In Fourier space Y = K X, so the singular values are |K| and the basis is that of the FFT. The kernel's
    middle, index size // 2, is the origin: an odd kernel that is symmetric does not move the image (an even
    one has no middle, and a symmetric one moves it by half a pixel).

    Args:
        kernel: the point-spread function, (height, width), in pixels; a sum of 1 keeps the brightness.
        shape: of the image, no smaller than the kernel.

    Raises:
        ValueError: if the kernel is not two-dimensional or larger than the image.
    """

    kernel: Float[Array, "kh kw"] = eqx.field(converter=jnp.asarray)
    shape: tuple[int, int, int] = eqx.field(static=True, converter=image_shape)

    def __check_init__(self):
        size = self.kernel.shape
        if len(size) != 2:
            raise ValueError(
                f"kernel has shape {size} but one kernel serves all channels: pass (height, width)"
            )
        if size[0] > self.shape[0] or size[1] > self.shape[1]:
            raise ValueError(
                f"kernel has shape {size} but the image is {self.shape}: crop the kernel or pad the image"
            )

    def centred(self, dtype: DTypeLike) -> Float[Array, "h w 1"]:
        """The kernel as an image, its middle at the first pixel."""
        height, width = self.kernel.shape
        padded = jnp.zeros(self.shape[:2], dtype).at[:height, :width].set(self.kernel.astype(dtype))
        return jnp.roll(padded, (-(height // 2), -(width // 2)), (0, 1))[..., None]

    def transfer(self, dtype: DTypeLike) -> Complex[Array, "h w 1"]:
        """K, the Fourier transform of the kernel."""
        return jnp.fft.fft2(self.centred(dtype), axes=(0, 1))

    def apply(self, x: Image) -> Image:
        """F⁻¹(K F x)."""
        return self._filtered(lambda k: k, x)

    def adjoint(self, y: Image) -> Image:
        """F⁻¹(K̄ F y)."""
        self.expect_measurement(y)
        return self._filtered(jnp.conj, y)

    @property
    def spectrum(self) -> Float[Array, "h w 1"]:
        """|K|."""
        return jnp.abs(self.transfer(jnp.result_type(float)))

    def analyse(self, x: Image) -> Complex[Array, "h w c"]:
        """The unitary FFT."""
        return jnp.fft.fft2(x, axes=(0, 1), norm="ortho")

    def synthesise(self, coordinates: Complex[Array, "h w c"]) -> Image:
        """Its inverse, the real part of it."""
        return jnp.fft.ifft2(coordinates, axes=(0, 1), norm="ortho").real

    def filter(self, f: Callable[[Array], Array], x: Image) -> Image:
        """F⁻¹(f(|K|) F x)."""
        return self._filtered(lambda k: f(jnp.abs(k)), x)

    def pinv(self, y: Image) -> Image:
        """F⁻¹(F y / K) where K is not numerically zero.

        Through AᴴA the small values would be squared, and lost twice as early.
        """
        self.expect_measurement(y)
        k = self.transfer(y.dtype)
        seen = self.observed(jnp.abs(k))
        inverse = jnp.where(seen, 1 / jnp.where(seen, k, 1), 0)
        return self.synthesise(inverse * self.analyse(y))

    def _filtered(self, f: Callable[[Array], Array], x: Image) -> Image:
        """F⁻¹(f(K) F x) by real transforms, for f(K̄) = conj f(K)."""
        transfer = jnp.fft.rfft2(self.centred(x.dtype), axes=(0, 1))
        product = f(transfer) * jnp.fft.rfft2(x, axes=(0, 1))
        return jnp.fft.irfft2(product, s=self.shape[:2], axes=(0, 1))


def gaussian_blur(shape: tuple[int, int, int], width: float) -> Blur:
    """Blur by a Gaussian of standard deviation `width` pixels, cut at four of them, with sum 1.

    Raises:
        ValueError: if `width` is not positive, or the kernel larger than the image.
    """
    if not width > 0:
        raise ValueError(f"width is {width} but a Gaussian's standard deviation is > 0, in pixels")
    radius = math.ceil(4 * width)
    profile = np.exp(-0.5 * (np.arange(-radius, radius + 1) / width) ** 2)
    return Blur(np.outer(profile, profile) / profile.sum() ** 2, shape)


def defocus_blur(shape: tuple[int, int, int], radius: float) -> Blur:
    """Blur by a disc, the image of a point that is out of focus, with sum 1.

    The disc is drawn without jagged edges: each pixel has the share of it that the disc covers, counted on
    32 × 32 points.

    Args:
        shape: of the image.
        radius: of the disc in pixels, > 0; half a pixel covers hardly more than one.

    Raises:
        ValueError: if `radius` is not positive, or the kernel larger than the image.
    """
    if not radius > 0:
        raise ValueError(f"radius is {radius} but a disc has a radius > 0, in pixels")
    reach = math.ceil(radius - 0.5)
    fine = (np.arange(32 * (2 * reach + 1)) + 0.5) / 32 - reach - 0.5
    inside = fine[:, None] ** 2 + fine**2 <= radius**2
    covered = inside.reshape(2 * reach + 1, 32, 2 * reach + 1, 32).mean((1, 3))
    return Blur(covered / covered.sum(), shape)


def motion_blur(shape: tuple[int, int, int], length: float, angle: float) -> Blur:
    """Blur along a straight line through the middle of the kernel, with sum 1.

    The line is drawn without jagged edges: many points of equal mass, each shared among its four pixels by
    bilinear weights, so that the centre of mass is exactly in the middle.

    Args:
        shape: of the image.
        length: of the line in pixels, > 0.
        angle: of the line in degrees, counter-clockwise from the horizontal.

    Raises:
        ValueError: if `length` is not positive, or the kernel larger than the image.
    """
    if not length > 0:
        raise ValueError(f"length is {length} but a motion has a length > 0, in pixels")
    along = length * ((np.arange(count := 32 * math.ceil(length)) + 0.5) / count - 0.5)
    radius = math.ceil(length / 2) + 1
    row = radius - along * math.sin(math.radians(angle))  # rows count downwards
    column = radius + along * math.cos(math.radians(angle))
    pixels = np.arange(2 * radius + 1)[:, None]
    rows = np.maximum(0, 1 - np.abs(pixels - row))
    columns = np.maximum(0, 1 - np.abs(pixels - column))
    return Blur(rows @ columns.T / count, shape)
