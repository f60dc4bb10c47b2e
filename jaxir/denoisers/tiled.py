"""A denoiser of small images on a large one: overlapping tiles, averaged at every call.

Samplers know nothing of it. What is averaged is the estimate of the clean image and not the sample, so at each step all
tiles go on from one state and there is one image in the end, where tiles that were sampled alone would disagree. At a
given state and time x̂0 is affine in the network's output with the same factors everywhere, so an average of the former
is the same average of the latter, the noise as published.
"""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array

from jaxir.denoisers.denoiser import Denoiser, Estimate
from jaxir.processes import Process
from jaxir.tiling import Tiles, expect_cover
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
        expect_cover(self.size, self.overlap)
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
        tiles = Tiles(x_.shape[:2], self.size, self.overlap)

        def one(tile: tuple[Image, Image | None]) -> Estimate:
            x, y = tile
            return self.denoiser.estimate(x, t, y)

        parts = tiles.map(one, (x_, y_), self.batch)
        x0_hat, mix = jax.tree.map(
            lambda part: tiles.join(part)[:height, :width], (parts.x0_hat, parts.mix)
        )
        info = jax.tree.map(lambda values: jnp.max(values, axis=0), parts.info)
        return Estimate(x0_hat, mix, info)
