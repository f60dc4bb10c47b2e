"""Is this operator what it says it is? Every claim of the interface, measured on random images.

What a restoration relies on (finite values, no mixing of a batch, linearity, the adjoint) costs a dozen applications
and is measured by `restore` too, on operators that jaxir's own tests have not proven; the norm and the pseudo-inverse
are iterations and are measured by `check_operator` alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PyTree

from jaxir.degradations.function import Function, LinearFunction
from jaxir.degradations.operator import Linear, Operator
from jaxir.typing import Scalar


class OperatorReport(NamedTuple):
    """What `check_operator` measured; print it. Errors are relative, None where it does not apply.

    Attributes:
        name: of the operator's class.
        shape: of the image that goes in.
        output_shape: of the measurement.
        dtype: of the image that went in.
        output_dtype: of the measurement.
        not_finite: how many numbers of A(x) are NaN or infinite.
        mixing: how far A(x), or Aᴴ y, moves as another image of the batch changes.
        linearity: |A(x/2 − z/4) − A(x)/2 + A(z)/4| against the sum of its terms.
        adjointness: |⟨A x, y⟩ − ⟨x, Aᴴ y⟩| against |A x| |y|, the worse of y = A x and x = Aᴴ y.
        norm: the largest singular value, by thirty steps of power iteration (a lower bound).
        pinv: |A A⁺ A x − A x| against |A x|.
        tolerance: what an error may be, the square root of the rounding unit.
        failures: a line for each claim that does not hold; empty for a good operator.
    """

    name: str
    shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    dtype: str
    output_dtype: str
    not_finite: int
    mixing: float
    linearity: float
    adjointness: float | None
    norm: float | None
    pinv: float | None
    tolerance: float
    failures: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing failed."""
        return not self.failures

    def __str__(self) -> str:
        """One line a fact, then the failures."""
        keys = ("mixing", "linearity", "adjointness", "norm", "pinv")
        figures = {key: getattr(self, key) for key in keys}
        lines = [
            f"{self.name}: {self.dtype}{list(self.shape)} -> {self.output_dtype}{list(self.output_shape)}",
            *(f"  {key:<12}{figure:.2e}" for key, figure in figures.items() if figure is not None),
            *(f"  FAILED {failure}" for failure in self.failures),
        ]
        return "\n".join(lines if self.failures else [*lines, "  ok"])


def check_operator(operator: Operator, *, seed: int = 0) -> OperatorReport:
    """Measure what an operator promises: finite values, linearity, adjointness, norm and pseudo-inverse.

    A general operator is asked for finite values, for the dtype, and not to mix the images of a batch, as a function of
    the host may (`jax.pure_callback`); its linearity is reported.

    Args:
        operator: any operator, one's own in particular.
        seed: of the random images, uniform in [-1, 1].

    Example:
        >>> report = check_operator(from_linear_function(lambda x: x[::2], (32, 32, 3)))
        >>> report.ok
        True
    """
    return _report(operator, seed, thorough=True)


def expect_sound(operator: Operator) -> None:
    """Refuse an operator that breaks a promise which every method relies on.

    A shipped operator, which tests have proven, is looked at for parameters that are not finite; one that is made of
    somebody's function or class, in part or as a whole, is measured: a dozen applications, after a compilation.

    Raises:
        ValueError: naming the promise, what was measured and what was expected.
    """
    if not _own(operator):
        numbers = jax.tree.leaves(eqx.filter(operator, eqx.is_inexact_array_like))
        bad = sum(int(np.sum(~np.isfinite(number))) for number in numbers)
        if bad:
            raise ValueError(
                f"the operator {type(operator).__name__} holds {bad} numbers that are NaN or infinite, expected none: "
                "look at the kernel, the gain or whatever else it was made of"
            )
        return
    report = _report(operator, 0, thorough=False)
    if not report.ok:
        raise ValueError(
            f"the operator {report.name} is not sound, {report.failures[0]} (check_operator tells more; check=False "
            "goes on all the same)"
        )


def _own(operator: Operator) -> bool:
    """Whether a function or a class from outside this package is part of it."""

    def foreign(node: PyTree) -> bool:
        shipped = type(node).__module__.startswith("jaxir.")
        return isinstance(node, Operator) and (
            not shipped or isinstance(node, Function | LinearFunction)
        )

    return any(map(foreign, jax.tree.leaves(operator, is_leaf=foreign)))


def _report(operator: Operator, seed: int, *, thorough: bool) -> OperatorReport:
    dtype = jnp.result_type(float)
    rng, pair = np.random.default_rng(seed), np.empty((2, *operator.shape), dtype)
    for row in pair.reshape(-1, *operator.shape[1:]):  # by NumPy, which has nothing to compile
        row[:] = rng.uniform(-1, 1, row.shape)
    x = pair[0]
    y = jax.eval_shape(lambda x: operator.apply(x), x)
    linear = isinstance(operator, Linear)
    measured = _promises(operator, pair)
    if thorough and linear:
        norm, ax, fitted = _iterations(operator, x)
        measured |= {
            "norm": float(norm),
            "pinv": _share(_norm((1, fitted), (-1, ax)), _norm((1, ax))),
        }
    report = OperatorReport(
        name=type(operator).__name__,
        shape=x.shape,
        output_shape=y.shape,
        dtype=str(x.dtype),
        output_dtype=str(y.dtype),
        not_finite=int(measured.pop("not_finite")),
        tolerance=float(np.sqrt(jnp.finfo(dtype).eps)),
        failures=(),
        **dict.fromkeys(("adjointness", "norm", "pinv"))
        | {key: float(number) for key, number in measured.items()},
    )
    return report._replace(failures=tuple(_failures(report, linear)))


