"""Three small photographs in the public domain or CC0: LICENSE.md beside them says whose.

They are for demonstrations and tests; no shipped weights were trained on them.
"""

from __future__ import annotations

from importlib.resources import as_file, files

import numpy as np
from jaxtyping import Float

from jaxir.data import read_image


def names() -> tuple[str, ...]:
    """The photographs, in alphabetical order."""
    found = (path.name for path in files(__name__).iterdir())
    return tuple(sorted(name.removesuffix(".png") for name in found if name.endswith(".png")))


def photo(name: str) -> Float[np.ndarray, "h w 3"]:
    """A photograph as a float32 image in [-1, 1], 96 × 96 pixels in colour.

    Raises:
        ValueError: if there is no photograph of this name.

    Example:
        >>> photo("cat").shape
        (96, 96, 3)
    """
    if name not in names():
        raise ValueError(f"no photograph is called {name!r}: there are {', '.join(names())}")
    with as_file(files(__name__) / f"{name}.png") as path:
        return read_image(path)


__all__ = ["names", "photo"]
