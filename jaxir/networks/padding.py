"""What lies right of an image and below it where its sides are not multiples of what the layers can halve."""

from __future__ import annotations

import dataclasses
from typing import Protocol

import jax.numpy as jnp

from jaxir.typing import Image


class Padding(Protocol):
    """An image to a larger one that has it at its top left."""

    def __call__(self, image: Image, rows: int, columns: int) -> Image:
        """`rows` more below and `columns` more to the right."""
        ...


@dataclasses.dataclass(frozen=True)
class Mirrored(Padding):
    """The image in a mirror at its edge; of an image with a side of one pixel the edge is repeated."""

    def __call__(self, image: Image, rows: int, columns: int) -> Image:
        """x[2n − 2 − i] beyond the last pixel n − 1."""
        mode = "reflect" if min(image.shape[:2]) > 1 else "edge"
        return jnp.pad(image, [(0, rows), (0, columns), (0, 0)], mode=mode)


@dataclasses.dataclass(frozen=True)
class Repeated(Padding):
    """The last pixels again and again."""

    def __call__(self, image: Image, rows: int, columns: int) -> Image:
        """x[n − 1] beyond the last pixel n − 1."""
        return jnp.pad(image, [(0, rows), (0, columns), (0, 0)], mode="edge")


@dataclasses.dataclass(frozen=True)
class Filled(Padding):
    """One value everywhere.

    Args:
        value: in [-1, 1] units; black by default.
    """

    value: float = -1.0

    def __call__(self, image: Image, rows: int, columns: int) -> Image:
        """`value` beyond the last pixel."""
        return jnp.pad(image, [(0, rows), (0, columns), (0, 0)], constant_values=self.value)
