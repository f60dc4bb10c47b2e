"""An operator maps one image to the noise-free measurement; three interfaces say how much is known of it.

    Operator    y = A(x)                        any JAX function: autodiff gives its derivatives
    Linear      + Aᴴ, (AᴴA + ρ)⁻¹, A⁺           from `jax.linear_transpose` and conjugate gradients
    Spectral    + A = U diag(s) Vᴴ, V fast      the same in closed form, and any function of √(AᴴA)

What guidance asks for is `solve`: by the push-through identity Aᴴ(AAᴴ + ρ)⁻¹ = (AᴴA + ρ)⁻¹Aᴴ it serves
systems in the space of measurements as well. An interface is never instantiated and checks at the door; a
concrete operator is a value whose arrays are leaves, so a new mask or kernel of one size never retraces.
"""

# No `from __future__ import annotations` here: equinox knows AbstractVar only where it is not a string.

import abc
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Inexact

from jaxir import linear
from jaxir.typing import Image, Measurement, Scalar


def image_shape(shape: tuple[int, int, int]) -> tuple[int, int, int]:
    """`shape` as a tuple of three sizes.

    Raises:
        ValueError: unless it is (height, width, channels), all at least 1.
    """
    if len(shape) != 3 or min(shape) < 1:
        raise ValueError(
            f"shape is {tuple(shape)} but an image is (height, width, channels), all at least 1: "
            "name the channels too, (64, 64, 3) in colour and (64, 64, 1) in grey"
        )
    height, width, channels = shape
    return int(height), int(width), int(channels)


def expect_shape(name: str, value: Array, shape: tuple[int, ...], what: str, advice: str) -> None:
    """Raise a ValueError, at trace time, unless `value` has this shape."""
    if jnp.shape(value) != tuple(shape):
        raise ValueError(
            f"{name} has shape {jnp.shape(value)} but {what} is {tuple(shape)}: {advice}"
        )


class Operator(eqx.Module):
    """How an image is degraded before noise is added: y = A(x), for one image.

    Attributes:
        shape: of the image that goes in, (height, width, channels).
    """

    shape: eqx.AbstractVar[tuple[int, ...]]

    @abc.abstractmethod
    def apply(self, x: Image) -> Measurement:
        """A(x) for an `x` that is known to fit; what a new operator writes down."""

    def __call__(self, x: Image) -> Measurement:
        """A(x), without noise.

        Raises:
            ValueError: if `x` is not of the operator's shape, or holds integers.
        """
        advice = "make the operator for this size, or resize the image; batches go through jax.vmap"
        expect_shape("x", x, self.shape, "the operator's input", advice)
        if not jnp.issubdtype(x.dtype, jnp.inexact):
            raise ValueError(
                f"x has dtype {x.dtype} but images are float in [-1, 1]: pass x / 127.5 - 1 for 8 bits"
            )
        return self.apply(x)

    def clean(self, y: Measurement) -> Measurement:
        """`y` with 0 where it says nothing about the image, a mask's hole; all of it unless overridden."""
        return y

    def told(self, y: Measurement) -> Bool[Array, "..."]:
        """Which values of `y` say something about the image: those that `clean` keeps, whatever they are."""
        return self.clean(jnp.ones_like(y)) != self.clean(jnp.zeros_like(y))

    @property
    def output_shape(self) -> tuple[int, ...]:
        """The shape of A(x)."""
        x = jax.ShapeDtypeStruct(self.shape, jnp.result_type(float))
        return jax.eval_shape(lambda x: self.apply(x), x).shape  # a bound method would be compared

    @property
    def linear_part(self) -> "Linear | None":
        """A of an operator that is known to be x ↦ A x + c, None for the others; c is its value at 0."""
        return None

    def __matmul__(self, inner: "Operator") -> "Operator":
        """`A @ B` applies B first; it is linear where both are."""
        if isinstance(self, Linear) and isinstance(inner, Linear):
            return LinearComposition(self, inner)
        return Composition(self, inner)


class Linear(Operator):
    """A linear operator. Everything here follows from `apply`; a subclass may know better."""

    @property
    def linear_part(self) -> "Linear":
        """All of it."""
        return self

    def adjoint(self, y: Measurement) -> Image:
        """Aᴴ y = conj(Aᵀ conj(y)), with ⟨A x, y⟩ = ⟨x, Aᴴ y⟩ as real inner products."""
        self.expect_measurement(y)
        x = jax.ShapeDtypeStruct(self.shape, jnp.finfo(y.dtype).dtype)
        return linear.adjoint(self.apply, x)(y)

    def solve(self, v: Image, rho: float | Scalar) -> Image:
        """(AᴴA + ρ I)⁻¹ v, the proximal step of ½|A x|², by conjugate gradients unless it is known.

        Args:
            v: an image.
            rho: ρ > 0, a number.
        """
        return linear.conjugate_gradient(lambda x: self.adjoint(self.apply(x)) + rho * x, v).x

    def pinv(self, y: Measurement) -> Image:
        """A⁺ y, the image of least norm among those that fit `y` best (Moore–Penrose).

        By conjugate gradients on AᴴA x = Aᴴy unless it is known: exact for a well-conditioned A, and
        regularised by stopping early for the others. `check_operator` measures how exact. Derivatives
        are with respect to `y` only.
        """
        self.expect_measurement(y)
        fixed = jax.lax.stop_gradient(self)
        return linear.pseudo_inverse(fixed.apply, fixed.adjoint, y)

    def expect_measurement(self, y: Measurement) -> None:
        """Raise a ValueError unless `y` has the shape of a measurement."""
        advice = "pass the measurement, not the clean image"
        expect_shape("y", y, self.output_shape, "the operator's output", advice)


