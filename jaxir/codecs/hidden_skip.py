"""The codec of one degraded photograph: its features are part of the decoder."""

from __future__ import annotations

import equinox as eqx

from jaxir import expect
from jaxir.codecs.codec import Codec
from jaxir.networks import Autoencoder
from jaxir.typing import Image, Params, Scalar


class HiddenSkip(Codec):
    """E(x) = c · latent of x and D(z) = decode(z/c, features of y), with an autoencoder of images.

    Args:
        network: the autoencoder.
        params: its weights.
        y: the degraded image, of the shape of all images here; the network's stride divides its sides.
        scale: c > 0, one over the deviation of the raw latents.

    Raises:
        ValueError: if the sides do not divide.

    Source: [luo2023refusion].
    """

    network: Autoencoder = eqx.field(static=True)
    params: Params
    y: Image
    scale: float | Scalar = 1.0

    def __check_init__(self) -> None:
        expect.positive("scale", self.scale)
        stride = self.network.stride
        if self.y.shape[0] % stride or self.y.shape[1] % stride:
            raise ValueError(
                f"y has shape {self.y.shape}, expected sides that the stride {stride} divides: crop or pad it"
            )

    @property
    def shape(self) -> tuple[int, int, int]:
        """That of y."""
        height, width, channels = self.y.shape
        return height, width, channels

    @property
    def latent_shape(self) -> tuple[int, int, int]:
        """Smaller by the stride."""
        height, width, _ = self.y.shape
        return height // self.network.stride, width // self.network.stride, self.network.latent

    def analyse(self, x: Image) -> Image:
        """The latent of x."""
        return self.network.encode(self.params, x)[0]

    def synthesise(self, z: Image) -> Image:
        """The image of z, with the features of y."""
        return self.network.decode(self.params, z, self.network.encode(self.params, self.y)[1])
