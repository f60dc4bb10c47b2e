"""A denoiser of small images on a large one: overlapping tiles, averaged at every call.

Samplers know nothing of it. What is averaged is the estimate of the clean image and not the sample, so at each step all
tiles go on from one state and there is one image in the end, where tiles that were sampled alone would disagree. At a
given state and time x̂0 is affine in the network's output with the same factors everywhere, so an average of the former
is the same average of the latter, the noise as published.

Along each axis the tiles are `starts`, with windows that are positive and sum to one at every pixel; a tile's window is
the product of two of them.
"""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxir.denoisers.denoiser import Denoiser, Estimate
from jaxir.processes import Process
from jaxir.typing import Image, Scalar


class Tiled(Denoiser):
    """D = Σ w_i D_i, the estimates D_i of overlapping tiles with windows w_i > 0, Σ w_i = 1 at every pixel.

    For networks that learnt from crops and see all of their input, and for images that do not fit in memory at once.
    y is cut as x is. An image smaller than a tile is mirrored to its size. Of what a denoiser reports the largest value
    over the tiles is kept; a learnt variance is averaged as the image is; unknowns of its own are not passed on.

    Args:
        denoiser: of images in the size of a tile.
        size: side of a tile, in pixels.
        overlap: of neighbouring tiles in pixels, from 0 to size − 1; the last tile of a row may overlap more.
        batch: tiles at a time, which bounds the memory.

    Source: [ozdenizci2023weatherdiff] Algorithm 2.
    Differs from the paper: tiles that reach the last row and column for every size of image, windows that fade towards
        the edge of a tile in the place of equal weights.
    """

    denoiser: Denoiser
    size: int = eqx.field(static=True)
    overlap: int = eqx.field(static=True)
    batch: int = eqx.field(static=True, default=8)

    def __check_init__(self) -> None:
        if not 0 <= self.overlap < self.size:
            raise ValueError(
                f"overlap is {self.overlap}, expected 0 to size − 1 = {self.size - 1}: tiles must cover the image, and "
                "each must bring new pixels"
            )
        if self.batch < 1:
            raise ValueError(f"batch is {self.batch}, expected at least one tile at a time")

    @property
    def process(self) -> Process:
        """That of the tiles."""
        return self.denoiser.process

    @property
    def sees_y(self) -> bool:
        """As the denoiser of the tiles."""
        return self.denoiser.sees_y

    def estimate(self, x: Image, t: Scalar, y: Array | None = None) -> Estimate:
        """As many evaluations as tiles.

        Raises:
            ValueError: if `y` is not an image in the size of `x`.
        """
        height, width, _ = x.shape
        if y is not None and y.shape[:2] != (height, width):
            raise ValueError(
                f"y has shape {y.shape}, expected ({height}, {width}, channels) as x has: a tile of x is given the "
                "same tile of y, so enlarge y first"
            )
        padding = [(0, max(self.size - side, 0)) for side in (height, width)]
        mode = "reflect" if min(height, width) > 1 else "edge"
        x_, y_ = jax.tree.map(lambda image: jnp.pad(image, [*padding, (0, 0)], mode=mode), (x, y))
        cuts = [(side, self.size, self.size - self.overlap) for side in x_.shape[:2]]
        rows, columns = (np.asarray(starts(*cut)) for cut in cuts)
        i, j = (index.ravel() for index in np.indices((len(rows), len(columns))))
        corners = np.stack([rows[i], columns[j]], axis=1)
        down, across = (windows(*cut).astype(x.dtype) for cut in cuts)

        def one(tile: tuple[Array, Array, Array]) -> Estimate:
            corner, fade_down, fade_across = tile

            def cut(image: Image) -> Image:
                sizes = (self.size, self.size, image.shape[-1])
                return jax.lax.dynamic_slice(image, (*corner, 0), sizes)

            def faded(image: Image) -> Image:
                return fade_down[:, None, None] * fade_across[:, None] * image

            estimate = self.denoiser.estimate(cut(x_), t, None if y is None else cut(y_))
            x0_hat, log_variance = jax.tree.map(faded, (estimate.x0_hat, estimate.log_variance))
            return Estimate(x0_hat, log_variance, estimate.info)

        tiles = jax.lax.map(one, (corners, down[i], across[j]), batch_size=self.batch)
        reach = corners[:, :, None] + np.arange(self.size)

        def joined(parts: Float[Array, "n p p c"]) -> Image:
            whole = jnp.zeros((*x_.shape[:2], parts.shape[-1]), parts.dtype)
            where = reach[:, 0, :, None], reach[:, 1, None, :]
            return whole.at[where].add(parts)[:height, :width]

        x0_hat, log_variance = jax.tree.map(joined, (tiles.x0_hat, tiles.log_variance))
        info = jax.tree.map(lambda values: jnp.max(values, axis=0), tiles.info)
        return Estimate(x0_hat, log_variance, info)


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


def windows(length: int, size: int, stride: int) -> Float[np.ndarray, "n p"]:
    """A window for each of `starts`: a raised cosine, divided by the sum of all at each place."""
    begin = starts(length, size, stride)
    window = np.sin(np.pi * (np.arange(size) + 0.5) / size) ** 2
    total = np.zeros(length)
    for start in begin:
        total[start : start + size] += window
    return np.stack([window / total[start : start + size] for start in begin])
