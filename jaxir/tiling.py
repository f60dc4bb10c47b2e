"""Tiles that cover an image, and the one image that what becomes of them makes.

Along each axis the tiles are `starts`, with windows that sum to one at every place; a tile's window is the product of
two of them. What a tile becomes may have another size than the tile, as a decoder's image has another than the latent.
Places are then counted on the coarser of the two grids, and an image has a whole number of pixels to each of its cells.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PyTree

from jaxir.typing import Image

T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class Tiles:
    """Overlapping square tiles of a grid.

    Args:
        shape: of the grid, (height, width) in cells, neither less than `size`.
        size: side of a tile, in cells.
        overlap: of neighbouring tiles in cells, from 0 to size − 1; the last tile of a row may overlap more.
        margin: cells along the edges of a tile that are not used where a neighbour has them too: a tile does not see
            what is beyond its edge. At most half the overlap.
    """

    shape: tuple[int, int]
    size: int
    overlap: int
    margin: int = 0

    def __post_init__(self) -> None:
        expect_cover(self.size, self.overlap, self.margin)

    @property
    def corners(self) -> Int[np.ndarray, "n 2"]:
        """Where each tile begins, row by row."""
        return self._product([starts(side, self.size, self._stride) for side in self.shape])

    def map(self, function: Callable[[PyTree[Image]], T], images: PyTree[Image], batch: int) -> T:
        """What becomes of each tile, stacked.

        Args:
            function: of one tile of the images, the same of all.
            images: each with a whole number of pixels to a cell.
            batch: tiles at a time, which bounds the memory.
        """

        def one(corner: Int[Array, " 2"]) -> T:
            def cut(image: Image) -> Image:
                pixels = image.shape[0] // self.shape[0]
                sizes = (pixels * self.size, pixels * self.size, image.shape[-1])
                return jax.lax.dynamic_slice(image, (*(pixels * corner), 0), sizes)

            return function(jax.tree.map(cut, images))

        return jax.lax.map(one, self.corners, batch_size=batch)

    def join(self, parts: Float[Array, "n p p c"]) -> Image:
        """Σ w_i part_i, each at its place, in as many pixels to a cell as the parts have."""
        pixels = parts.shape[1] // self.size
        cuts = [
            [pixels * cells for cells in (side, self.size, self._stride, self.margin)]
            for side in self.shape
        ]
        fades = [windows(*cut).astype(parts.dtype) for cut in cuts]
        which = self._product([range(len(fade)) for fade in fades])
        down, across = (fade[which[:, axis]] for axis, fade in enumerate(fades))
        faded = down[:, :, None, None] * across[:, None, :, None] * parts
        reach = pixels * self.corners[:, :, None] + np.arange(pixels * self.size)
        whole = jnp.zeros((*(cut[0] for cut in cuts), parts.shape[-1]), parts.dtype)
        return whole.at[reach[:, 0, :, None], reach[:, 1, None, :]].add(faded)

    @property
    def _stride(self) -> int:
        return self.size - self.overlap

    @staticmethod
    def _product(axes: list) -> Int[np.ndarray, "n 2"]:
        return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 2)


def expect_cover(size: int, overlap: int, margin: int = 0) -> None:
    """Refuse tiles that would leave gaps, or bring nothing.

    Raises:
        ValueError: if they would.
    """
    if not 0 <= overlap < size:
        raise ValueError(
            f"overlap is {overlap}, expected 0 to size − 1 = {size - 1}: tiles must cover the image, and each must "
            "bring new pixels"
        )
    if not 0 <= margin <= overlap // 2:
        raise ValueError(
            f"margin is {margin}, expected 0 to half the overlap, {overlap // 2}: let the tiles overlap more"
        )


def starts(length: int, size: int, stride: int) -> list[int]:
    """Where tiles begin that cover an axis: every `stride`, and one that ends where the axis does.

    Args:
        length: of the axis, at least `size`.
        size: of a tile.
        stride: from 1 to `size`; a larger one would leave gaps.

    Raises:
        ValueError: if it would.
    """
    if not 1 <= stride <= size:
        raise ValueError(
            f"stride is {stride}, expected 1 to size = {size}: tiles must not leave gaps"
        )
    if length < size:
        raise ValueError(f"length is {length}, expected at least the size of a tile, {size}")
    return sorted({*range(0, length - size + 1, stride), length - size})


def windows(length: int, size: int, stride: int, margin: int = 0) -> Float[np.ndarray, "n p"]:
    """A window for each of `starts`: a raised cosine, divided by the sum of all at each place.

    Within a margin the windows are zero, but for the two ends of the axis, which one tile alone has.
    """
    used = size - 2 * margin
    begin = starts(length - 2 * margin, used, stride)
    window = np.sin(np.pi * (np.arange(used) + 0.5) / used) ** 2
    total = np.zeros(length - 2 * margin)
    for start in begin:
        total[start : start + used] += window
    found = np.pad(
        [window / total[start : start + used] for start in begin], [(0, 0), (margin,) * 2]
    )
    found[0, :margin] = found[-1, size - margin :] = 1
    return found
