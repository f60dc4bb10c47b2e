"""Linear maps without matrices: the adjoint of a function, and a positive system solved with it.

Both come from JAX itself. `jax.linear_transpose` knows Aᵀ of any linear function, so conjugation on both
sides gives Aᴴ. Conjugate gradients are `jax.scipy`'s rather than lineax's, whose CG (0.1.1) takes a direction
for a breakdown once pᴴMp < 200 n eps |p|²: in float32, from n = 42 000 on, that is every system with |M| ≤ 1.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array

from jaxir.typing import Scalar

LinearMap = Callable[[Array], Array]
"""A linear function from arrays to arrays."""


class Solution(NamedTuple):
    """What an iterative solve returns.

    Attributes:
        x: the approximate solution.
        residual: |rhs − M x| / |rhs|, computed from `x` and not by the recursion (free where not used).
    """

    x: Array
    residual: Scalar


def adjoint(f: LinearMap, like: jax.ShapeDtypeStruct | Array) -> LinearMap:
    """The adjoint of a linear function, y ↦ conj(fᵀ(conj(y))).

    It is adjoint for ⟨u, v⟩ = Re Σ conj(u) v, so that for a real domain and complex values (MRI) it
    returns a real array, and M = fᴴf + ρ is symmetric whatever the values are.

    Args:
        f: a linear function of one array, made of operations JAX can transpose.
        like: an array, or the shape and dtype, of what `f` takes.
    """
    # behind a lambda, since JAX compares functions and a bound method of a pytree compares its arrays
    transpose = jax.linear_transpose(lambda x: f(x), jax.ShapeDtypeStruct(like.shape, like.dtype))
    return lambda y: transpose(y.conj())[0].conj()


class Linearization(NamedTuple):
    """A function near a point, f(x + v) ≈ value + J v.

    Attributes:
        value: f(x).
        push: v ↦ J v.
        pull: u ↦ Jᵀ u.
    """

    value: Array
    push: LinearMap
    pull: LinearMap


def linearization(f: Callable[[Array], Array], x: Array) -> Linearization:
    """`f` near `x`, evaluated once.

    J v is the pullback's own pullback, so that `f` needs a derivative in one mode only.
    """
    value, vjp = jax.vjp(f, x)

    def pull(u: Array) -> Array:
        return vjp(u)[0]

    def push(v: Array) -> Array:
        return jax.vjp(pull, jnp.zeros_like(value))[1](v)[0]

    return Linearization(value, push, pull)


def conjugate_gradient(
    matvec: LinearMap,
    rhs: Array,
    *,
    steps: int = 200,
    tolerance: float | None = None,
) -> Solution:
    """Solve M x = rhs for a self-adjoint positive M by conjugate gradients from x = 0.

    Where M is only semi-definite and rhs lies in its range, x is the solution of least norm. Derivatives
    are those of the exact solution (the implicit function theorem), not of the iterations. Products of
    matrices inside `matvec` run at the highest precision.

    Args:
        matvec: x ↦ M x, of the shape and dtype of `rhs`.
        rhs: the right-hand side; one system, whatever its shape.
        steps: at most so many iterations, ≥ 0.
        tolerance: stop where the residual is below this share of |rhs|; ten roundings by default.

    Source: [hestenes1952cg] §3.
    """
    share = 10 * float(jnp.finfo(rhs.dtype).eps) if tolerance is None else tolerance
    with jax.default_matmul_precision("highest"):
        x, _ = jax.scipy.sparse.linalg.cg(matvec, rhs, tol=share, maxiter=steps)
        scale = jnp.linalg.norm(rhs.ravel())
        residual = jnp.linalg.norm((rhs - matvec(x)).ravel())
    return Solution(x, residual / jnp.where(scale > 0, scale, 1))


def pseudo_inverse(f: LinearMap, f_adjoint: LinearMap, y: Array) -> Array:
    """f⁺ y, the least-norm solution of min |y − f(x)|, by conjugate gradients on fᴴf x = fᴴy.

    It is posed with its residual as one symmetric system,

        | 1   f | |r|   |y|        w = (fᴴ)⁺ z = (f fᴴ)⁺ f z
        | fᴴ  0 | |x| = |z|,       x = f⁺ (y − w),   r = y − f x,        z = 0,

    because the derivative has y = 0 and z ≠ 0: each of the two solves then has a right-hand side in its
    range, where that of fᴴf x = fᴴy alone would blow up. Derivatives with respect to `y` are right;
    those with respect to arrays inside `f` are not and should be stopped.

    Args:
        f: a linear function of one real array.
        f_adjoint: its adjoint.
        y: what it should return.
    """

    def matvec(state: tuple[Array, Array]) -> tuple[Array, Array]:
        r, x = state
        return r + f(x), f_adjoint(r)

    def solve(_: object, rhs: tuple[Array, Array]) -> tuple[Array, Array]:
        y, z = rhs
        w = conjugate_gradient(lambda r: f(f_adjoint(r)), f(z)).x
        x = conjugate_gradient(lambda x: f_adjoint(f(x)), f_adjoint(y - w)).x
        return y - f(x), x

    def transpose_solve(_: object, rhs: tuple[Array, Array]) -> tuple[Array, Array]:
        return jax.tree.map(jnp.conj, solve(None, jax.tree.map(jnp.conj, rhs)))

    with jax.default_matmul_precision("highest"):
        rhs = (y, 0 * f_adjoint(y))  # not a constant: JAX 0.10 wants a tangent for each part
        # it is Hermitian: said where it can be, so that a host's adjoint, which has no transpose, is not asked for one
        symmetric = not jnp.iscomplexobj(y)
        return jax.lax.custom_linear_solve(matvec, rhs, solve, transpose_solve, symmetric)[1]
