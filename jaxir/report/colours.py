"""Numbers as colours whose lightness is even: one scale from 0 up, and one for both sides of 0.

magma is by van der Walt and Smith (CC0), the other is RdBu by Cynthia Brewer (colorbrewer2.org, Apache 2.0).
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

MAGMA = (
    "000004 0b0924 20114b 3b0f70 57157e 721f81 8c2981 a8327d "
    "c43c75 de4968 f1605d fa7f5e fe9f6d febf84 fddea0 fcfdbf"
)
BALANCE = "053061 2166ac 4393c3 92c5de d1e5f0 f7f7f7 fddbc7 f4a582 d6604d b2182b 67001f"


def colourise(
    values: Float[np.ndarray, "h w"], *, largest: float | None = None
) -> Float[np.ndarray, "h w 3"]:
    """Values from 0 (black) to `largest` (pale yellow) as an image in [-1, 1].

    Linear between 16 colours.

    Args:
        values: 0 or more; those above `largest` get its colour.
        largest: their maximum by default.
    """
    top = float(np.max(values)) if largest is None else largest
    return _between(np.asarray(values, np.float64) / (top if top > 0 else 1), MAGMA)


def balance(
    values: Float[np.ndarray, "h w"], *, largest: float | None = None
) -> Float[np.ndarray, "h w 3"]:
    """Values from -`largest` (blue) through 0 (white) to `largest` (red) as an image in [-1, 1].

    Linear between 11 colours.

    Args:
        values: of either sign; those beyond `largest` get the colour of the end.
        largest: the maximum of their sizes by default.
    """
    top = float(np.max(np.abs(values))) if largest is None else largest
    return _between((np.asarray(values, np.float64) / (top if top > 0 else 1) + 1) / 2, BALANCE)


def _between(share: Float[np.ndarray, "h w"], colours: str) -> Float[np.ndarray, "h w 3"]:
    anchors = np.array([list(bytes.fromhex(colour)) for colour in colours.split()])
    places = np.linspace(0, 1, len(anchors))
    levels = [np.interp(share, places, anchors[:, channel]) for channel in range(3)]
    return np.stack(levels, axis=-1).astype(np.float32) / 127.5 - 1
