"""How many operations a function needs: those of its products of matrices and its convolutions, loops included.

The compiler's own count takes the body of a loop once, so that a network of twelve equal layers seems to have one. Here
a loop of known length counts as often as it runs. Element-wise operations are left out, as the literature does when it
compares a step with the peak of a device.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import jax
from jax.extend import core


def operations(f: Callable[..., Any], *arguments: Any) -> int:
    """Floating-point operations of f(*arguments), two for a product that is added; arguments may be shapes."""
    return counted(jax.make_jaxpr(f)(*arguments).jaxpr)


def counted(jaxpr: core.Jaxpr) -> int:
    """The same of a function that is traced already."""
    total: int = 0
    for equation in jaxpr.eqns:
        name, parameters = equation.primitive.name, equation.params
        inner = [counted(part) for part in _parts(parameters)]
        if name == "dot_general":
            (contracted, _), _ = parameters["dimension_numbers"]
            sides = _shape(equation.invars[0])
            total += 2 * _size(equation) * prod(sides[axis] for axis in contracted)
        elif name == "conv_general_dilated":
            kernel, layout = _shape(equation.invars[1]), parameters["dimension_numbers"].rhs_spec
            total += 2 * _size(equation) * prod(kernel) // kernel[layout[0]]
        elif name == "convolution":  # that of jaxir.networks, (height, width, in, out)
            total += 2 * _size(equation) * prod(_shape(equation.invars[1])[:-1])
        elif name == "cond":
            total += max(inner)
        else:
            total += sum(inner) * (parameters["length"] if name == "scan" else 1)
    return total


def _size(equation: core.JaxprEqn) -> int:
    """Entries of the result."""
    return prod(_shape(equation.outvars[0]))


def _shape(variable: Any) -> tuple[int, ...]:
    return tuple(variable.aval.shape)


def _parts(parameters: dict[str, Any]) -> list[core.Jaxpr]:
    """The functions within an operation."""
    found = []
    for value in parameters.values():
        for item in value if isinstance(value, tuple | list) else (value,):
            if isinstance(item, core.ClosedJaxpr):
                found.append(item.jaxpr)
            elif isinstance(item, core.Jaxpr):
                found.append(item)
    return found
