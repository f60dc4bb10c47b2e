"""A small image read off at any size: a perceptron of where a pixel lies between the cells of a grid of features.

Pixel k of N covers [k, k + 1]/N, so its middle lies at r = (k + ½) n/N − ½ of n cells, whatever n/N is; nothing here
asks for a whole ratio. A value is read from the two cells around r along each axis, and the four answers are weighted
as in linear interpolation, so that it does not jump where the nearest cell changes. Offsets and the size of a pixel are
told in cells: moving y by a cell moves the answer.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxir.networks.convolution import Conv
from jaxir.networks.layers import NoiseEmbedding, ResidualBlock
from jaxir.typing import Image, Key, Params

Reader = Callable[[Float[Array, "... c"], Float[Array, "... 4"]], Float[Array, "... d"]]
"""(value of a cell, (down, right) from its middle in cells and a pixel's (height, width) in cells) -> an answer."""


def _value(value: Array, place: Array) -> Array:
    return value


def interpolate(
    h: Float[Array, "h w c"], size: tuple[int, int], read: Reader = _value
) -> Float[Array, "H W d"]:
    """Σ_q w_q(r) read(h_q, (r − r_q, cell)) over the four cells q around r, Σ_q w_q = 1 and Σ_q w_q (r − r_q) = 0.

    With the value itself for an answer it is linear interpolation, exact for what is linear in r up to the border,
    where it extrapolates over half a cell. A single row or column is constant across.

    Args:
        h: values of cells.
        size: of the answer, (height, width), in any ratio to that of h.
        read: what a cell answers.

    Source: [chen2021liif] (local ensemble, feature and cell coordinates).
    """
    (rows, down, above), (columns, right, beside) = map(_around, h.shape[:2], size)
    values = h[rows[:, None, :, None], columns[None, :, None, :]]
    shape = values.shape[:-1]
    cell = (h.shape[0] / size[0], h.shape[1] / size[1])
    parts = (down[:, None, :, None], right[None, :, None, :], *cell)
    place = np.stack([np.broadcast_to(part, shape) for part in parts], axis=-1)
    weights = above[:, None, :, None] * beside[None, :, None, :]
    answers = read(values, jnp.asarray(place, h.dtype))
    return jnp.sum(jnp.asarray(weights, h.dtype)[..., None] * answers, axis=(0, 1))


@dataclasses.dataclass(frozen=True)
class Implicit:
    """A guide that enlarges y to any size: cubic interpolation of y plus what a perceptron reads off features of it.

    Residual blocks on the small grid make the features, scaled and shifted in each block by factors that are learnt of
    the ratio of sizes, for what is missing at × 2 is not what is missing at × 3. It starts as the interpolation alone,
    with zeros in the channels that y has not.

    Args:
        in_channels: of y.
        channels: of what it makes, at least those of y, which come first.
        width: features of a cell.
        blocks: residual blocks.
        hidden: of the perceptron.

    Source: [gao2023idm] (implicit decoder, and modulation by the scale); [chen2021liif].
    Differs from the paper: features are read off once, before the network, and not on each level of its way up.
    """

    in_channels: int = 3
    channels: int = 3
    width: int = 32
    blocks: int = 3
    hidden: int = 48

    def __post_init__(self) -> None:
        if self.channels < self.in_channels:
            raise ValueError(
                f"channels is {self.channels} but y has {self.in_channels}, which come first: expected at least as many"
            )

    def init(self, key: Key) -> Params:
        """New parameters."""
        y = jnp.zeros((2, 2, self.in_channels))
        return jax.jit(_Implicit(self, (2, 2)).init)(key, y)["params"]

    def apply(self, params: Params, y: Image, size: tuple[int, int]) -> Image:
        """y at another size."""
        return jnp.asarray(_Implicit(self, size).apply({"params": params}, y))


class _Implicit(nn.Module):
    """The layers of `Implicit` for one size of the answer, which no parameter depends on."""

    config: Implicit
    size: tuple[int, int]

    @nn.compact
    def __call__(self, y: Array) -> Array:
        c = self.config
        ratio = np.prod(self.size) / np.prod(y.shape[:2])
        embedding = NoiseEmbedding(c.width)(jnp.asarray(0.5 * np.log(ratio), jnp.float32))
        h = Conv(c.width)(y)
        for _ in range(c.blocks):
            h = ResidualBlock(c.width, jnp.dtype("float32"))(h, embedding)
        h = nn.Dense(c.hidden)(h)  # of the first dense layer what is the same for every pixel
        place, second = nn.Dense(c.hidden, use_bias=False), nn.Dense(c.hidden)
        out = nn.Dense(c.channels, kernel_init=nn.initializers.zeros)

        def read(value: Array, where: Array) -> Array:
            return out(nn.silu(second(nn.silu(value + place(where)))))

        plain = jax.image.resize(y, (*self.size, c.in_channels), "cubic")
        extra = [(0, 0), (0, 0), (0, c.channels - c.in_channels)]
        return jnp.pad(plain, extra) + interpolate(h, self.size, read)


def _around(cells: int, pixels: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The two cells around the middle of each pixel, how far it lies from their middles, and their weights: (2, N)."""
    at = (np.arange(pixels) + 0.5) * cells / pixels - 0.5
    first = np.clip(np.floor(at).astype(int), 0, max(cells - 2, 0))
    both = np.stack([first, np.minimum(first + 1, cells - 1)])
    return both, at - both, np.stack([1 - (at - first), at - first])
