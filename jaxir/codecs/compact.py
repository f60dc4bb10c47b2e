"""The codec of one degraded photograph whose latent is a vector: what its restorer has to be told beside it."""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp

from jaxir import expect
from jaxir.codecs.codec import Codec
from jaxir.networks import Guided
from jaxir.typing import Image, Params, Scalar


class CompactCodec(Codec):
    """E(x) = c · guide(x, y), an image of one pixel, and D(z) = y + inner(y, z/c): a restorer of y that is told z.

    The one network is both: its guide sums the clean and the degraded image up, its inner network restores the degraded
    one with the vector beside it. A diffusion of z given y needs no clean image.

    Args:
        network: whose guide sees the channels of both images, the clean one first, and makes a vector, as
            `networks.Compact` does; whose inner network takes y for its input.
        params: its weights.
        y: the degraded image, of the shape of all images here.
        scale: c > 0.

    Source: [xia2023diffir].
    """

    network: Guided = eqx.field(static=True)
    params: Params
    y: Image
    scale: float | Scalar = 1.0

    def __check_init__(self) -> None:
        expect.positive("scale", self.scale)

    @property
    def shape(self) -> tuple[int, int, int]:
        """That of y."""
        height, width, channels = self.y.shape
        return height, width, channels

    @property
    def latent_shape(self) -> tuple[int, int, int]:
        """One pixel."""
        return 1, 1, self.network.guide.channels

    def analyse(self, x: Image) -> Image:
        """The vector of x and y."""
        both = jnp.concatenate([x, self.y], axis=-1)
        return self.network.guide.apply(self.params["guide"], both, (1, 1))

    def synthesise(self, z: Image) -> Image:
        """y restored with z."""
        told = jnp.broadcast_to(z, (*self.shape[:2], z.shape[-1]))
        change = self.network.inner.apply(self.params["inner"], self.y, jnp.zeros(()), told)
        return self.y + change
