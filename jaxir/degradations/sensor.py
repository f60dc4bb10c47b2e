"""What happens to each number alone: steps, saturation and the curve of a camera.

They are points, not neighbourhoods, and compose with everything: a blur happens in light and a camera bends
its result, so that `Gamma(1/γ) @ Blur @ Gamma(γ)` is the blur of a photograph (`nonlinear_blur`).
"""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array

from jaxir import expect
from jaxir.degradations.blur import Blur
from jaxir.degradations.operator import Operator, image_shape
from jaxir.typing import Image, Scalar


def straight_through(value: Array, like: Array) -> Array:
    """`value`, with the derivative of `like`: for roundings, whose own derivative is 0 or nothing.

    Source: [bengio2013ste] §4.
    """
    return _straight_through(jax.lax.stop_gradient(value), like)


@jax.custom_jvp
def _straight_through(value: Array, like: Array) -> Array:
    del like
    return value


@_straight_through.defjvp
def _straight_through_jvp(primals: tuple, tangents: tuple) -> tuple[Array, Array]:
    return primals[0], tangents[1]


class Quantise(Operator):
    """y is the nearest of `levels` equally spaced values from -1 to 1.

    The derivative is straight-through: 1 inside [-1, 1] and 0 outside, where it saturates.

    Args:
        levels: how many, ≥ 2; 256 is 8 bits.
        shape: of the image.

    Raises:
        ValueError: for fewer than two levels.
    """

    levels: float | Scalar
    shape: tuple[int, int, int] = eqx.field(static=True, converter=image_shape)

    def __check_init__(self):
        if expect.known(self.levels) and not self.levels >= 2:
            raise ValueError(f"levels is {self.levels}, expected 2 or more, as 256 for 8 bits")

    def apply(self, x: Image) -> Image:
        """Round to the nearest level."""
        inside = jnp.clip(x, -1, 1)
        half = (jnp.asarray(self.levels, x.dtype) - 1) / 2
        return straight_through(jnp.round((inside + 1) * half) / half - 1, inside)


class Clip(Operator):
    """y = clip(g x, -1, 1): contrast beyond the range, lost at both ends.

    The derivative is g where nothing is lost and 0 elsewhere.

    Args:
        gain: g > 0; 2 is the high-dynamic-range task of the literature.
        shape: of the image.

    Raises:
        ValueError: unless the gain is positive.

    Source: [mardani2024reddiff].
    """

    gain: float | Scalar
    shape: tuple[int, int, int] = eqx.field(static=True, converter=image_shape)

    def __check_init__(self):
        expect.positive("gain", self.gain)

    def apply(self, x: Image) -> Image:
        """Scale and saturate."""
        return jnp.clip(jnp.asarray(self.gain, x.dtype) * x, -1, 1)


class Gamma(Operator):
    """y = 2 u^γ − 1 with the intensity u = (x + 1)/2, at least DARK: a power law of brightness.

    `Gamma(2.2)` takes a photograph to light, `Gamma(1 / 2.2)` light to a photograph, and one undoes the
    other. Below DARK the curve goes on as a straight line through black, so that its derivative is finite and both
    remain inverses of one another.

    Args:
        exponent: γ > 0.
        shape: of the image.

    Raises:
        ValueError: unless the exponent is positive.
    """

    exponent: float | Scalar
    shape: tuple[int, int, int] = eqx.field(static=True, converter=image_shape)

    def __check_init__(self):
        expect.positive("exponent", self.exponent)

    def apply(self, x: Image) -> Image:
        """Bend each value."""
        u = (x + 1) / 2
        gamma = jnp.asarray(self.exponent, x.dtype)
        knee = jnp.where(gamma > 1, DARK, DARK ** (1 / gamma))
        return (
            jnp.where(u > knee, 2 * jnp.maximum(u, knee) ** gamma, 2 * u * knee ** (gamma - 1)) - 1
        )


DARK = 1 / 255
"""The intensity, of [0, 1], where a camera's curve becomes a straight line: one grey level."""


def nonlinear_blur(blur: Blur, *, gamma: float | Scalar = 2.2) -> Operator:
    """A photograph blurred in light: y = f(k ⊛ f⁻¹(x)), f the response of the camera.

    A pure function of its kernel and exponent, which are leaves.

    Args:
        blur: the blur of light, of the image's shape.
        gamma: of the response u ↦ u^(1/γ); 2.2 is a display's.
    """
    return Gamma(1 / gamma, blur.shape) @ blur @ Gamma(gamma, blur.shape)
