"""Refusing impossible values with one clear line, where their value is known.

Inside `jit`, `vmap` and `grad` a hyper-parameter is traced and cannot be compared; it is then let through.
"""

from __future__ import annotations

import jax

from jaxir.typing import Scalar


def known(*values: float | Scalar) -> bool:
    """Whether the values can be compared now."""
    return not any(isinstance(value, jax.core.Tracer) for value in values)


def positive(name: str, value: float | Scalar) -> None:
    """Refuse a value that is not positive.

    Raises:
        ValueError: if it is 0 or less.
    """
    if known(value) and not value > 0:
        raise ValueError(f"{name} is {value}, expected a positive number")


def share(name: str, value: float | Scalar) -> None:
    """Refuse a value outside [0, 1].

    Raises:
        ValueError: if it is.
    """
    if known(value) and not 0 <= value <= 1:
        raise ValueError(f"{name} is {value}, expected a number in [0, 1]")
