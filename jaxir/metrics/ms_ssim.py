"""Structural similarity over several scales."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxir.metrics.pair import as_pair
from jaxir.metrics.ssim import similarity
from jaxir.typing import Image, Scalar

_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
_SMALLEST = 161


@jax.jit
def ms_ssim(restored: Image, truth: Image) -> Scalar:
    """MS-SSIM, in [0, 1]; more is better.

        mean_c  (l₅ cs₅)^w₅ cs₄^w₄ cs₃^w₃ cs₂^w₂ cs₁^w₁,    w = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)

    cs_j is the second factor of SSIM at scale j and l₅ cs₅ is SSIM at the last, each the mean over the windows of one
    channel, and 0 where that is negative; the result is the mean over channels. From one scale to the next the image
    becomes the means of 2 × 2 pixels, the last row or column of an odd side repeated. Nothing is clipped or rounded.

    Args:
        restored: one image, in [-1, 1], of at least 161 × 161 pixels.
        truth: what it should be, of the same shape; the range is 2.

    Raises:
        ValueError: if the shapes differ, an image holds integers, or the window does not fit into the last scale.

    Source: [wang2003msssim] Eq. 7 and Sec. 3.2 (weights).
    Differs from the paper: negative means count as 0, as in later programs; the paper has no rule for their powers.
    """
    restored, truth = as_pair(restored, truth)
    if min(restored.shape[:2]) < _SMALLEST:
        raise ValueError(
            f"the images have shape {restored.shape} but five scales need {_SMALLEST} pixels a side: "
            "compare larger images, or use ssim"
        )
    result = jnp.ones(restored.shape[-1], restored.dtype)
    for weight in _WEIGHTS[:-1]:
        result *= _power(jnp.mean(similarity(restored, truth)[1], axis=(0, 1)), weight)
        restored, truth = _halved(restored), _halved(truth)
    last = jnp.prod(similarity(restored, truth), axis=0)
    return jnp.mean(result * _power(jnp.mean(last, axis=(0, 1)), _WEIGHTS[-1]))


def _power(base: Float[Array, " c"], exponent: float) -> Float[Array, " c"]:
    """max(base, 0)^exponent, with a gradient of 0 where that is 0."""
    positive = base > 0
    return jnp.where(positive, jnp.where(positive, base, 1) ** exponent, 0)


def _halved(image: Image) -> Image:
    height, width, channels = image.shape
    image = jnp.pad(image, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    return jnp.mean(image.reshape(-(-height // 2), 2, -(-width // 2), 2, channels), axis=(1, 3))
