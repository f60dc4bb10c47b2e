"""How the degraded image y enters a network: parts that are exchanged without a change to the network.

A network offers three doors: its entrance, where x comes in; its noise embedding, which modulates every block; and its
bottleneck, where positions are fewest. A part uses the doors that it needs and leaves the others as they are, so each
network takes each part. What goes through the last two starts at zero: a new network answers as if it saw no y.
"""

from __future__ import annotations

import dataclasses
from typing import Protocol

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxir.networks.convolution import Conv
from jaxir.networks.layers import PixelNorm, fold
from jaxir.networks.rotary import attend
from jaxir.typing import Image


class Conditioning(Protocol):
    """What happens to y at each door of a network; here nothing, which a part changes where it acts.

    The methods are called inside a Linen module, once each, on y in the size of x; a part keeps its own weights there
    under the name "conditioning".
    """

    @property
    def channels(self) -> int:
        """Channels of y."""
        ...

    def shape(self, size: tuple[int, int]) -> tuple[int, ...]:
        """Of y, for an x of this height and width."""
        return (*size, self.channels)

    def fits(self, shape: tuple[int, ...], size: tuple[int, int]) -> bool:
        """Whether a y of this shape may come with an x of this height and width."""
        return shape == self.shape(size)

    def entrance(self, x: Image, y: Image) -> Image:
        """What the first layer sees."""
        return x

    def embedding(self, vector: Float[Array, " d"], y: Image) -> Float[Array, " d"]:
        """What modulates the blocks."""
        return vector

    def bottleneck(self, h: Float[Array, "h w c"], y: Image) -> Float[Array, "h w c"]:
        """What the coarsest level goes on with; the sides of y are multiples of those of h."""
        return h


@dataclasses.dataclass(frozen=True)
class Absent(Conditioning):
    """No y."""

    channels: int = 0


ABSENT = Absent()


@dataclasses.dataclass(frozen=True)
class Concatenation(Conditioning):
    """y beside x as more channels of the input: exact in place, and no further layers.

    Args:
        channels: channels of y.

    Source: [saharia2023sr3].
    """

    channels: int = 3

    def entrance(self, x: Image, y: Image) -> Image:
        """(x, y)."""
        return jnp.concatenate([x, y.astype(x.dtype)], axis=-1)


@dataclasses.dataclass(frozen=True)
class Difference(Conditioning):
    """What x differs from y by, beside y, as intensities: (x − y)/2 and (y + 1)/2.

    Args:
        channels: channels of y, which are those of x.

    Source: [luo2023irsde] (the entrance of its published networks).
    """

    channels: int = 3

    def entrance(self, x: Image, y: Image) -> Image:
        """(x − y, y) in the units of [0, 1]."""
        y = y.astype(x.dtype)
        return jnp.concatenate([(x - y) / 2, (y + 1) / 2], axis=-1)


@dataclasses.dataclass(frozen=True)
class CrossAttention(Conditioning):
    """The coarsest level asks, tokens of y answer: h + W softmax(q(h) kᵀ(y)) v(y), W = 0 at first.

    There is a token for each position of the coarsest level. Queries and keys carry rotary positions, so that a place
    of h can find its own place in y; attention sees the whole of y, so the result depends on the size of the image.

    Args:
        channels: channels of y.
        heads: attention heads.
        width: features of all heads together, a multiple of 4 heads.

    Source: [rombach2022ldm] (conditioning by cross-attention).
    """

    channels: int = 3
    heads: int = 4
    width: int = 64

    def __post_init__(self) -> None:
        if self.width % (4 * self.heads):
            raise ValueError(
                f"width is {self.width}, expected a multiple of 4 · heads = {4 * self.heads}: "
                "rotary positions turn pairs of features in two directions"
            )

    def bottleneck(self, h: Array, y: Image) -> Array:
        """h with what it asked of y."""
        return _CrossAttention(self.heads, self.width, name="conditioning")(h, y)


