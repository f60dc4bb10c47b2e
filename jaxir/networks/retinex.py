"""An image as the product of what reflects and what lights it, so that darkness is told apart from what is dark."""

from __future__ import annotations

import dataclasses

import jax.numpy as jnp
import numpy as np

from jaxir.networks.guide import Guide
from jaxir.typing import Image, Key, Params

FLOOR = 1e-3
"""Added to the illumination: a quarter of a grey level."""


def decomposed(x: Image, *, radius: float = 2.0) -> tuple[Image, Image]:
    """(R, I) of the intensities v = max((x + 1)/2, 0), R = v/I, I = FLOOR + the largest of the channels, smoothed.

    Where light is even R does not change with its strength, up to FLOOR. R I = v, with nothing lost but rounding; the
    largest channel of R is about 1.

    Args:
        x: an image in [-1, 1].
        radius: deviation in pixels of the Gaussian that smooths.

    Returns:
        R with the channels of x, and I with one.

    Source: [guo2017lime] (the largest channel as a first illumination map); [he2025retidiff] for its use.
    """
    v = jnp.clip((x + 1) / 2, 0, None)
    rows, columns = (jnp.asarray(_smoothing(side, radius), x.dtype) for side in x.shape[:2])
    largest = jnp.max(v, axis=-1)
    light = FLOOR + jnp.einsum("ij,jk,lk->il", rows, largest, columns, precision="highest")
    return v / light[..., None], light[..., None]


def recomposed(reflectance: Image, light: Image) -> Image:
    """2 R I − 1, the image."""
    return 2 * reflectance * light - 1


@dataclasses.dataclass(frozen=True)
class Retinex:
    """guide(2 R − 1, 2 I − 1): a guide that is shown y decomposed, in the units of images.

    Args:
        guide: takes 4 channels for every 3 of y: R and I of the first image, then those of the next one.

    Source: [he2025retidiff].
    Differs from the paper: the decomposition is a formula, and not a network trained before.
    """

    guide: Guide

    @property
    def channels(self) -> int:
        """Of the guide within."""
        return self.guide.channels

    def init(self, key: Key) -> Params:
        """New parameters of the guide within; the decomposition has none."""
        return self.guide.init(key)

    def apply(self, params: Params, y: Image, size: tuple[int, int]) -> Image:
        """What the guide within makes of the parts of each image in colour.

        Raises:
            ValueError: if the channels of `y` are not those of images in colour.
        """
        if y.shape[-1] % 3:
            raise ValueError(
                f"y has shape {y.shape}, expected 3 channels for every image that is decomposed"
            )
        images = jnp.split(y, y.shape[-1] // 3, axis=-1)
        parts = [2 * part - 1 for image in images for part in decomposed(image)]
        return self.guide.apply(params, jnp.concatenate(parts, axis=-1), size)


def _smoothing(side: int, radius: float) -> np.ndarray:
    """Rows of Gaussian weights between the positions of a line, each summing to 1."""
    distance = np.subtract.outer(np.arange(side), np.arange(side))
    weights = np.exp(-0.5 * (distance / radius) ** 2)
    return weights / weights.sum(axis=1, keepdims=True)
