"""The picture of the front page: a shaken photograph, what it may have been, and where not to trust that.

    python docs/front.py [--output docs/pictures/front.jpg]

A cat of scikit-image (public domain) that the shipped prior has not seen, motion blur and noise, six samples.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib import colormaps
from PIL import Image
from skimage import data

import jaxir
from jaxir.degradations import Degradation, GaussianNoise, motion_blur

GAP = 8
SIDE = 256


def picture() -> np.ndarray:
    """Measured, the mean of samples and their deviation side by side, as bytes."""
    truth = jnp.asarray(data.chelsea()[20 : 20 + SIDE, 90 : 90 + SIDE] / 127.5 - 1, jnp.float32)
    degradation = Degradation(motion_blur(truth.shape, 15, 30), GaussianNoise(0.06))
    y = degradation.sample(jax.random.key(0), truth)
    restored = jaxir.restore(y, degradation, steps=30, samples=6, chunk=2)
    spread = restored.std.mean(axis=-1)
    seen = [
        (y + 1) / 2,
        (restored.mean + 1) / 2,
        colormaps["magma"](spread / spread.max())[..., :3],
    ]
    gap = np.ones((SIDE, GAP, 3))
    row = np.concatenate(
        [np.clip(seen[0], 0, 1), gap, np.clip(seen[1], 0, 1), gap, seen[2]], axis=1
    )
    return np.round(255 * row).astype(np.uint8)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    place = Path(__file__).parent / "pictures" / "front.jpg"
    parser.add_argument("--output", type=Path, default=place)
    Image.fromarray(picture()).save(parser.parse_args().output, quality=90)
