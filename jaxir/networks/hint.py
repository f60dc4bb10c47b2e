"""An image shown to a network that was trained without it."""

from __future__ import annotations

import dataclasses

import flax.linen as nn
from jaxtyping import Array

from jaxir.networks.conditioning import Conditioning
from jaxir.networks.convolution import Conv
from jaxir.typing import Image


@dataclasses.dataclass(frozen=True)
class Hint(Conditioning):
    """x + convolutions(y), the last of them zero at first: y in place, and the first layer as wide as it was.

    Args:
        channels: channels of y.
        features: channels between the three convolutions.

    Source: [zhang2023controlnet].
    """

    channels: int = 3
    features: int = 16

    def entrance(self, x: Image, y: Image) -> Image:
        """x with what is seen of y."""
        return x + _Seen(self.features, x.shape[-1], name="conditioning")(y).astype(x.dtype)


class _Seen(nn.Module):
    """The layers of `Hint`, in float32."""

    features: int
    size: int

    @nn.compact
    def __call__(self, y: Array) -> Array:
        h = nn.silu(Conv(self.features, name="conv_0")(y))
        h = nn.silu(Conv(self.features, name="conv_1")(h))
        return Conv(self.size, zero=True, name="out")(h)
