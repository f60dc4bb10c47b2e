"""Structural similarity."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxir.metrics.pair import RANGE, as_pair
from jaxir.typing import Image, Scalar

_RADIUS, _WIDTH = 5, 1.5
_C1, _C2 = (0.01 * RANGE) ** 2, (0.03 * RANGE) ** 2


@jax.jit
def ssim(restored: Image, truth: Image) -> Scalar:
    """SSIM, at most 1; more is better.

        (2 μ₁ μ₂ + C₁)(2 σ₁₂ + C₂) / ((μ₁² + μ₂² + C₁)(σ₁² + σ₂² + C₂))
        C₁ = (0.01 range)²,    C₂ = (0.03 range)²

    Moments are those of a window of 11 × 11 pixels with Gaussian weights of width 1.5, in units in
    which black is 0; the mean is over the windows that lie inside the image, and over channels. It is
    what scikit-image's `structural_similarity` returns for the same images in [0, 1] with
    `gaussian_weights=True, use_sample_covariance=False`. Nothing is clipped or rounded.

    Args:
        restored: one image, in [-1, 1], of at least 11 × 11 pixels.
        truth: what it should be, of the same shape; the range is 2.

    Raises:
        ValueError: if the shapes differ, an image holds integers, or the window does not fit in.

    Source: [wang2004ssim] Eq. 13 and §III-C.
    """
    return jnp.mean(jnp.prod(similarity(*as_pair(restored, truth)), axis=0))


def similarity(restored: Image, truth: Image) -> Float[Array, "2 h w c"]:
    """The two factors of SSIM at each window: of the means, and of the deviations and their correlation.

    Arguments and errors are those of `ssim`.
    """
    # black is 0: the factor of means depends on where it lies
    restored, truth = restored + 1, truth + 1
    size = 2 * _RADIUS + 1
    if min(restored.shape[:2]) < size:
        raise ValueError(
            f"the images have shape {restored.shape} but the window has {size} × {size} pixels: "
            "compare larger images, or crop less"
        )
    squares = [restored**2, truth**2, restored * truth]
    moments = _window_means(jnp.stack([restored, truth, *squares]))
    mean_1, mean_2, square_1, square_2, product = moments
    variance_1, variance_2 = square_1 - mean_1**2, square_2 - mean_2**2
    covariance = product - mean_1 * mean_2
    means = (2 * mean_1 * mean_2 + _C1) / (mean_1**2 + mean_2**2 + _C1)
    return jnp.stack([means, (2 * covariance + _C2) / (variance_1 + variance_2 + _C2)])


def _window_means(images: Float[Array, "n h w c"]) -> Float[Array, "n h2 w2 c"]:
    """The mean over each window that lies inside, rows and then columns."""
    taps = np.exp(-0.5 * (np.arange(-_RADIUS, _RADIUS + 1) / _WIDTH) ** 2)
    weights = jnp.asarray(taps / taps.sum(), images.dtype)
    planes = jnp.moveaxis(images, -1, 1)
    planes = planes.reshape(-1, 1, *planes.shape[2:])
    for shape in ((-1, 1), (1, -1)):
        kernel = weights.reshape(1, 1, *shape)
        planes = jax.lax.conv(planes, kernel, (1, 1), "VALID", precision="highest")
    count, channels = images.shape[0], images.shape[-1]
    return jnp.moveaxis(planes.reshape(count, channels, *planes.shape[2:]), 1, -1)
