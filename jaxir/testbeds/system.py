"""How the covariance S = A C Aᴴ + σ_y² I of a measurement of a stationary field is inverted.

That is all of a `StationaryField` that depends on the kind of degradation: a division in Fourier space where A moves
with the image, conjugate gradients elsewhere.
"""

from __future__ import annotations

import abc

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxir import expect
from jaxir.degradations import Linear
from jaxir.denoisers.exact import spectral_filter
from jaxir.linear import LinearMap, conjugate_gradient
from jaxir.typing import Image, Measurement, Scalar


class System(eqx.Module):
    """How S u = r is solved."""

    def check(self, operator: Linear, matvec: LinearMap, like: Image) -> None:
        """Refuse an operator for which `solve` or `cell` would be wrong.

        Args:
            operator: A.
            matvec: u ↦ S u.
            like: an image, of the dtype of the numbers to come.
        """
        return

    @abc.abstractmethod
    def solve(self, matvec: LinearMap, r: Measurement) -> Measurement:
        """S⁻¹ r.

        Args:
            matvec: u ↦ S u.
            r: the right-hand side.
        """

    @abc.abstractmethod
    def cell(self, operator: Linear) -> tuple[int, int]:
        """The rows and columns after which the posterior variance of a pixel repeats."""


class Circulant(System):
    """S is a circular convolution of each channel, for blurs and for reductions by blocks: exact, by FFTs."""

    def check(self, operator: Linear, matvec: LinearMap, like: Image) -> None:
        """Try on random numbers whether A moves with the image, and whether S is what `solve` takes it for.

        Raises:
            TypeError: if not.
        """
        error = self._error(operator, matvec, like)
        if expect.known(error) and not error <= jnp.finfo(like.dtype).eps ** 0.5:
            raise TypeError(
                f"{type(operator).__name__} is not a circular convolution of each channel, with or without a "
                "reduction by blocks, and Circulant() would solve another problem: pass system=Iterative()"
            )

    def _error(self, operator: Linear, matvec: LinearMap, like: Image) -> Scalar | float:
        """The largest of three relative errors: of A after a shift down, after a shift aside, and of S."""
        grid = operator.output_shape
        if len(grid) != 3 or like.shape[0] % grid[0] or like.shape[1] % grid[1]:
            return jnp.inf
        rows, columns = self.cell(operator)
        first, second = jax.random.split(jax.random.key(0))
        x = jax.random.normal(first, like.shape, like.dtype)
        seen = operator(x)
        r = jax.random.normal(second, grid, seen.dtype)
        pairs = [
            (operator(jnp.roll(x, rows, 0)), jnp.roll(seen, 1, 0)),
            (operator(jnp.roll(x, columns, 1)), jnp.roll(seen, 1, 1)),
            (spectral_filter(self._response(matvec, r), r), matvec(r)),
        ]
        return jnp.max(jnp.stack([_gap(*pair) for pair in pairs]))

    def solve(self, matvec: LinearMap, r: Measurement) -> Measurement:
        """F⁻¹ (F r / F S δ₀)."""
        return spectral_filter(1 / self._response(matvec, r), r)

    def _response(self, matvec: LinearMap, like: Measurement) -> Float[Array, "h w c"]:
        """F S δ₀."""
        delta = jnp.zeros_like(like).at[0, 0].set(1)
        return jnp.fft.fft2(matvec(delta), axes=(0, 1)).real

    def cell(self, operator: Linear) -> tuple[int, int]:
        """The factor of the reduction."""
        height, width = operator.output_shape[:2]
        return operator.shape[0] // height, operator.shape[1] // width


class Iterative(System):
    """Any linear operator, by conjugate gradients.

    Args:
        steps: at most so many iterations.
        tolerance: stop where the residual is below this share of the right-hand side.
    """

    steps: int = eqx.field(static=True, default=2000)
    tolerance: float = eqx.field(static=True, default=1e-6)

    def solve(self, matvec: LinearMap, r: Measurement) -> Measurement:
        """S⁻¹ r to the tolerance."""
        return conjugate_gradient(matvec, r, steps=self.steps, tolerance=self.tolerance).x

    def cell(self, operator: Linear) -> tuple[int, int]:
        """The whole image."""
        return operator.shape[0], operator.shape[1]


def _gap(found: Array, expected: Array) -> Scalar:
    """|found − expected|/|expected|."""
    return jnp.linalg.norm((found - expected).ravel()) / jnp.linalg.norm(expected.ravel())
