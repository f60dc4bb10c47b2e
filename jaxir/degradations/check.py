"""Is this operator what it says it is? Every claim of the interface, measured on random images."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array

from jaxir.degradations.operator import Linear, Operator
from jaxir.typing import Measurement, Scalar


class OperatorReport(NamedTuple):
    """What `check_operator` measured; print it. Errors are relative, None where it does not apply.

    Attributes:
        name: of the operator's class.
        shape: of the image that goes in.
        output_shape: of the measurement.
        dtype: of the image that went in.
        output_dtype: of the measurement.
        not_finite: how many numbers of A(x) are NaN or infinite.
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
        figures = {key: getattr(self, key) for key in ("linearity", "adjointness", "norm", "pinv")}
        lines = [
            f"{self.name}: {self.dtype}{list(self.shape)} -> {self.output_dtype}{list(self.output_shape)}",
            *(f"  {key:<12}{figure:.2e}" for key, figure in figures.items() if figure is not None),
            *(f"  FAILED {failure}" for failure in self.failures),
        ]
        return "\n".join(lines if self.failures else [*lines, "  ok"])


def check_operator(operator: Operator, *, seed: int = 0) -> OperatorReport:
    """Measure what an operator promises: finite values, linearity, adjointness, norm and pseudo-inverse.

    A general operator is asked for finite values and the dtype only, and its linearity is reported. That
    no two images of a batch are mixed needs no test, since an operator sees one image.

    Args:
        operator: any operator, one's own in particular.
        seed: of the random images, uniform in [-1, 1].

    Example:
        >>> report = check_operator(from_linear_function(lambda x: x[::2], (32, 32, 3)))
        >>> report.ok
        True
    """
    x, z = jax.random.uniform(jax.random.key(seed), (2, *operator.shape), minval=-1.0, maxval=1.0)
    y = eqx.filter_jit(operator)(x)
    numbers: dict[str, Scalar | None] = dict.fromkeys(("adjointness", "norm", "pinv"))
    numbers |= eqx.filter_jit(_measure)(operator, x, z)
    report = OperatorReport(
        name=type(operator).__name__,
        shape=x.shape,
        output_shape=y.shape,
        dtype=str(x.dtype),
        output_dtype=str(y.dtype),
        not_finite=int(jnp.sum(~jnp.isfinite(y))),
        tolerance=float(jnp.sqrt(jnp.finfo(x.dtype).eps)),
        failures=(),
        **{key: None if number is None else float(number) for key, number in numbers.items()},
    )
    return report._replace(failures=tuple(_failures(report, isinstance(operator, Linear))))


def _measure(operator: Operator, x: Array, z: Array) -> dict[str, Scalar]:
    ax, az = operator(x), operator(z)
    gap = operator(0.5 * x - 0.25 * z) - 0.5 * ax + 0.25 * az
    numbers = {"linearity": _norm(gap) / _positive(0.5 * _norm(ax) + 0.25 * _norm(az))}
    if not isinstance(operator, Linear):
        return numbers

    back = operator.adjoint(ax)
    there = operator(back)
    # ⟨A x, A x⟩ = ⟨x, Aᴴ A x⟩ and ⟨A Aᴴ y, y⟩ = |Aᴴ y|²: of order one, unlike those of unrelated x and y.
    first = jnp.abs(_norm(ax) ** 2 - _inner(x, back)) / _positive(_norm(ax) ** 2)
    second = jnp.abs(_inner(there, ax) - _norm(back) ** 2) / _positive(_norm(there) * _norm(ax))

    def power(_: int, v: Array) -> Array:
        v = operator.adjoint(operator(v))
        return v / _positive(_norm(v))

    v = jax.lax.fori_loop(0, 30, power, x / _norm(x))
    fitted = _norm(operator(operator.pinv(ax)) - ax) / _positive(_norm(ax))
    return numbers | {
        "adjointness": jnp.maximum(first, second),
        "norm": _norm(operator(v)),
        "pinv": fitted,
    }


def _failures(report: OperatorReport, linear: bool) -> Iterator[str]:
    if report.not_finite:
        yield (
            f"finite: {report.not_finite} of {_size(report.output_shape)} numbers of A(x) are NaN or "
            "infinite: look for logarithms, roots and divisions"
        )
    if jnp.finfo(report.output_dtype).dtype != report.dtype:
        yield f"dtype: A({report.dtype}) is {report.output_dtype}: let the dtype follow x"
    advice = {
        "linearity": "A is not linear, use from_function",
        "adjointness": "adjoint is not Aᴴ, leave it to jax.linear_transpose",
        "pinv": "A A⁺ A is not A, A is too ill-conditioned for its pseudo-inverse or pinv is wrong",
    }
    for key, words in advice.items() if linear else ():
        error = getattr(report, key)
        if not error <= report.tolerance:  # NaN fails too
            yield f"{key}: {error:.2e} is above {report.tolerance:.2e}: {words}"


def _inner(u: Measurement, v: Measurement) -> Scalar:
    return jnp.vdot(u, v, precision="highest").real


def _norm(u: Measurement) -> Scalar:
    return jnp.linalg.norm(u.ravel())


def _positive(number: Scalar) -> Scalar:
    """`number`, or 1 in the place of 0, to divide by."""
    return jnp.where(number == 0, 1, number)


def _size(shape: tuple[int, ...]) -> int:
    size = 1
    for side in shape:
        size *= side
    return size