class Spectral(Linear):
    """A linear operator with a fast singular basis, A = U diag(s) Vᴴ with V unitary.

    Coordinates are arrays of the image's size, complex where the basis is (Fourier). DDRM and MCGDiff act on
    them; `solve` and `pinv` are closed forms.
    """

    @property
    @abc.abstractmethod
    def spectrum(self) -> Array:
        """The singular values s ≥ 0, one for each coordinate up to broadcasting; 0 is not observed."""

    @abc.abstractmethod
    def analyse(self, x: Image) -> Inexact[Array, "h w c"]:
        """Vᴴ x, the coordinates of an image."""

    @abc.abstractmethod
    def synthesise(self, coordinates: Inexact[Array, "h w c"]) -> Image:
        """V c, the image with these coordinates."""

    def diagonal(self, factors: Array, x: Image) -> Image:
        """V diag(factors) Vᴴ x, with a real factor for each coordinate up to broadcasting."""
        coordinates = self.analyse(x)
        return self.synthesise(factors.astype(coordinates.dtype) * coordinates)

    def filter(self, f: Callable[[Array], Array], x: Image) -> Image:
        """f(√(AᴴA)) x = V f(s) Vᴴ x.

        Args:
            f: from singular values to factors, elementwise and real.
            x: an image.
        """
        return self.diagonal(f(self.spectrum.astype(x.dtype)), x)

    def solve(self, v: Image, rho: float | Scalar) -> Image:
        """(AᴴA + ρ I)⁻¹ v = V (s² + ρ)⁻¹ Vᴴ v."""
        return self.filter(lambda s: 1 / (s**2 + rho), v)

    def pinv(self, y: Measurement) -> Image:
        """A⁺ y = V s⁻² Vᴴ Aᴴ y over the singular values that are not numerically zero."""

        def inverse_square(s: Array) -> Array:
            seen = self.observed(s)
            return jnp.where(seen, 1 / jnp.where(seen, s, 1) ** 2, 0)

        return self.filter(inverse_square, self.adjoint(y))

    def observed(self, s: Array) -> Array:
        """Which singular values count: s > max(H, W) eps s_max, the convention of numpy's rank."""
        return s > max(self.shape[:2]) * jnp.finfo(s.dtype).eps * jnp.max(s)


class Composition(Operator):
    """x ↦ outer(inner(x)); affine where both are."""

    outer: Operator
    inner: Operator

    def __check_init__(self):
        expect_composable(self.outer, self.inner)

    @property
    def shape(self) -> tuple[int, ...]:
        """The inner operator's."""
        return self.inner.shape

    def apply(self, x: Image) -> Measurement:
        """outer(inner(x))."""
        return self.outer.apply(self.inner.apply(x))

    def clean(self, y: Measurement) -> Measurement:
        """The outer operator's, whose measurement it is."""
        return self.outer.clean(y)

    @property
    def linear_part(self) -> Linear | None:
        """A B for outer x ↦ A x + c and inner x ↦ B x + d."""
        outer, inner = self.outer.linear_part, self.inner.linear_part
        return None if outer is None or inner is None else LinearComposition(outer, inner)


class LinearComposition(Linear):
    """x ↦ outer(inner(x)) for two linear operators.

    The adjoint is the transpose of the whole, so that what passes between the two may be complex.
    """

    outer: Linear
    inner: Linear

    def __check_init__(self):
        expect_composable(self.outer, self.inner)

    @property
    def shape(self) -> tuple[int, ...]:
        """The inner operator's."""
        return self.inner.shape

    def apply(self, x: Image) -> Measurement:
        """outer(inner(x))."""
        return self.outer.apply(self.inner.apply(x))

    def clean(self, y: Measurement) -> Measurement:
        """The outer operator's, whose measurement it is."""
        return self.outer.clean(y)


def expect_composable(outer: Operator, inner: Operator) -> None:
    """Raise a ValueError unless `outer` takes what `inner` returns."""
    if outer.shape != inner.output_shape:
        raise ValueError(
            f"A @ B applies B first: B returns shape {inner.output_shape} but A takes {outer.shape}: "
            "make A for B's output, or swap them"
        )
