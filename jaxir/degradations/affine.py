"""Linear but for a constant: what weather, light and age do to a photograph.

Haze, rain, snow, shadow, scratches and fading all keep a share of each pixel and add something of their own,

    y = g x + c        haze τ, A(1 − τ);  rain 1, R;  snow 1 − z, w z;  shadow m, m − 1;  scratches 1 − m, v m

so that they are constructors of one operator. JAX's transpose would drop the constant without a word, which
is why `Affine` is not `Linear`; but y − c is a measurement of its linear part, with all that guidance asks of
it, and `Degradation.without_offset` is where that is used.
"""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from jaxir.degradations.operator import Linear, Operator, Spectral, expect_shape, image_shape
from jaxir.typing import Image, Measurement


class Gain(Spectral):
    """y = g x, each number of the image by its own factor.

    Diagonal in pixels, with singular values |g|.

    Args:
        gain: g, of a shape that broadcasts to the image's: (H, W, 1) for all channels together.
        shape: of the image.

    Raises:
        ValueError: if the two do not fit.
    """

    gain: Float[Array, ...] = eqx.field(converter=jnp.asarray)
    shape: tuple[int, int, int] = eqx.field(static=True, converter=image_shape)

    def __check_init__(self):
        expect_broadcast("gain", self.gain, self.shape)

    def apply(self, x: Image) -> Image:
        """g x."""
        return self.gain.astype(x.dtype) * x

    @property
    def spectrum(self) -> Float[Array, ...]:
        """|g|."""
        return jnp.abs(self.gain)

    def analyse(self, x: Image) -> Image:
        """Pixels are the basis."""
        return x

    def synthesise(self, coordinates: Image) -> Image:
        """Pixels are the basis."""
        return coordinates


class Affine(Operator):
    """y = A x + c.

    Args:
        linear: A.
        offset: c, in the units of the measurement, of a shape that broadcasts to A x.

    Raises:
        ValueError: if the offset does not fit.
    """

    linear: Linear
    offset: Float[Array, ...] = eqx.field(converter=jnp.asarray)

    def __check_init__(self):
        expect_broadcast("offset", self.offset, self.linear.output_shape)

    @property
    def shape(self) -> tuple[int, ...]:
        """The linear part's."""
        return self.linear.shape

    def apply(self, x: Image) -> Measurement:
        """A x + c."""
        y = self.linear.apply(x)
        return y + self.offset.astype(y.dtype)

    def clean(self, y: Measurement) -> Measurement:
        """c where y says nothing about the image."""
        offset = self.offset.astype(y.dtype)
        return self.linear.clean(y - offset) + offset

    @property
    def linear_part(self) -> Linear:
        """A."""
        return self.linear


def mixture(share: ArrayLike, other: ArrayLike, shape: tuple[int, int, int]) -> Affine:
    """y = (1 − m) x + m v: another light v, seen in place of a share m of the image.

    The same in units of [-1, 1] and of [0, 1], as every weighted mean is.

    Args:
        share: m in [0, 1], of a shape that broadcasts to the image's.
        other: v, in [-1, 1], likewise.
        shape: of the image.
    """
    share = jnp.asarray(share)
    return Affine(Gain(1 - share, shape), share * jnp.asarray(other))


def expect_broadcast(name: str, value: Array, shape: tuple[int, ...]) -> None:
    """Raise a ValueError unless `value` broadcasts to `shape`."""
    fits = value.ndim <= len(shape) and all(
        size in (1, whole) for size, whole in zip(value.shape[::-1], shape[::-1], strict=False)
    )
    if not fits:
        advice = "one number, (H, W, 1) or one for each number of the image"
        expect_shape(name, value, shape, "what it multiplies or adds to", advice)
