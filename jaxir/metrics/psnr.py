"""Peak signal-to-noise ratio."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from jaxir.metrics.pair import RANGE, as_pair
from jaxir.typing import Image, Scalar


@jax.jit
def psnr(restored: Image, truth: Image) -> Scalar:
    """PSNR in dB, 10 log₁₀(range²/mse), the mean over pixels and channels; more is better.

    Nothing is clipped or rounded. Equal images give +∞, with a gradient of zero.

    Args:
        restored: one image, in [-1, 1].
        truth: what it should be, of the same shape; the range is 2.

    Raises:
        ValueError: if the shapes differ, or an image holds integers.
    """
    restored, truth = as_pair(restored, truth)
    mse = jnp.mean((restored - truth) ** 2)
    positive = jnp.where(mse > 0, mse, 1)
    return jnp.where(mse > 0, 10 * jnp.log10(RANGE**2 / positive), jnp.inf)