@dataclasses.dataclass(frozen=True)
class FiLM(Conditioning):
    """One vector of the whole of y, added to the noise embedding, which scales and shifts every block.

    For what the degradation is rather than what the image shows: the vector is a mean over positions, so it sees the
    whole image (a tile has another than its image), and no detail of y passes. It is zero at first.

    Args:
        channels: channels of y.
        features: features of the encoder of y.

    Source: [perez2018film].
    """

    channels: int = 3
    features: int = 64

    def embedding(self, vector: Array, y: Image) -> Array:
        """The embedding plus the vector of y."""
        return vector + _Summary(self.features, len(vector), name="conditioning")(y)


@dataclasses.dataclass(frozen=True)
class Labels(Conditioning):
    """y is a class: a vector for each is added to the noise embedding, none for a class below 0.

    Args:
        classes: their number.
        bias: whether a vector is added whatever the class.

    Source: [dhariwal2021adm] Sec. 3.1.
    """

    classes: int = 1000
    bias: bool = False
    channels: int = 0

    def shape(self, size: tuple[int, int]) -> tuple[int, ...]:
        """(): one number."""
        return ()

    def embedding(self, vector: Array, y: Array) -> Array:
        """The embedding plus the vector of the class."""
        layer = nn.Dense(vector.shape[-1], use_bias=self.bias, name="conditioning")
        return vector + layer(jax.nn.one_hot(jnp.asarray(y, int), self.classes))


@dataclasses.dataclass(frozen=True)
class Tokens(Conditioning):
    """y is a text, as vectors of its tokens that another network has found, (n, width): every attention sees them.

    Args:
        width: of a vector.
        count: n of an ordinary text; any other may come too.

    Source: [rombach2022ldm] Sec. 3.3.
    """

    width: int = 768
    count: int = 77
    channels: int = 0

    def shape(self, size: tuple[int, int]) -> tuple[int, ...]:
        """(n, width)."""
        return (self.count, self.width)

    def fits(self, shape: tuple[int, ...], size: tuple[int, int]) -> bool:
        """Any number of tokens."""
        return len(shape) == 2 and shape[1] == self.width


class _Encoder(nn.Module):
    """Features of an image, a position for each `stride` × `stride` pixels: a strided convolution and two of 3×3."""

    width: int
    stride: int
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, y: Array) -> Array:
        h = nn.Dense(self.width, dtype=self.dtype)(fold(y, self.stride))
        h = Conv(self.width, dtype=self.dtype)(nn.silu(h))
        return PixelNorm()(h + Conv(self.width, dtype=self.dtype)(nn.silu(h)))


class _CrossAttention(nn.Module):
    """The layers of `CrossAttention`, in the dtype of h."""

    heads: int
    width: int

    @nn.compact
    def __call__(self, h: Array, y: Array) -> Array:
        def heads(x: Array, parts: int) -> Array:
            x = nn.Dense(parts * self.width, use_bias=False, dtype=h.dtype)(x)
            return x.reshape(*x.shape[:2], parts * self.heads, -1)

        tokens = _Encoder(self.width, len(y) // len(h), h.dtype, name="encoder")(y)
        keys, values = jnp.split(heads(tokens, 2), 2, axis=2)
        answer = attend(heads(PixelNorm()(h), 1), keys, values)
        out = nn.Dense(h.shape[-1], dtype=h.dtype, kernel_init=nn.initializers.zeros, name="out")
        return h + out(answer)


class _Summary(nn.Module):
    """The vector of `FiLM`, in float32."""

    features: int
    size: int

    @nn.compact
    def __call__(self, y: Array) -> Array:
        padding = [(0, -y.shape[0] % 4), (0, -y.shape[1] % 4), (0, 0)]
        encoder = _Encoder(self.features, 4, jnp.dtype("float32"), name="encoder")
        h = encoder(jnp.pad(y, padding, mode="edge"))
        out = nn.Dense(self.size, kernel_init=nn.initializers.zeros, name="out")
        return out(jnp.mean(h, axis=(0, 1)))
