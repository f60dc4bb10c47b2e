"""An autoencoder as a pair of maps, z = E(x) and x ≈ D(z), so that a prior of latents restores images.

To a method a latent is an image like any other, (h, w, c). All that it needs is the degradation as it is seen from
there, p(y | z) = noise(y | A(D(z))), and that is the composition of operators:

    latent = codec.through(degradation)
    samples = restore(y, latent, prior=latent_prior, method=psld)
    restored = samples.map(codec.decode)

`restore`'s grid is for images, whose deviation is about 0.5; latents of deviation 1 want twice its levels, as by
`steps=log_snr_times(latent_prior.process, 50, sigma_max=10.0, sigma_min=0.06)`.

A decoder is an operator, linear where the codec is, so that what takes any differentiable operator (DPS, DAPS,
RED-diff) is latent without a change, and behind a `LinearCodec` everything else too. A method that needs more than
A ∘ D, as PSLD and ReSample do, takes the two apart again by `taken_apart`.
"""

# No `from __future__ import annotations` here: equinox knows AbstractVar only where it is not a string.

import abc
from typing import ClassVar

import equinox as eqx

from jaxir.degradations import Degradation, Linear, Operator
from jaxir.degradations.operator import Composition, LinearComposition, expect_shape, image_shape
from jaxir.typing import Image, Scalar


class Codec(eqx.Module):
    """E and D; a concrete codec writes `analyse` and `synthesise`, without the scale.

    Attributes:
        shape: of the images, (height, width, channels).
        latent_shape: of the latents, (height, width, channels).
        scale: what latents are multiplied by after E and divided by before D, > 0: one over the deviation of the raw
            ones, which brings them to the unit deviation that a prior is trained on.
        linear: whether D is a linear map.

    Source: [rombach2022ldm] for the scale.
    """

    shape: eqx.AbstractVar[tuple[int, int, int]]
    latent_shape: eqx.AbstractVar[tuple[int, int, int]]
    scale: eqx.AbstractVar[float | Scalar]
    linear: ClassVar[bool] = False

    @abc.abstractmethod
    def analyse(self, x: Image) -> Image:
        """The raw latent of an image that is known to fit; of a variational encoder the mean."""

    @abc.abstractmethod
    def synthesise(self, z: Image) -> Image:
        """The image of a raw latent that is known to fit; a quantiser is part of it."""

    @property
    def stride(self) -> int:
        """Pixels between two positions of the latent."""
        return self.shape[0] // self.latent_shape[0]

    def encode(self, x: Image) -> Image:
        """E(x).

        Raises:
            ValueError: if `x` is not of the codec's shape.
        """
        advice = "make the codec for this size, or resize the image; batches go through jax.vmap"
        expect_shape("x", x, self.shape, "an image of the codec", advice)
        return self.scale * self.analyse(x)

    def decode(self, z: Image) -> Image:
        """D(z).

        Raises:
            ValueError: if `z` is not of the codec's latent shape.
        """
        advice = "pass what encode returns; batches go through jax.vmap"
        expect_shape("z", z, self.latent_shape, "a latent of the codec", advice)
        return self.synthesise(z / self.scale)

    @property
    def decoder(self) -> Operator:
        """D as an operator on latents."""
        return LinearDecoder(self) if self.linear else Decoder(self)

    def through(self, degradation: Degradation) -> Degradation:
        """p(y | z) of a latent: the degradation of its image.

        Raises:
            ValueError: if the degradation is of images of another shape.
        """
        if tuple(degradation.operator.shape) != tuple(self.shape):
            raise ValueError(
                f"the degradation takes images of shape {tuple(degradation.operator.shape)} but the codec decodes to "
                f"{tuple(self.shape)}: make both for one size"
            )
        return Degradation(degradation.operator @ self.decoder, degradation.noise)


class Decoder(Operator):
    """z ↦ D(z); made by `Codec.decoder`."""

    codec: Codec

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of the latent that goes in."""
        return self.codec.latent_shape

    def apply(self, x: Image) -> Image:
        """D(x) of a latent."""
        return self.codec.decode(x)


class LinearDecoder(Linear):
    """The same of a linear codec."""

    codec: Codec

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of the latent that goes in."""
        return self.codec.latent_shape

    def apply(self, x: Image) -> Image:
        """D(x) of a latent."""
        return self.codec.decode(x)


class Pixels(Codec):
    """Images that are their own latents.

    Args:
        shape: of the image.
    """

    shape: tuple[int, int, int] = eqx.field(static=True, converter=image_shape)
    scale: float = 1.0
    linear: ClassVar[bool] = True

    @property
    def latent_shape(self) -> tuple[int, int, int]:
        """The image's."""
        return self.shape

    def analyse(self, x: Image) -> Image:
        """The image itself."""
        return x

    def synthesise(self, z: Image) -> Image:
        """The image itself."""
        return z


def taken_apart(operator: Operator) -> tuple[Operator, Codec]:
    """A and the codec of A ∘ D; where no codec is in it, the operator itself and `Pixels`."""
    if not isinstance(operator, Composition | LinearComposition):
        return operator, Pixels(operator.shape)
    if isinstance(operator.inner, Decoder | LinearDecoder):
        return operator.outer, operator.inner.codec
    inner, codec = taken_apart(operator.inner)
    return operator.outer @ inner, codec
