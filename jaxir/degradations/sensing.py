"""Compressed sensing: a few coordinates of the image in an orthogonal basis that mixes all pixels.

The basis is a value with `analyse` and `synthesise`, the choice of coordinates a mask; every inverse follows.
Both bases are real, so that the measurement is a real image of coordinates with zeros where nothing was measured.
"""

from __future__ import annotations

from typing import Protocol

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Bool, Float

from jaxir import expect
from jaxir.degradations.operator import Spectral, expect_shape, image_shape
from jaxir.typing import Image, Key


class Basis(Protocol):
    """An orthogonal change of coordinates of an image, Vᵀ and V."""

    def analyse(self, x: Image) -> Image:
        """Vᵀ x."""
        ...

    def synthesise(self, coordinates: Image) -> Image:
        """V c."""
        ...


class WalshHadamard(eqx.Module):
    """c = H (s x): signs that flip pixels by chance, and the Hadamard matrix, ±1/√n, along both axes.

    The signs spread a smooth image evenly over the coordinates. H is its own inverse, and fast: n log n
    additions for heights and widths that are powers of two.

    Args:
        signs: of 1 and −1, (H, W), both powers of two.
    """

    signs: Float[Array, "h w"]

    def analyse(self, x: Image) -> Image:
        """H (s x)."""
        return _hadamard(self.signs.astype(x.dtype)[..., None] * x)

    def synthesise(self, coordinates: Image) -> Image:
        """S (H c)."""
        return self.signs.astype(coordinates.dtype)[..., None] * _hadamard(coordinates)


class Hartley(eqx.Module):
    """c = Re F x − Im F x with the unitary Fourier transform F: the Fourier transform of a real image, in real numbers.

    c[k] and c[−k] say what (F x)[k] says, and Re F x = (c[k] + c[−k])/2, Im F x = (c[−k] − c[k])/2. It is
    its own inverse.

    Source: [bracewell1983hartley].
    """

    def analyse(self, x: Image) -> Image:
        """Re F x − Im F x."""
        z = jnp.fft.fft2(x, axes=(0, 1), norm="ortho")
        return z.real - z.imag

    def synthesise(self, coordinates: Image) -> Image:
        """The same again."""
        return self.analyse(coordinates)


class Sensing(Spectral):
    """y = m (Vᵀ x) with m = 1 for the coordinates that are measured, in every channel.

    Args:
        kept: m, (H, W), of zeros and ones.
        basis: V.
        shape: of the image.

    Raises:
        ValueError: if `kept` is of another size.
    """

    kept: Bool[Array, "h w"] = eqx.field(converter=lambda kept: jnp.asarray(kept, bool))
    basis: Basis
    shape: tuple[int, int, int] = eqx.field(static=True, converter=image_shape)

    def __check_init__(self):
        expect_shape("kept", self.kept, self.shape[:2], "this image", "pass one for each pixel")

    def clean(self, y: ArrayLike) -> Image:
        """0 where nothing was measured."""
        return jnp.where(self.kept[..., None], y, 0)

    def apply(self, x: Image) -> Image:
        """The chosen coordinates."""
        return self.clean(self.analyse(x))

    @property
    def spectrum(self) -> Float[Array, "h w 1"]:
        """The mask."""
        return self.kept.astype(float)[..., None]

    def analyse(self, x: Image) -> Image:
        """Vᵀ x."""
        return self.basis.analyse(x)

    def synthesise(self, coordinates: Image) -> Image:
        """V c."""
        return self.basis.synthesise(coordinates)


def hadamard_sensing(key: Key, shape: tuple[int, int, int], *, rate: float = 0.25) -> Sensing:
    """Signs by chance and a share of the Walsh–Hadamard coordinates by chance.

    Args:
        key: draws both.
        shape: of the image; height and width are powers of two.
        rate: the share of coordinates, in [0, 1].

    Raises:
        ValueError: if a side is no power of two, or `rate` no share.
    """
    height, width, _ = image_shape(shape)
    if height & (height - 1) or width & (width - 1):
        raise ValueError(
            f"shape is {tuple(shape)} but the Hadamard transform takes powers of two: pad the image"
        )
    flipping, choosing = jax.random.split(key)
    signs = jax.random.rademacher(flipping, (height, width), float)
    return Sensing(_chosen(choosing, (height, width), rate), WalshHadamard(signs), shape)


def fourier_sensing(key: Key, shape: tuple[int, int, int], *, rate: float = 0.25) -> Sensing:
    """A share of the frequencies by chance, each with its opposite, and the mean always.

    Args:
        key: draws the frequencies.
        shape: of the image.
        rate: the share of frequencies, in [0, 1].

    Raises:
        ValueError: if `rate` is no share.

    Source: [candes2006cs].
    """
    height, width, _ = image_shape(shape)
    level = jax.random.uniform(key, (height, width))
    opposite = jnp.roll(level[::-1, ::-1], (1, 1), (0, 1))
    expect.share("rate", rate)
    # one number for the pair, uniform as the one that comes first in the order of rows
    row, column = jnp.arange(height)[:, None], jnp.arange(width)
    first = row * width + column <= (-row % height) * width + (-column % width)
    kept = (jnp.where(first, level, opposite) < rate).at[0, 0].set(True)
    return Sensing(kept, Hartley(), shape)


def _chosen(key: Key, size: tuple[int, int], rate: float) -> Bool[Array, "h w"]:
    expect.share("rate", rate)
    return jax.random.bernoulli(key, rate, size)


def _hadamard(x: Image) -> Image:
    """The orthonormal Walsh–Hadamard transform of rows and columns, in natural order, by butterflies."""
    for axis in (0, 1):
        size, shape = x.shape[axis], x.shape
        half = 1
        while half < size:
            pairs = x.reshape(*shape[:axis], size // (2 * half), 2, half, *shape[axis + 1 :])
            a, b = jnp.moveaxis(pairs, axis + 1, 0)
            x = jnp.stack([a + b, a - b], axis + 1).reshape(shape)
            half *= 2
    return x / (x.shape[0] * x.shape[1]) ** 0.5
