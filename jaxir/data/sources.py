"""Where training images come from.

A source is a sized collection of images and nothing else; which crop of which image a step sees is decided by
(seed, step, row) in `pipeline.py`, so a resumed run sees what the interrupted one would have seen. A source of pairs
is a source whose images have 2C channels, the clean image first and the degraded one after it: what is done to an
image is done to both, and neither crops nor splits know that there are pairs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np


class Source(Protocol):
    """Images by number, uint8 of shape (H, W, C)."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> np.ndarray: ...


@runtime_checkable
class Measured(Protocol):
    """A source that can tell the sizes of its images without making them."""

    def sizes(self) -> Sequence[tuple[int, int]] | None:
        """Height and width of each image; None if they are not known after all."""


class Pairs:
    """The images of two sources, pair by pair, the degraded one behind the clean one: uint8 (H, W, 2C).

    Args:
        clean: the clean images.
        degraded: as many, each of the size of its clean one.

    Raises:
        ValueError: if there are more of one than of the other.
    """

    def __init__(self, clean: Source, degraded: Source) -> None:
        if len(clean) != len(degraded):
            raise ValueError(
                f"{len(clean)} clean images and {len(degraded)} degraded ones, expected as many: "
                "leave out those without a partner"
            )
        self.clean, self.degraded = clean, degraded

    def __len__(self) -> int:
        """Number of pairs."""
        return len(self.clean)

    def __getitem__(self, index: int) -> np.ndarray:
        """Both images as uint8, (H, W, 2C).

        Raises:
            ValueError: if their shapes differ.
        """
        clean, degraded = self.clean[index], self.degraded[index]
        if clean.shape != degraded.shape:
            raise ValueError(
                f"pair {index} has a clean image of shape {clean.shape} and a degraded one of "
                f"{degraded.shape}, expected one shape: bring both to one size"
            )
        return np.concatenate([clean, degraded], axis=-1)

    def sizes(self) -> Sequence[tuple[int, int]] | None:
        """Height and width of each pair, where the clean source knows them."""
        return known_sizes(self.clean)


class Subset:
    """Some images of a source.

    Args:
        source: where they are.
        indices: their numbers there.
    """

    def __init__(self, source: Source, indices: Sequence[int]) -> None:
        self.source, self.indices = source, indices

    def __len__(self) -> int:
        """Number of images."""
        return len(self.indices)

    def __getitem__(self, index: int) -> np.ndarray:
        """The image as its source gives it."""
        return self.source[self.indices[index]]

    def sizes(self) -> Sequence[tuple[int, int]] | None:
        """Height and width of each image, where its source knows them."""
        sizes = known_sizes(self.source)
        return None if sizes is None else [sizes[index] for index in self.indices]


def holdout(source: Source, share: float, seed: int = 0) -> tuple[Subset, Subset]:
    """Split a source into images for training and others for validation, by their numbers alone.

    Two images of one scene may come to lie on both sides; where that matters, keep them in folders of their own.

    Args:
        source: at least two images.
        share: of the images that are held out, in (0, 1); at least one is, and one is not.
        seed: another seed, another split.

    Returns:
        The source of training and that of validation, each in the order of `source`.

    Raises:
        ValueError: if there is nothing to split, or `share` leaves one side empty.
    """
    if not 0 < share < 1:
        raise ValueError(f"share is {share}, expected a number between 0 and 1 such as 0.1")
    count = len(source)
    if count < 2:
        raise ValueError(f"the source holds {count} image(s), expected at least 2 to hold some out")
    held = min(max(round(share * count), 1), count - 1)
    order = np.random.default_rng(seed).permutation(count)
    validation, training = sorted(order[:held].tolist()), sorted(order[held:].tolist())
    return Subset(source, training), Subset(source, validation)


def known_sizes(source: Source) -> Sequence[tuple[int, int]] | None:
    """Height and width of each image, or None where only making them would tell."""
    return source.sizes() if isinstance(source, Measured) else None


def check_crop(source: Source, size: int) -> None:
    """Refuse a crop that does not fit into every image, before anything is compiled.

    Where the source does not know its sizes, the first image answers for all; `crop_batch` sees the rest.

    Raises:
        ValueError: if an image is smaller than the crop.
    """
    if not len(source):
        raise ValueError("the source is empty, expected at least one image")
    sizes = known_sizes(source) or [source[0].shape[:2]]
    small = [i for i, sides in enumerate(sizes) if min(sides) < size]
    if small:
        height, width = sizes[small[0]]
        more = f" (and {len(small) - 1} more)" if len(small) > 1 else ""
        raise ValueError(
            f"image {small[0]} of the source is {height}×{width}{more}, smaller than the crop of {size}: "
            "use a smaller crop or leave the image out"
        )
