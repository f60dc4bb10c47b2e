"""Images made of waves, for runs that must work where there are no photographs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

WAVES = 8
"""Waves in an image."""


class Synthetic:
    """A source of smooth random images, each a function of (seed, index) alone.

        image = ½ √(2/N) Σ_n c_n cos(2π f_n · r + φ_n),    r ∈ [0, 1]²,  f_n ~ N(0, 2² I) cycles,  c_n ~ N(0, I)

    clipped to [-1, 1] and rounded to bytes; before that each value has deviation 0.5, that of photographs. A network
    can learn to denoise them, which is all that tests and `Experiment.smoke` ask for.

    Args:
        count: number of images.
        size: side of the images.
        channels: 3 for colour.
        seed: another seed, other images.
    """

    def __init__(
        self, count: int = 16, size: int = 64, *, channels: int = 3, seed: int = 0
    ) -> None:
        for name, value in (("count", count), ("size", size), ("channels", channels)):
            if value < 1:
                raise ValueError(f"{name} is {value}, expected at least 1")
        self.count, self.size, self.channels, self.seed = count, size, channels, seed

    def __len__(self) -> int:
        """Number of images."""
        return self.count

    def __getitem__(self, index: int) -> np.ndarray:
        """The image as uint8, (size, size, channels)."""
        if not 0 <= index < self.count:
            raise IndexError(f"index is {index}, expected one of the {self.count} images")
        rng = np.random.default_rng((self.seed, index))
        along, across = rng.normal(scale=2.0, size=(2, WAVES))
        phase = rng.uniform(0, 2 * np.pi, WAVES)
        colour = rng.normal(size=(WAVES, self.channels))
        r = (np.arange(self.size) + 0.5) / self.size
        cycles = r[:, None, None] * along + r[None, :, None] * across
        image = 0.5 * np.sqrt(2 / WAVES) * np.cos(2 * np.pi * cycles + phase) @ colour
        return np.round(127.5 * (np.clip(image, -1, 1) + 1)).astype(np.uint8)

    def sizes(self) -> Sequence[tuple[int, int]]:
        """Height and width of each image."""
        return [(self.size, self.size)] * self.count
