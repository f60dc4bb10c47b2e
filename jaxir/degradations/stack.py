"""Several measurements of one image as one: y = (A₁ x, A₂ x, …).

They come as a single real vector, one measurement after the other and of a complex one first the real parts. A
vector is what everything else takes (residuals, likelihoods, conjugate gradients), its inner product is the sum of
the parts', and no shapes need to agree; `join` makes it of measurements and `split` gives them back.
"""

# No `from __future__ import annotations` here: equinox knows AbstractVar only where it is not a string.

import math
from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxir.degradations.operator import Linear, Operator, expect_shape
from jaxir.typing import Image, Measurement


class Stacked(Operator):
    """What the linear and the general stack share.

    Attributes:
        operators: of images of one shape.
    """

    operators: eqx.AbstractVar[tuple[Operator, ...]]

    def __check_init__(self):
        shapes = {operator.shape for operator in self.operators}
        if len(shapes) != 1:
            raise ValueError(
                f"the operators take images of shapes {sorted(shapes)}, expected a single one: "
                "stack measurements of the same image"
            )

    @property
    def shape(self) -> tuple[int, ...]:
        """That of the image they share."""
        return self.operators[0].shape

    def apply(self, x: Image) -> Float[Array, " n"]:
        """Each of them."""
        return _vector([operator.apply(x) for operator in self.operators])

    def clean(self, y: Float[Array, " n"]) -> Float[Array, " n"]:
        """Each part as its operator has it."""
        parts = zip(self.operators, self.split(y), strict=True)
        return _vector([operator.clean(part) for operator, part in parts])

    def join(self, parts: Sequence[Measurement]) -> Float[Array, " n"]:
        """Separate measurements as the vector that this operator returns.

        Raises:
            ValueError: unless there is one for each operator, of its shape.
        """
        if len(parts) != len(self.operators):
            raise ValueError(
                f"got {len(parts)} measurements, expected {len(self.operators)}: one for each operator"
            )
        for operator, part in zip(self.operators, parts, strict=True):
            advice = "pass the measurements in the order of the operators"
            expect_shape("a measurement", part, operator.output_shape, "its operator's", advice)
        return _vector(parts)

    def split(self, y: Float[Array, " n"]) -> tuple[Measurement, ...]:
        """The measurements in their own shapes."""
        parts, start = [], 0
        for operator in self.operators:
            x = jax.ShapeDtypeStruct(operator.shape, y.dtype)
            like = jax.eval_shape(lambda x, operator=operator: operator.apply(x), x)
            size = math.prod(like.shape)
            halves = 2 if jnp.issubdtype(like.dtype, jnp.complexfloating) else 1
            numbers = y[start : start + halves * size].reshape(halves, *like.shape)
            parts.append(numbers[0] if halves == 1 else jax.lax.complex(*numbers))
            start += halves * size
        return tuple(parts)


class Stack(Stacked):
    """x ↦ (A₁(x), A₂(x), …) as one real vector; made by `stack`."""

    operators: tuple[Operator, ...]

    @property
    def linear_part(self) -> Linear | None:
        """That of every one of them, where they all are affine."""
        parts = [operator.linear_part for operator in self.operators]
        known = tuple(part for part in parts if part is not None)
        return LinearStack(known) if len(known) == len(parts) else None


class LinearStack(Stacked, Linear):
    """The same of linear operators: Aᴴ y = Σ Aᵢᴴ yᵢ and AᴴA = Σ AᵢᴴAᵢ; made by `stack`."""

    operators: tuple[Linear, ...]

    def adjoint(self, y: Float[Array, " n"]) -> Image:
        """The sum of the adjoints, each as its operator knows it."""
        self.expect_measurement(y)
        parts = zip(self.operators, self.split(y), strict=True)
        first, *others = (operator.adjoint(part) for operator, part in parts)
        return sum(others, start=first)


def stack(*operators: Operator) -> Stacked:
    """Several measurements of one image as one operator; linear where all of them are.

    Where their noises differ, give `GaussianNoise` the array `A.join([jnp.full_like(part, sigma), …])`, with
    sigma (1 + 1j) for a complex part.

    Raises:
        ValueError: if there is none, or they take images of different shapes.

    Example:
        >>> A = stack(grey((8, 8, 3)), area_downsample((8, 8, 3), 2))
        >>> [part.shape for part in A.split(A(jnp.zeros((8, 8, 3))))]
        [(8, 8, 1), (4, 4, 3)]
    """
    if not operators:
        raise ValueError("stack got no operators, expected at least one")
    linear = all(isinstance(operator, Linear) for operator in operators)
    return LinearStack(operators) if linear else Stack(operators)


def _vector(parts: Sequence[Measurement]) -> Float[Array, " n"]:
    complexes = ((p.real, p.imag) if jnp.iscomplexobj(p) else (p,) for p in parts)
    return jnp.concatenate([half.ravel() for halves in complexes for half in halves])
