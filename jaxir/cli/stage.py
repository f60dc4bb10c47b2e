"""A stage of a degradation in the shell: an operator that waits for the size of the image."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from jaxir.degradations import Operator

Shape = tuple[int, int, int]


def same(shape: Shape, *_: object, **__: object) -> Shape:
    """The image keeps its shape."""
    return shape


class Stage(NamedTuple):
    """What builds the operator, and how it changes the shape of an image, both ways; all take the call's arguments."""

    build: Callable[..., Operator]
    forward: Callable[..., Shape] = same
    backward: Callable[..., Shape] = same
