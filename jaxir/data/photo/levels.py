"""Levels of 8 and 16 bits and the floats between them, a few rows at a time so that float64 takes little room."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped

ROWS = 64


def top(dtype: np.dtype | type) -> int:
    """The level that stands for 1: the greatest of an integer type, 1 of floats."""
    dtype = np.dtype(dtype)
    return int(np.iinfo(dtype).max) if dtype.kind == "u" else 1


def by_rows(
    convert: Callable[[Float[np.ndarray, ...]], Float[np.ndarray, ...]],
    values: Shaped[np.ndarray, h * rest],
    dtype: Any,
) -> Shaped[np.ndarray, h * rest]:
    """A conversion of pixels in float64, kept as another type."""
    out = np.empty(values.shape, dtype)
    for row in range(0, len(values), ROWS):
        out[row : row + ROWS] = convert(values[row : row + ROWS].astype(np.float64))
    return out


def to_fractions(levels: Shaped[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
    """Levels as float32 in [0, 1]."""
    return by_rows(lambda v: v / top(levels.dtype), levels, np.float32)


def to_levels(
    fractions: Shaped[np.ndarray, "*shape"], dtype: np.dtype | type
) -> Shaped[np.ndarray, "*shape"]:
    """The nearest levels of numbers in [0, 1], which are clipped; halfway between two it is the even one."""
    if np.dtype(dtype).kind == "f":
        return np.clip(fractions, 0, 1).astype(dtype)
    return by_rows(lambda v: np.round(np.clip(v, 0, 1) * top(dtype)), fractions, dtype)
