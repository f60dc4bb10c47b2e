"""A codec of small images for large ones: both maps in overlapping tiles, joined into one latent and one image.

Memory is that of some tiles, whatever the size, and a gradient's too: on the way back each tile is computed again. A
network that sees a part of the image around each place gives the same in tiles as on the whole where the margin is as
wide as that; group norms and attention see all of a tile, and what they give differs from tile to tile, which the
overlap blends.
"""

from __future__ import annotations

from collections.abc import Callable

import equinox as eqx

from jaxir.codecs.codec import Codec
from jaxir.degradations.operator import image_shape
from jaxir.networks.padding import Mirrored
from jaxir.tiling import Tiles, expect_cover
from jaxir.typing import Image, Scalar


class TiledCodec(Codec):
    """E(x) = Σ w_i E_i(x) and D(z) = Σ w_i D_i(z) over tiles, with windows w_i, Σ w_i = 1 at every place.

    An image that is smaller than a tile, or whose sides the stride does not divide, is mirrored beyond its last row and
    column, and what decodes to that is cut off again.

    Args:
        codec: of a tile: square, with sides that its stride divides.
        shape: of the images.
        overlap: of neighbouring tiles in positions of the latent; the last tile of a row may overlap more.
        margin: positions of the latent along the edges of a tile that are taken from its neighbours.
        batch: tiles at a time, which bounds the memory.

    Raises:
        ValueError: if the codec's tiles are not square, or the tiles leave gaps.
    """

    codec: Codec
    shape: tuple[int, int, int] = eqx.field(static=True, converter=image_shape)
    overlap: int = eqx.field(static=True)
    margin: int = eqx.field(static=True, default=0)
    batch: int = eqx.field(static=True, default=1)

    def __check_init__(self) -> None:
        height, width, channels = self.codec.shape
        if (height, width) != (self.size * self.codec.stride,) * 2:
            raise ValueError(
                f"codec is of images of shape {self.codec.shape}, expected square ones with sides that its stride "
                "divides: they are the tiles"
            )
        if self.shape[-1] != channels:
            raise ValueError(
                f"shape is {self.shape}, expected {channels} channels as the codec has"
            )
        expect_cover(self.size, self.overlap, self.margin)

    @property
    def size(self) -> int:
        """Side of a tile, in positions of the latent."""
        return self.codec.latent_shape[0]

    @property
    def stride(self) -> int:
        """Pixels between two positions of the latent."""
        return self.codec.stride

    @property
    def scale(self) -> float | Scalar:
        """The codec's."""
        return self.codec.scale

    @property
    def latent_shape(self) -> tuple[int, int, int]:
        """Positions for all of the image, at least a tile of them."""
        height, width = (max(-(-side // self.stride), self.size) for side in self.shape[:2])
        return height, width, self.codec.latent_shape[-1]

    def analyse(self, x: Image) -> Image:
        """As many calls of the codec as tiles."""
        height, width, _ = self.shape
        down, across, _ = self.latent_shape
        padded = Mirrored()(x, down * self.stride - height, across * self.stride - width)
        return self._joined(self.codec.analyse, padded)

    def synthesise(self, z: Image) -> Image:
        """As many calls of the codec as tiles."""
        height, width, _ = self.shape
        return self._joined(self.codec.synthesise, z)[:height, :width]

    def _joined(self, function: Callable[[Image], Image], image: Image) -> Image:
        tiles = Tiles(self.latent_shape[:2], self.size, self.overlap, self.margin)
        return tiles.blend(lambda tile: (function(tile), None), image, self.batch)[0]
