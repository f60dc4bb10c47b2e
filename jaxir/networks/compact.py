"""What a restorer is to know of a photograph, in one vector; and that vector as an image of one pixel.

An image of one pixel is an image like any other: a process corrupts it, a network of patches of one pixel denoises it,
a sampler draws it. So a diffusion of vectors needs nothing of its own but the two ends that are here: a guide that sums
an image up, and a door that lets a vector in. Between them is a codec, `codecs.CompactCodec`.
"""

from __future__ import annotations

import dataclasses

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array

from jaxir.networks.conditioning import Conditioning
from jaxir.networks.convolution import Conv
from jaxir.networks.guide import Guided
from jaxir.networks.layers import fold
from jaxir.networks.network import Network
from jaxir.typing import Image, Key, Params, Scalar


@dataclasses.dataclass(frozen=True)
class Compact:
    """A guide that sums y up in one vector, the same at each position of the size that is asked for.

    Features at a fraction of the pixels, their mean over the image, and two dense layers.

    Args:
        in_channels: of y: of two images that are summed up together, those of both.
        channels: numbers in the vector.
        width: features of a position.
        blocks: residual blocks.
        patch: side in pixels of a position.

    Source: [xia2023diffir] (compact prior extraction network).
    """

    in_channels: int = 3
    channels: int = 32
    width: int = 32
    blocks: int = 2
    patch: int = 4

    def init(self, key: Key) -> Params:
        """New parameters."""
        y = jnp.zeros((self.patch, self.patch, self.in_channels))
        return jax.jit(_Compact(self).init)(key, y)["params"]

    def apply(self, params: Params, y: Image, size: tuple[int, int]) -> Image:
        """The vector of y, at each position."""
        padding = [(0, -y.shape[0] % self.patch), (0, -y.shape[1] % self.patch), (0, 0)]
        z = _Compact(self).apply({"params": params}, jnp.pad(y, padding, mode="edge"))
        return jnp.broadcast_to(jnp.asarray(z), (*size, self.channels))


@dataclasses.dataclass(frozen=True)
class Modulation(Conditioning):
    """One vector, given at each position, added to the noise embedding, which scales and shifts every block.

    It is zero at first. Where `FiLM` finds the vector of an image itself, this is given one.

    Args:
        channels: numbers in the vector.

    Source: [xia2023diffir] (dynamic modulation by the prior).
    """

    channels: int = 32

    def embedding(self, vector: Array, y: Image) -> Array:
        """The embedding plus a linear map of the vector."""
        out = nn.Dense(len(vector), kernel_init=nn.initializers.zeros, name="conditioning")
        return vector + out(y[0, 0])


@dataclasses.dataclass(frozen=True)
class CompactRestorer:
    """A network that denoises vectors, and with it, among its weights, the restorer that such a vector tells.

    To processes, losses and samplers it is the first alone: z_t, a noise level and the degraded photograph to the
    output for z. The weights of the second are beside, so that both are trained, averaged, stored and loaded as one.

    Args:
        prior: from a vector (1, 1, d), given the degraded photograph: `Guided` by a `Compact`.
        restorer: what `codecs.CompactCodec` decodes with.

    Source: [xia2023diffir].
    """

    prior: Network
    restorer: Guided

    def __post_init__(self) -> None:
        if self.prior.out_channels != self.restorer.guide.channels:
            raise ValueError(
                f"prior has {self.prior.out_channels} channels out but the restorer's vectors have "
                f"{self.restorer.guide.channels} numbers: give both the same"
            )

    @property
    def out_channels(self) -> int:
        """Of the vectors."""
        return self.prior.out_channels

    @property
    def stride(self) -> int:
        """Of the network of vectors."""
        return self.prior.stride

    @property
    def sees_y(self) -> bool:
        """As the network of vectors."""
        return self.prior.sees_y

    def init(self, key: Key) -> Params:
        """New parameters of both."""
        first, second = jax.random.split(key)
        return {"prior": self.prior.init(first), "restorer": self.restorer.init(second)}

    def apply(self, params: Params, x: Image, condition: Scalar, y: Image | None = None) -> Image:
        """The output for a vector."""
        return self.prior.apply(params["prior"], x, condition, y)

    def size(self) -> int:
        """Number of parameters of both."""
        return self.prior.size() + self.restorer.size()


class _Compact(nn.Module):
    """The layers of `Compact`, on sides that the patch divides."""

    config: Compact

    @nn.compact
    def __call__(self, y: Array) -> Array:
        c = self.config
        h = nn.Dense(c.width)(fold(y, c.patch))
        for _ in range(c.blocks):
            h += Conv(c.width)(nn.silu(Conv(c.width)(nn.silu(h))))
        z = nn.leaky_relu(nn.Dense(2 * c.width)(jnp.mean(nn.silu(h), axis=(0, 1))), 0.1)
        return nn.Dense(c.channels)(z)