def _promises(operator: Operator, pair: np.ndarray) -> dict[str, float]:
    """From two batches of two images, (x, z) and (x, x/2 − z/4) in its place, what A and Aᴴ make of them.

    The numbers are NumPy's: to compile a norm would cost more than to apply A. Of a large image a batch is let go as
    soon as it has been measured.
    """
    there = _forward(operator, jnp.array(pair))
    pair[1] = 0.5 * pair[0] - 0.25 * pair[1]
    there_again = _forward(operator, jnp.array(pair))
    (ax, az), (ax_again, both) = map(np.asarray, (there, there_again))
    size = _norm((1, ax))
    with np.errstate(invalid="ignore"):  # what is not finite stays so, and is reported
        numbers = {
            "not_finite": np.sum(~np.isfinite(ax)),
            "mixing": _share(_norm((1, ax_again), (-1, ax)), size),
            "linearity": _share(
                _norm((1, both), (-0.5, ax), (0.25, az)), 0.5 * size + 0.25 * _norm((1, az))
            ),
        }
        if not isinstance(operator, Linear):
            return numbers
        again = np.asarray(_backward(operator, there_again))[0]
        del there_again, ax_again, both
        backs = _backward(operator, there)
        back = np.asarray(backs)[0]
        moved = _share(_norm((1, again), (-1, back)), _norm((1, back)))
        del again
        forth = np.asarray(_forward(operator, backs))[0]
        # ⟨A x, A x⟩ = ⟨x, Aᴴ A x⟩ and ⟨A Aᴴ y, y⟩ = |Aᴴ y|²: of order one, unlike those of unrelated x and y
        gaps = (
            _share(abs(_inner(ax, ax) - _inner(pair[0], back)), size**2),
            _share(abs(_inner(forth, ax) - _inner(back, back)), _norm((1, forth)) * size),
        )
        return numbers | {
            "mixing": np.maximum(numbers["mixing"], moved),
            "adjointness": np.maximum(*gaps),  # NaN if either is
        }


@eqx.filter_jit
def _forward(operator: Operator, xs: Array) -> Array:
    """A of each image of a batch."""
    with jax.default_matmul_precision("highest"):
        return jax.vmap(lambda x: operator(x))(xs)


@eqx.filter_jit
def _backward(operator: Linear, ys: Array) -> Array:
    """Aᴴ of each measurement of a batch."""
    with jax.default_matmul_precision("highest"):
        return jax.vmap(lambda y: operator.adjoint(y))(ys)


@eqx.filter_jit
def _iterations(operator: Linear, x: Array) -> tuple[Scalar, Array, Array]:
    """The norm, A x and A A⁺ A x."""

    def power(_: int, v: Array) -> Array:
        v = operator.adjoint(operator(v))
        size = jnp.linalg.norm(v.ravel())
        return v / jnp.where(size == 0, 1, size)

    v = jax.lax.fori_loop(0, 30, power, x / jnp.linalg.norm(x.ravel()))
    ax = operator(x)
    return jnp.linalg.norm(operator(v).ravel()), ax, operator(operator.pinv(ax))


def _failures(report: OperatorReport, linear: bool) -> Iterator[str]:
    if report.not_finite:
        yield (
            f"finite: {report.not_finite} of {math.prod(report.output_shape)} numbers of A(x) are NaN or "
            "infinite: look for logarithms, roots and divisions"
        )
    inexact = jnp.issubdtype(report.output_dtype, jnp.inexact)
    if not inexact or jnp.finfo(report.output_dtype).dtype != report.dtype:
        yield f"dtype: A({report.dtype}) is {report.output_dtype}: let the dtype follow x"
    if report.not_finite:
        return  # no other number is finite either
    promises = {
        "mixing": "an image changes its neighbour in the batch, write A for one image",
        "linearity": "A is not linear, use from_function",
        "adjointness": "adjoint is not Aᴴ, leave it to jax.linear_transpose",
        "pinv": "A A⁺ A is not A, A is too ill-conditioned for its pseudo-inverse or pinv is wrong",
    }
    for key, advice in promises.items():
        error = getattr(report, key)
        if error is None or (key == "linearity" and not linear):
            continue
        if not error <= report.tolerance:  # NaN fails too
            yield f"{key}: {error:.2e} is above {report.tolerance:.2e}: {advice}"


def _norm(*terms: tuple[float, Array]) -> float:
    """|Σ f u| over (f, u)."""
    squares = (
        np.sum(np.abs(sum(f * u for (f, _), u in zip(terms, pieces, strict=True))) ** 2)
        for pieces in _double(*(u for _, u in terms))
    )
    return float(np.sqrt(sum(squares)))


def _inner(u: Array, v: Array) -> float:
    return sum(np.vdot(*pieces).real for pieces in _double(u, v))


def _double(*arrays: Array) -> Iterator[list[np.ndarray]]:
    """Piece by piece in double precision, which takes no memory to speak of."""
    flat = [np.ravel(array) for array in arrays]
    for start in range(0, len(flat[0]), 2**18):
        pieces = [array[start : start + 2**18] for array in flat]
        yield [piece.astype(complex if np.iscomplexobj(piece) else float) for piece in pieces]


def _share(part: float, whole: float) -> float:
    """The part of a whole, and the part itself where the whole is 0."""
    return part / (whole or 1)
