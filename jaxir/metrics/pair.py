"""What every metric asks of its two images."""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import ArrayLike

from jaxir.typing import Image

RANGE = 2.0
"""The data range of images in [-1, 1]."""


def as_pair(restored: ArrayLike, truth: ArrayLike) -> tuple[Image, Image]:
    """Both as arrays of one floating-point type, float32 or wider.

    Raises:
        ValueError: if the shapes differ or are not (H, W, C), or one holds integers.
    """
    restored, truth = jnp.asarray(restored), jnp.asarray(truth)
    if restored.shape != truth.shape or restored.ndim != 3:
        raise ValueError(
            f"restored has shape {restored.shape} and truth {truth.shape}, expected one (H, W, C): "
            "batches go through jax.vmap"
        )
    for name, image in (("restored", restored), ("truth", truth)):
        if not jnp.issubdtype(image.dtype, jnp.floating):
            raise ValueError(
                f"{name} has dtype {image.dtype} but images are float in [-1, 1]: "
                "pass x / 127.5 - 1 for 8 bits"
            )
    dtype = jnp.promote_types(jnp.promote_types(restored.dtype, truth.dtype), jnp.float32)
    return restored.astype(dtype), truth.astype(dtype)
