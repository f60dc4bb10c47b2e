"""From a crop of the source to what a network is trained on: the clean image, and the degraded one where there is one.

It happens inside the jitted step, on the device, so that a degradation may be drawn anew for every crop.
"""

from __future__ import annotations

from collections.abc import Callable

import jax.numpy as jnp

from jaxir.typing import Image, Key

Pairing = Callable[[Key, Image], tuple[Image, Image | None]]
"""(key, crop in [-1, 1]) -> (x0, y)."""


def unpaired(key: Key, crop: Image) -> tuple[Image, None]:
    """The crop, and no y: a prior."""
    return crop, None


def stacked(key: Key, crop: Image) -> tuple[Image, Image]:
    """The first half of the channels and the second: what `PairFolder` gives."""
    x0, y = jnp.split(crop, 2, axis=-1)
    return x0, y
