"""What a closed form needs, y = A x + n with Gaussian n, and what to do where a degradation is something else."""

from __future__ import annotations

import jax

from jaxir import expect
from jaxir.degradations.check import check_operator
from jaxir.degradations.degradation import Degradation
from jaxir.degradations.noise import GaussianNoise
from jaxir.degradations.operator import Linear, Operator, Spectral


def require_linear_gaussian(
    method: str, degradation: Degradation, *, otherwise: str = "DPS"
) -> None:
    """Refuse a degradation that a closed form does not cover.

    Args:
        method: its name.
        degradation: what it was given.
        otherwise: what takes any differentiable operator and any noise with a likelihood.

    Raises:
        TypeError: if its operator is not linear or its noise not Gaussian.
    """
    if not isinstance(degradation.noise, GaussianNoise):
        raise TypeError(
            f"{method} needs Gaussian noise, got {type(degradation.noise).__name__}: use {otherwise}, "
            "which takes any log-likelihood"
        )
    operator = degradation.operator
    if not isinstance(operator, Linear):
        raise TypeError(
            f"{method} needs a linear operator, got {type(operator).__name__}: {_way_out(operator, otherwise)}"
        )


def require_spectral(
    method: str, degradation: Degradation, *, otherwise: str, nonlinear: str = "DPS"
) -> None:
    """Refuse what has no fast singular basis, or is not linear with Gaussian noise.

    Args:
        method: its name.
        degradation: what it was given.
        otherwise: what takes any linear operator.
        nonlinear: what takes any differentiable one and any noise with a likelihood.

    Raises:
        TypeError: if its operator is not `Spectral` or its noise not Gaussian.
    """
    require_linear_gaussian(method, degradation, otherwise=nonlinear)
    operator = degradation.operator
    if not isinstance(operator, Spectral):
        raise TypeError(
            f"{method} needs an operator with a singular basis (Spectral), got {type(operator).__name__}: use "
            f"{otherwise}, which take any linear one"
        )


def _way_out(operator: Operator, otherwise: str) -> str:
    """What to do about an operator that is not `Linear`, by how far from linear it is."""
    if operator.linear_part is not None:
        return "take c out of A x + c, degradation, y = degradation.without_offset(y)"
    advice = f"use {otherwise}, which takes any differentiable one"
    if not expect.known(*jax.tree.leaves(operator)):
        return advice
    with jax.ensure_compile_time_eval():  # a method may be made inside jit
        report = check_operator(operator)
    if report.linearity <= report.tolerance:
        return f"it is linear to {report.linearity:.0e}, so make it with from_linear_function"
    return f"{advice} (linearity: {report.linearity:.2e} is above {report.tolerance:.2e})"
