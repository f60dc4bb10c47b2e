"""Tiles that cover an image, and the one image that what becomes of them makes.

Along each axis the tiles are `starts`, with windows that sum to one at every place; a tile's window is the product of
two of them. What a tile becomes may have another size than the tile, as a decoder's image has another than the latent.
Places are then counted on the coarser of the two grids, and an image has a whole number of pixels to each of its cells.

Each batch of tiles is cut, mapped and added to the whole before the next is cut, and mapped again on the way back, so
memory is that of the whole image and of one batch, for values as for derivatives. To add is linear: of the sums on the
way nothing is kept.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding
from jaxtyping import Array, Float, Int, PyTree

from jaxir.mesh import data_mesh, replicated, split
from jaxir.typing import Image, Scalar


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
        return _product([starts(side, self.size, self._stride) for side in self.shape])

    def blend(
        self,
        function: Callable[[PyTree[Image]], tuple[PyTree[Image], PyTree[Scalar]]],
        images: PyTree[Image],
        batch: int,
    ) -> tuple[PyTree[Image], PyTree[Scalar]]:
        """Σ w_i part_i, each part at its place, and the largest of each figure.

        Args:
            function: of one tile of the images, the same of all: a part for each image that is made, and figures.
            images: each with a whole number of pixels to a cell.
            batch: tiles at a time, spread over the devices where they divide; the last batch is filled up with tiles
                that count for nothing.
        """
        corners = jnp.asarray(self.corners)
        count, batch = len(corners), min(batch, len(corners))
        numbers = np.arange(-(-count // batch) * batch).reshape(-1, batch)
        mesh = data_mesh()
        shared = mesh.size > 1 and batch % mesh.size == 0

        def lying(values: PyTree[Array], how: NamedSharding) -> PyTree[Array]:
            return jax.lax.with_sharding_constraint(values, how) if shared else values

        @jax.checkpoint  # around the cut, so that the places are kept and not the tiles
        def mapped(corners: Int[Array, "b 2"], images: PyTree[Image]) -> tuple:
            def one(corner: Int[Array, " 2"]) -> tuple:
                return function(jax.tree.map(lambda image: self._cut(image, corner), images))

            return jax.vmap(one)(corners)

        def add(wholes: PyTree[Image], tile: tuple) -> tuple[PyTree[Image], None]:
            number, parts = tile
            added = jax.tree.map(lambda whole, part: self._add(whole, part, number), wholes, parts)
            return added, None

        def visit(wholes: PyTree[Image], numbers: Int[Array, " b"]) -> tuple[PyTree, PyTree]:
            parts, figures = mapped(lying(corners[numbers % count], split(mesh)), images)
            parts = lying(parts, replicated(mesh))
            # one after another, so that the order of a sum never changes
            return jax.lax.scan(add, wholes, (numbers, parts))[0], figures

        parts, _ = jax.eval_shape(mapped, corners[:1], images)
        empty = jax.tree.map(self._empty, parts)
        wholes, figures = jax.lax.scan(visit, empty, jnp.asarray(numbers))
        return wholes, jax.tree.map(lambda values: jnp.max(values, axis=(0, 1)), figures)

    def _cut(self, image: Image, corner: Int[Array, " 2"]) -> Image:
        pixels = image.shape[0] // self.shape[0]
        sizes = (pixels * self.size, pixels * self.size, image.shape[-1])
        return jax.lax.dynamic_slice(image, (*(pixels * corner), 0), sizes)

    def _empty(self, parts: jax.ShapeDtypeStruct) -> Image:
        pixels = parts.shape[1] // self.size
        return jnp.zeros((*(pixels * side for side in self.shape), parts.shape[-1]), parts.dtype)

    def _add(self, whole: Image, part: Image, number: Int[Array, ""]) -> Image:
        """One part times its window, in as many pixels to a cell as it has; nothing beyond the last tile."""
        pixels = part.shape[0] // self.size
        cuts = [
            [pixels * cells for cells in (side, self.size, self._stride, self.margin)]
            for side in self.shape
        ]
        fades = [jnp.asarray(windows(*cut), part.dtype) for cut in cuts]
        which, corners = _product([range(len(fade)) for fade in fades]), self.corners
        tile = number % len(corners)
        down, across = (fade[jnp.asarray(which)[tile, axis]] for axis, fade in enumerate(fades))
        faded = jnp.where(number < len(corners), down, 0)[:, None, None] * across[:, None] * part
        place = jax.lax.ScatterDimensionNumbers((0, 1, 2), (), (0, 1))
        at = pixels * jnp.asarray(corners)[tile]
        return jax.lax.scatter_add(
            whole, at, faded, place, indices_are_sorted=True, unique_indices=True
        )

    @property
    def _stride(self) -> int:
        return self.size - self.overlap


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
