"""Any JAX function as an operator.

The caller says whether it is linear by choosing the constructor, because JAX cannot: `jax.linear_transpose`
accepts x ↦ A x + c and drops c without a word. `check_operator` measures it on numbers.
"""

from __future__ import annotations

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp

from jaxir import linear
from jaxir.degradations.operator import Linear, Operator
from jaxir.typing import Image, Measurement


def from_function(f: Callable[[Image], Measurement], shape: tuple[int, ...]) -> Operator:
    """The operator x ↦ f(x), where `f` need not be linear.

    Args:
        f: a pure function of one image. Give arrays that change (weights, a kernel) to it as the leaves of
            a callable pytree, such as `jax.tree_util.Partial(g, kernel)`, and a new value will not retrace.
        shape: of the image it takes.

    Example:
        >>> A = from_function(lambda x: jnp.clip(2 * x, -1, 1), (32, 32, 3))
    """
    return Function(_as_pytree(f), tuple(shape))


def from_linear_function(f: Callable[[Image], Measurement], shape: tuple[int, ...]) -> Linear:
    """The linear operator x ↦ f(x), with its adjoint by `jax.linear_transpose`.

    Where the adjoint is code of another library, write a subclass of `Linear` with both instead.

    Args:
        f: a pure linear function of one image; arrays that change go in as for `from_function`.
        shape: of the image it takes.

    Raises:
        TypeError: if JAX cannot transpose `f`, which is then not linear (or not visibly so).
    """
    operator = LinearFunction(_as_pytree(f), tuple(shape))
    x = jax.ShapeDtypeStruct(operator.shape, jnp.result_type(float))
    y = jax.eval_shape(operator.apply, x)
    try:
        jax.eval_shape(linear.adjoint(operator.apply, x), y)
    except Exception as error:  # JAX raises what the primitive at fault raises
        raise TypeError(
            f"f is not linear, as far as JAX can see ({type(error).__name__}: {error}): "
            "use from_function, or write it with linear operations only"
        ) from error
    return operator


class Function(Operator):
    """x ↦ f(x); made by `from_function`."""

    f: Callable[[Image], Measurement]
    shape: tuple[int, ...] = eqx.field(static=True)

    def apply(self, x: Image) -> Measurement:
        """f(x)."""
        return self.f(x)


class LinearFunction(Linear):
    """x ↦ f(x) for a linear f, at the highest matrix precision; made by `from_linear_function`."""

    f: Callable[[Image], Measurement]
    shape: tuple[int, ...] = eqx.field(static=True)

    def apply(self, x: Image) -> Measurement:
        """f(x)."""
        with jax.default_matmul_precision("highest"):
            return self.f(x)


def _as_pytree(f: Callable) -> Callable:
    """A plain function would be a leaf that jit refuses; as a Partial it is part of the structure."""
    return jax.tree_util.Partial(f) if jax.tree_util.all_leaves([f]) else f
