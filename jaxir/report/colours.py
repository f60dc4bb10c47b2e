"""Numbers as colours whose lightness rises evenly: magma, by van der Walt and Smith (CC0)."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

_ANCHORS = (
    "000004 0b0924 20114b 3b0f70 57157e 721f81 8c2981 a8327d "
    "c43c75 de4968 f1605d fa7f5e fe9f6d febf84 fddea0 fcfdbf"
)


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
    share = np.clip(np.asarray(values, np.float64) / (top if top > 0 else 1), 0, 1)
    anchors = np.array([list(bytes.fromhex(colour)) for colour in _ANCHORS.split()])
    places = np.linspace(0, 1, len(anchors))
    levels = [np.interp(share, places, anchors[:, channel]) for channel in range(3)]
    return np.stack(levels, axis=-1).astype(np.float32) / 127.5 - 1
