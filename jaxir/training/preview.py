"""A picture of what the network can do so far, with its PSNR."""

from __future__ import annotations

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from jaxir.data import Source, write_image
from jaxir.denoisers import NetworkDenoiser
from jaxir.metrics import psnr
from jaxir.typing import Image, Key, Scalar

SIGMAS = (15 / 255, 25 / 255, 50 / 255)
"""Noise levels of the denoising literature, in [0, 1] units."""


def denoise(
    key: Key, denoiser: NetworkDenoiser, image: Image, sigma: Scalar
) -> tuple[Image, Image]:
    """Add noise of standard deviation σ̂ (in [-1, 1] units) and take one estimate: (noisy, denoised)."""
    t = denoiser.process.time(-jnp.log(sigma))
    noisy = image + sigma * jax.random.normal(key, image.shape)
    return noisy, denoiser(denoiser.process.coefficients(t).a * noisy, t)


_denoise = jax.jit(jax.vmap(denoise, in_axes=(0, None, 0, None)))


def write_preview(
    path: Path, denoiser: NetworkDenoiser, validation: Source, *, crop: int = 96, count: int = 8
) -> dict[str, float]:
    """Denoise the centres of the first images; write clean, noisy and denoised rows; return the mean PSNRs.

    The crops are as large as `crop` or, if that is smaller, as the smallest side of these images.
    """
    images = [validation[i] for i in range(min(count, len(validation)))]
    size = min(crop, *(side for image in images for side in image.shape[:2]))
    crops = np.stack([_centre(image, size) for image in images])
    clean = jnp.asarray(crops, jnp.float32) / 127.5 - 1
    keys = jax.random.split(jax.random.key(0), len(images))
    rows, result = [clean], {}
    for sigma in SIGMAS:
        noisy, denoised = _denoise(keys, denoiser, clean, 2 * sigma)
        rows += [noisy, denoised]
        score = float(jnp.mean(jax.vmap(psnr)(denoised, clean)))
        result[f"psnr_{round(255 * sigma)}"] = score
    sheet = jnp.concatenate([jnp.concatenate(list(row), axis=1) for row in rows])
    write_image(path, np.asarray(sheet), overwrite=True)
    return result


def _centre(image: np.ndarray, size: int) -> np.ndarray:
    top, left = ((side - size) // 2 for side in image.shape[:2])
    return image[top : top + size, left : left + size]
