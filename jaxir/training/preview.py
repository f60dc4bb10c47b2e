"""A picture of what the network can do so far, with its PSNR."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from jaxir.data import Source, middle, write_image
from jaxir.denoisers import Denoiser, NetworkDenoiser
from jaxir.metrics import psnr
from jaxir.processes import Process, log_snr_times
from jaxir.samplers import Discrete, Sampler, sample
from jaxir.training.pairing import Pairing
from jaxir.typing import Image, Images, Key, Scalar, Times

Preview = Callable[[Path, NetworkDenoiser, Source], dict[str, float]]
"""(path, denoiser, validation images) -> figures, and a picture at the path."""

SIGMAS = (15 / 255, 25 / 255, 50 / 255)
"""Noise levels of the denoising literature, in [0, 1] units."""

CROP, COUNT = 96, 8
"""Pictures show the centres, of at most so many pixels a side, of so many images."""


def denoise(
    key: Key, denoiser: NetworkDenoiser, image: Image, sigma: Scalar
) -> tuple[Image, Image]:
    """Add noise of standard deviation σ̂ (in [-1, 1] units) and take one estimate: (noisy, denoised)."""
    t = denoiser.process.time(-jnp.log(sigma))
    noisy = image + sigma * jax.random.normal(key, image.shape)
    return noisy, denoiser(denoiser.process.coefficients(t).a * noisy, t)


_denoise = jax.jit(jax.vmap(denoise, in_axes=(0, None, 0, None)))


def denoised(path: Path, denoiser: NetworkDenoiser, validation: Source) -> dict[str, float]:
    """Rows of clean images and of noisy and denoised ones; the PSNR at each level."""
    clean = _crops(validation, 1)
    keys = jax.random.split(jax.random.key(0), len(clean))
    rows, result = [clean], {}
    for sigma in SIGMAS:
        noisy, found = _denoise(keys, denoiser, clean, 2 * sigma)
        rows += [noisy, found]
        result[f"psnr_{round(255 * sigma)}"] = _mean_psnr(found, clean)
    _write(path, rows)
    return result


def _itself(denoiser: NetworkDenoiser) -> Denoiser:
    return denoiser


@dataclasses.dataclass(frozen=True)
class Restored:
    """Rows of clean, degraded and restored images; the PSNR of the degraded and of the restored.

    Args:
        pairing: as in training.
        sampler: how an image is drawn.
        steps: how many times.
        grid: where they lie in the span.
        multiple: sides of the crops are multiples of it.
        through: what is sampled in the place of the denoiser that was trained, for instance it in `Tiled`.
    """

    pairing: Pairing
    sampler: Sampler = Discrete()
    steps: int = 20
    grid: Callable[[Process, int], Times] = log_snr_times
    multiple: int = 8
    through: Callable[[NetworkDenoiser], Denoiser] = _itself

    def __call__(
        self, path: Path, denoiser: NetworkDenoiser, validation: Source
    ) -> dict[str, float]:
        """Restore the centres of the first images."""
        crops = _crops(validation, self.multiple)
        keys = jax.random.split(jax.random.key(0), len(crops))
        clean, degraded = jax.jit(jax.vmap(self.pairing))(keys, crops)
        if degraded is None:
            raise ValueError("Restored needs a pairing that degrades, got one without y")
        restored = jnp.stack(
            [
                sample(
                    key,
                    self.through(denoiser),
                    y,
                    shape=x0.shape,
                    sampler=self.sampler,
                    times=self.grid(denoiser.process, self.steps),
                    strict=False,
                ).images[0]
                for key, x0, y in zip(keys, clean, degraded, strict=True)
            ]
        )
        _write(path, [clean, degraded, restored])
        return {
            "psnr_degraded": _mean_psnr(degraded, clean),
            "psnr_restored": _mean_psnr(restored, clean),
        }


def _mean_psnr(found: Images, clean: Images) -> float:
    return float(jnp.mean(jax.vmap(psnr)(jnp.clip(found, -1, 1), clean)))


def _crops(source: Source, multiple: int) -> Images:
    """The centres of the first images, in [-1, 1], as large as the smallest of these images has them."""
    images = [source[i] for i in range(min(COUNT, len(source)))]
    size = min(CROP, *(side for image in images for side in image.shape[:2]))
    size = max(size // multiple * multiple, 1)
    return jnp.stack([middle(image, size) for image in images]).astype(jnp.float32) / 127.5 - 1


def _write(path: Path, rows: Sequence[Images]) -> None:
    """One row of pictures under the other."""
    sheet = jnp.concatenate([jnp.concatenate(list(row), axis=1) for row in rows])
    write_image(path, np.nan_to_num(np.asarray(sheet)), overwrite=True)
