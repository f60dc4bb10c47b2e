"""What an autoencoder is to a prior of latents: an encoder that says how sure it is, and a decoder.

A variational encoder gives a law of latents, any other a latent; the second is a law without width, so that what asks
for the mean or for a draw need not know which it has.
"""

from __future__ import annotations

import abc
from typing import NamedTuple

from jaxir.networks.network import count
from jaxir.networks.padding import Mirrored
from jaxir.typing import Image, Key, Params, Scalar


class Code(NamedTuple):
    """The law of the latent of an image, N(mean, std²) at each of its numbers.

    Attributes:
        mean: (h, w, c).
        std: of the same shape, or 0 for an encoder that gives one latent.
    """

    mean: Image
    std: Image | float


class LatentNetwork(abc.ABC):
    """An autoencoder of images by latents of fewer positions; as a `Network` it is x ↦ decode(mean of x's code).

    A concrete network is a frozen dataclass with fields `channels`, of the images, and `latent`, of the latents.
    """

    channels: int
    latent: int

    @property
    @abc.abstractmethod
    def stride(self) -> int:
        """Pixels between two positions of the latent."""

    @abc.abstractmethod
    def init(self, key: Key) -> Params:
        """New parameters, float32."""

    @abc.abstractmethod
    def encode(self, params: Params, x: Image) -> Code:
        """The code of an image whose sides the stride divides."""

    @abc.abstractmethod
    def decode(self, params: Params, z: Image) -> Image:
        """The image of a latent."""

    @property
    def out_channels(self) -> int:
        """Of the images."""
        return self.channels

    @property
    def sees_y(self) -> bool:
        """False."""
        return False

    def apply(self, params: Params, x: Image, condition: Scalar, y: None = None) -> Image:
        """x again, from the mean of its code; `condition` is not looked at. Any size, by mirroring."""
        height, width, _ = x.shape
        return self.decode(params, self.encode(params, whole(x, self.stride)).mean)[:height, :width]

    def size(self) -> int:
        """Number of parameters."""
        return count(self.init)


def whole(x: Image, stride: int) -> Image:
    """An image mirrored beyond its last row and column to sides that the stride divides."""
    height, width, _ = x.shape
    return Mirrored()(x, -height % stride, -width % stride)
