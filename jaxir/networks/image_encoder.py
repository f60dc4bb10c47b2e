"""An image to a vector: what it shows, or what happened to it."""

from __future__ import annotations

import dataclasses

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxir.networks.convolution import Conv
from jaxir.networks.layers import fold
from jaxir.networks.network import count
from jaxir.typing import Image, Key, Params


@dataclasses.dataclass(frozen=True)
class ImageEncoder:
    """Convolutions on a pyramid, the mean over positions, and a dense layer.

    The finest level sees every pixel, where noise and compression are. The mean, which forgets positions, is over the
    whole image.

    Args:
        features: of the vector.
        widths: channels of each level, finest first; each level but the first halves the sides.
        channels: of the images.
    """

    features: int = 64
    widths: tuple[int, ...] = (16, 32, 64)
    channels: int = 3

    def __post_init__(self) -> None:
        if not self.widths or min(self.widths) < 1 or self.features < 1:
            raise ValueError(
                f"widths is {self.widths} and features {self.features}, expected at least one level and one feature"
            )

    def module(self, name: str | None = None) -> nn.Module:
        """The layers, as a part of others."""
        return _ImageEncoder(self, name=name)

    def init(self, key: Key) -> Params:
        """New parameters, float32."""
        return jax.jit(self.module().init)(key, jnp.zeros((1, 1, self.channels)))["params"]

    def apply(self, params: Params, x: Image) -> Float[Array, " d"]:
        """The vector of one image of any size."""
        return jnp.asarray(self.module().apply({"params": params}, x))

    def size(self) -> int:
        """Number of parameters."""
        return count(self.init)


class _ImageEncoder(nn.Module):
    """The layers of `ImageEncoder`, in float32."""

    config: ImageEncoder

    @nn.compact
    def __call__(self, x: Array) -> Array:
        h = x.astype(jnp.float32)
        for level, width in enumerate(self.config.widths):
            if level:
                padding = [(0, -side % 2) for side in h.shape[:2]]
                h = fold(jnp.pad(h, [*padding, (0, 0)], mode="edge"), 2)
            h = nn.silu(Conv(width, name=f"conv_{level}_0")(h))
            h = nn.silu(Conv(width, name=f"conv_{level}_1")(h))
        return nn.Dense(self.config.features, name="out")(jnp.mean(h, axis=(0, 1)))
