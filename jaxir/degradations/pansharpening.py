"""Pan-sharpening: sharp in grey, coarse in colour, as satellites send their pictures."""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxir.degradations.colour import Grey
from jaxir.degradations.operator import Spectral
from jaxir.degradations.resize import Downsample
from jaxir.typing import Image


class Pansharpening(Spectral):
    """y = (D x, w·x): all bands reduced, and one panchromatic image of full size.

    The two parts differ in size, so the measurement is one vector; `split` gives the pictures back. With
    D = U S Vᵀ along rows and columns, AᴴA = V S² Vᵀ ⊗ I + I ⊗ wwᵀ, whose two terms commute: the basis is V
    in space and the Householder reflection of `Grey` in colour, and the singular values are √(s² + |w|²) for
    the direction w and s for the others.

    Args:
        reduction: D, of all bands.
        weights: w, the panchromatic sensor's response to each band.

    Raises:
        ValueError: if there is not one weight for each band.

    Source: [loncan2015pansharpening].
    """

    reduction: Downsample
    pan: Grey

    def __init__(self, reduction: Downsample, weights: Float[Array, " c"]):
        self.reduction = reduction
        self.pan = Grey(weights, reduction.shape)

    @property
    def shape(self) -> tuple[int, ...]:
        """The image's."""
        return self.reduction.shape

    def apply(self, x: Image) -> Float[Array, " n"]:
        """D x and w·x, one after the other."""
        return jnp.concatenate([self.reduction.apply(x).ravel(), self.pan.apply(x).ravel()])

    def split(self, y: Float[Array, " n"]) -> tuple[Image, Image]:
        """The reduced bands and the panchromatic image in a measurement."""
        self.expect_measurement(y)
        height, width, _ = self.shape
        bands, pan = y[: -height * width], y[-height * width :]
        return bands.reshape(self.reduction.output_shape), pan.reshape(self.pan.output_shape)

    @property
    def spectrum(self) -> Float[Array, "h w c"]:
        """√(s² + |w|²) for the direction w, s for the others."""
        return jnp.hypot(self.reduction.spectrum, self.pan.spectrum)

    def analyse(self, x: Image) -> Image:
        """V in space, then the reflection in colour."""
        return self.pan.analyse(self.reduction.analyse(x))

    def synthesise(self, coordinates: Image) -> Image:
        """And back."""
        return self.reduction.synthesise(self.pan.synthesise(coordinates))
