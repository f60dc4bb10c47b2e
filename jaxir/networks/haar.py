"""Haar wavelets as the entrance and the exit of a network.

The transform is orthonormal, so white noise stays white noise of the same deviation and squared errors stay what they
are: a diffusion of the bands is the diffusion of pixels, and neither process nor sampler nor loss need know of it. Only
the network does, which has 4^−levels as many positions to work on.
"""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxir.networks.layers import fold, unfold
from jaxir.networks.network import Network
from jaxir.typing import Image, Key, Params, Scalar

SIGNS = np.array([[1, 1, 1, 1], [1, -1, 1, -1], [1, 1, -1, -1], [1, -1, -1, 1]]) / 2
"""Rows make LL = (a + b + c + d)/2 and the differences along columns, rows and both, of a block (a b; c d)."""


def haar(x: Image, levels: int) -> Float[Array, "h w c"]:
    """The wavelet transform (H, W, C) -> (H/2^l, W/2^l, 4^l C), LL of the last level first, then coarse to fine.

    Each level splits LL alone; the differences of finer levels are folded into channels of the coarsest size.

    Args:
        x: with sides that 2^levels divides.
        levels: how often, ≥ 0.

    Source: [mallat1989wavelet].
    """
    if not levels:
        return x
    blocks = fold(x, 2)
    channels = x.shape[-1]
    parts = blocks.reshape(*blocks.shape[:2], 4, channels)
    bands = jnp.einsum("ij,hwjc->hwic", SIGNS.astype(x.dtype), parts, precision="highest")
    smooth = haar(bands[:, :, 0], levels - 1)
    rough = fold(bands[:, :, 1:].reshape(*blocks.shape[:2], 3 * channels), 2 ** (levels - 1))
    return jnp.concatenate([smooth, rough], axis=-1)


def unhaar(bands: Float[Array, "h w c"], levels: int) -> Image:
    """The inverse of `haar`, which is its transpose."""
    if not levels:
        return bands
    smooth, rough = jnp.split(bands, [bands.shape[-1] // 4], axis=-1)
    smooth = unhaar(smooth, levels - 1)
    rough = unfold(rough, 2 ** (levels - 1)).reshape(*smooth.shape[:2], 3, -1)
    parts = jnp.concatenate([smooth[:, :, None], rough], axis=2)
    blocks = jnp.einsum("ij,hwic->hwjc", SIGNS.astype(bands.dtype), parts, precision="highest")
    return unfold(blocks.reshape(*smooth.shape[:2], -1), 2)


@dataclasses.dataclass(frozen=True)
class Haar:
    """unhaar(inner(haar(x), haar(y))): a network of images out of one of their wavelet bands.

    Args:
        inner: a network of 4^levels as many channels as x, y and the output have.
        levels: of the transform, ≥ 1.

    Source: [jiang2023lowlight], diffusion of the Haar bands of two levels.
    Differs from the paper: it diffuses LL of the last level alone, and another network restores the differences.
    """

    inner: Network
    levels: int = 1

    def __post_init__(self) -> None:
        if self.levels < 1:
            raise ValueError(f"levels is {self.levels}, expected at least 1")
        if self.inner.out_channels % 4**self.levels:
            raise ValueError(
                f"inner has {self.inner.out_channels} channels out, expected a multiple of 4^levels = "
                f"{4**self.levels}: one for each band"
            )

    @property
    def out_channels(self) -> int:
        """Of the image."""
        return self.inner.out_channels // 4**self.levels

    @property
    def stride(self) -> int:
        """That of the bands, in pixels."""
        return 2**self.levels * self.inner.stride

    @property
    def sees_y(self) -> bool:
        """As the network of bands."""
        return self.inner.sees_y

    def init(self, key: Key) -> Params:
        """New parameters of the network of bands; the transform has none."""
        return self.inner.init(key)

    def apply(self, params: Params, x: Image, condition: Scalar, y: Image | None = None) -> Image:
        """The output for one image of any size, mirrored to sides that the levels divide."""
        height, width, _ = x.shape
        padding = [(0, -height % 2**self.levels), (0, -width % 2**self.levels), (0, 0)]
        mode = "reflect" if min(height, width) > 1 else "edge"

        def bands(image: Image) -> Image:
            return haar(jnp.pad(image, padding, mode=mode), self.levels)

        x_, y_ = jax.tree.map(bands, (x, y))
        out = unhaar(self.inner.apply(params, x_, condition, y_), self.levels)
        return out[:height, :width]

    def size(self) -> int:
        """Number of parameters."""
        return self.inner.size()
