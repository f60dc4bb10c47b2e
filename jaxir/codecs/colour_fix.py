"""Colours of a restored image that drifted, brought back to those of a reference.

Decoders of latents and priors of other photographs shift colours. The reference, which is the degraded image or a first
restoration of the size of the result, has the right ones: all that it is trusted with are the mean and the deviation of
each channel, or everything that is larger than a few dozen pixels.
"""

from __future__ import annotations

import jax.numpy as jnp
from jax import lax

from jaxir.typing import Image


def matched_statistics(restored: Image, reference: Image) -> Image:
    """(x − μ_x) σ_r/σ_x + μ_r with mean and deviation of each channel; a constant channel becomes μ_r.

    Source: [huang2017adain] Eq. 8; [wang2024stablesr] (colour correction).
    """
    ours, theirs = (jnp.mean(image, axis=(0, 1)) for image in (restored, reference))
    narrow, wide = (jnp.std(image, axis=(0, 1)) for image in (restored, reference))
    gain = jnp.where(narrow > 0, wide / jnp.where(narrow > 0, narrow, 1), 0)
    return (restored - ours) * gain + theirs


def matched_low_pass(restored: Image, reference: Image, *, levels: int = 5) -> Image:
    """x − L x + L r: details of the restored image on the coarse image of the reference.

    Its coarse image is off that of the reference by L (I − L)(x − r), a quarter of x − r at the most, and its mean by
    nothing.

    Args:
        restored: x.
        reference: r, of the same shape.
        levels: of `low_pass`; 5 see 63 pixels across.

    Source: [wang2024stablesr] (wavelet colour correction).
    """
    return restored - low_pass(restored, levels) + low_pass(reference, levels)


def low_pass(x: Image, levels: int) -> Image:
    """L x, the coarse image of the à-trous wavelet transform: (1, 2, 1)/4 along both sides, with holes of 2^level.

    The image is mirrored with its last pixel, by which L is symmetric, has eigenvalues in [0, 1] and keeps the mean.
    """
    for reach in (2**level for level in range(levels)):
        for axis in (0, 1):
            padding = [(reach, reach) if axis == side else (0, 0) for side in range(3)]
            wider, size = jnp.pad(x, padding, mode="symmetric"), x.shape[axis]
            before, after = (
                lax.slice_in_dim(wider, at, at + size, axis=axis) for at in (0, 2 * reach)
            )
            x = (before + 2 * x + after) / 4
    return x
