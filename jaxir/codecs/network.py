"""A network of images and latents as a codec, for images of one size."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp

from jaxir import expect
from jaxir.codecs.codec import Codec
from jaxir.degradations.operator import expect_shape, image_shape
from jaxir.gaussian import Gaussian
from jaxir.networks import LatentNetwork
from jaxir.networks.latent_network import whole
from jaxir.typing import Image, Images, Key, Params, Scalar


class NetworkCodec(Codec):
    """E(x) = c (μ(x) − m) and D(z) = decode(z/c + m).

    An image whose sides the network's stride does not divide is mirrored beyond its last row and column, and what
    decodes to that is cut off again.

    Args:
        network: the autoencoder.
        params: its weights.
        shape: of the images.
        scale: c > 0, one over the deviation of the raw latents.
        shift: m, of the latents; 0 unless the network's makers say another.

    Source: [rombach2022ldm].
    """

    network: LatentNetwork = eqx.field(static=True)
    params: Params
    shape: tuple[int, int, int] = eqx.field(static=True, converter=image_shape)
    scale: float | Scalar = 1.0
    shift: float | Scalar = 0.0

    def __check_init__(self) -> None:
        expect.positive("scale", self.scale)
        if self.shape[-1] != self.network.channels:
            raise ValueError(
                f"shape is {self.shape}, expected (height, width, {self.network.channels}) as the network's images are"
            )

    @property
    def latent_shape(self) -> tuple[int, int, int]:
        """(⌈H/stride⌉, ⌈W/stride⌉, latent)."""
        height, width, _ = self.shape
        stride = self.network.stride
        return -(-height // stride), -(-width // stride), self.network.latent

    @property
    def stride(self) -> int:
        """The network's."""
        return self.network.stride

    def posterior(self, x: Image) -> Gaussian:
        """The law of the latent of an image; without width where the encoder is not variational.

        Raises:
            ValueError: if `x` is not of the codec's shape.
        """
        advice = "make the codec for this size, or resize the image; batches go through jax.vmap"
        expect_shape("x", x, self.shape, "an image of the codec", advice)
        mean, std = self.network.encode(self.params, whole(x, self.network.stride))
        return Gaussian(self.scale * (mean - self.shift), self.scale * std)

    def sample(self, key: Key, x: Image) -> Image:
        """A draw from the posterior: what a prior of latents is trained on."""
        return self.posterior(x).sample(key)

    def analyse(self, x: Image) -> Image:
        """μ(x) − m."""
        return self.network.encode(self.params, whole(x, self.network.stride)).mean - self.shift

    def synthesise(self, z: Image) -> Image:
        """decode(z + m)."""
        height, width, _ = self.shape
        return self.network.decode(self.params, z + self.shift)[:height, :width]


def unit_scale(network: LatentNetwork, params: Params, images: Images) -> Scalar:
    """The scale that gives the latents of some images unit deviation, over all of their numbers.

    Source: [rombach2022ldm] Appendix G.
    """
    latents = jax.lax.map(lambda x: network.encode(params, whole(x, network.stride)).mean, images)
    return 1 / jnp.std(latents)
