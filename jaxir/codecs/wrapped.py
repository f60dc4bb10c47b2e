"""A codec whose decoder is shown the degraded image, as much as a dial says."""

from __future__ import annotations

import equinox as eqx

from jaxir import expect
from jaxir.codecs.codec import Codec
from jaxir.codecs.network import NetworkCodec
from jaxir.degradations.operator import expect_shape
from jaxir.networks import Wrapping
from jaxir.networks.latent_network import whole
from jaxir.typing import Image, Params, Scalar


class Wrapped(Codec):
    """The encoder of another codec, and its decoder with w Fuse(features of y, its own) added at each level.

    Args:
        codec: of an autoencoder with levels.
        wrapping: of that autoencoder.
        params: of the wrapping.
        y: the degraded image, of the codec's shape.
        weight: w in [0, 1]; 0 is the codec as it is.

    Raises:
        ValueError: if `wrapping` is of another network, or y of another shape.

    Source: [wang2024stablesr] (controllable feature wrapping).
    """

    codec: NetworkCodec
    wrapping: Wrapping = eqx.field(static=True)
    params: Params
    y: Image
    weight: float | Scalar = 0.5

    def __check_init__(self) -> None:
        expect.share("weight", self.weight)
        if self.wrapping.network != self.codec.network:
            raise ValueError(
                f"wrapping is of {self.wrapping.network} but the codec of {self.codec.network}: make it for the codec's"
            )
        expect_shape("y", self.y, self.codec.shape, "an image of the codec", "crop or resize it")

    @property
    def shape(self) -> tuple[int, int, int]:
        """The codec's."""
        return self.codec.shape

    @property
    def latent_shape(self) -> tuple[int, int, int]:
        """The codec's."""
        return self.codec.latent_shape

    @property
    def scale(self) -> float | Scalar:
        """The codec's."""
        return self.codec.scale

    def analyse(self, x: Image) -> Image:
        """As the codec."""
        return self.codec.analyse(x)

    def synthesise(self, z: Image) -> Image:
        """The image of z with the features of y."""
        autoencoder, (height, width, _) = self.codec.params, self.shape
        hidden = self.wrapping.hidden(autoencoder, whole(self.y, self.codec.network.stride))
        z = z + self.codec.shift
        image = self.wrapping.decode(self.params, autoencoder, z, hidden, self.weight)
        return image[:height, :width]
