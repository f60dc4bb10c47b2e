"""Nonlinear least squares without matrices, by conjugate directions and Gauss–Newton steps along them.

A step is as long as the linearised residual says, so that there is no learning rate, and on a linear function these are
conjugate gradients on the normal equations: exact after as many steps as there are unknowns, and of all solutions the
one nearest to the start.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array

from jaxir.linear import linearization
from jaxir.typing import Scalar


def least_squares(
    f: Callable[[Array], Array],
    start: Array,
    y: Array,
    *,
    enough: float | Scalar = 0.0,
    steps: int | Scalar = 50,
) -> Array:
    """From `start` to where ‖y − f(v)‖² is `enough`, or to its minimum where that is more.

        r = y − f(v),    g = Jᴴ r,    p ← g + β p,    β = max(0, ⟨g, g − g'⟩/⟨g', g'⟩)
        v ← v + α (1 − √max(0, 1 − (‖r‖² − enough)/(α ⟨r, J p⟩))) p,    α = ⟨r, J p⟩/‖J p‖²

    with J = ∂f/∂v and g' the gradient before. α is the minimum along p of the linearised residual, and its factor
    shortens the last step to where it is enough. A step that makes the residual larger is taken back and halved.

    Args:
        f: a differentiable function of one real array.
        start: where to begin.
        y: what f should return, real or complex.
        enough: ≥ 0, the square of the residual that is as good as none: what the noise of y accounts for.
        steps: evaluations of f with its derivative, at most.

    Source: [hestenes1952cg] for linear f; [polak1969] for β.
    """

    def look(state: _State) -> _State:
        at = state.at + state.move
        value, push, pull = linearization(f, at)
        r = y - value
        misfit, slope = _dot(r, r), pull(r.conj())  # Jᴴ r = conj(Jᵀ conj(r)), which is real
        before = _dot(state.slope, state.slope)
        beta = jnp.maximum(_dot(slope, slope - state.slope), 0) / jnp.where(before > 0, before, 1)
        direction = slope + beta * state.direction
        seen = push(direction)
        along, square = _dot(r, seen), _dot(seen, seen)
        alpha = along / jnp.where(square > 0, square, 1)
        least = alpha * along  # by how much the square of the residual falls
        share = jnp.minimum((misfit - enough) / jnp.where(least > 0, least, 1), 1)
        move = alpha * (1 - jnp.sqrt(1 - share)) * direction
        further = _State(state.looks + 1, at, move, misfit, slope, direction)
        back = state._replace(looks=state.looks + 1, move=0.5 * state.move)
        return jax.tree.map(lambda a, b: jnp.where(misfit < state.misfit, a, b), further, back)

    def goes_on(state: _State) -> Array:
        unexplained = state.misfit > enough * (1 + 1e-3)
        far, size = (jnp.max(jnp.abs(v)) for v in (state.move, state.at))
        moves = (far > jnp.finfo(start.dtype).eps * size) | (state.looks == 0)
        return (state.looks < steps) & unexplained & moves

    still = jnp.zeros_like(start)
    nothing = jnp.asarray(jnp.inf, start.dtype)
    first = _State(jnp.zeros((), jnp.int32), start, still, nothing, still, still)
    return jax.lax.while_loop(goes_on, look, first).at


class _State(NamedTuple):
    """Where we are, where to look next and what is known here."""

    looks: Array
    at: Array
    move: Array
    misfit: Scalar
    slope: Array
    direction: Array


def _dot(u: Array, v: Array) -> Scalar:
    """The real inner product, also of complex arrays."""
    return jnp.vdot(u, v, precision="highest").real
