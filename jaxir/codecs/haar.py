"""Haar wavelets as a codec: nothing is lost, and what is left out afterwards is left out of a band."""

from __future__ import annotations

from typing import ClassVar

import equinox as eqx

from jaxir import expect
from jaxir.codecs.codec import Codec
from jaxir.degradations.operator import image_shape
from jaxir.networks.haar import haar, unhaar
from jaxir.typing import Image, Scalar


class HaarCodec(Codec):
    """E(x) = c W x and D(z) = Wᵀ z/c with W the orthonormal wavelet transform, WᵀW = W Wᵀ = I.

    The first channels of a latent, as many as the image has, are LL of the last level: 2^levels times the mean of each
    block of 2^levels × 2^levels pixels. Behind it are the differences, from the coarsest to the finest.

    Args:
        shape: of the image; 2^levels divides its sides.
        levels: of the transform, ≥ 1.
        scale: c > 0.

    Raises:
        ValueError: if the sides do not divide.

    Source: [mallat1989wavelet].
    """

    shape: tuple[int, int, int] = eqx.field(static=True, converter=image_shape)
    levels: int = eqx.field(static=True, default=1)
    scale: float | Scalar = 1.0
    linear: ClassVar[bool] = True

    def __check_init__(self) -> None:
        expect.positive("scale", self.scale)
        if self.levels < 1:
            raise ValueError(f"levels is {self.levels}, expected at least 1")
        if self.shape[0] % 2**self.levels or self.shape[1] % 2**self.levels:
            raise ValueError(
                f"shape is {self.shape}, expected sides that 2^levels = {2**self.levels} divides: pad or crop the "
                "image, or use fewer levels"
            )

    @property
    def latent_shape(self) -> tuple[int, int, int]:
        """(H/2^l, W/2^l, 4^l C)."""
        height, width, channels = self.shape
        return height // 2**self.levels, width // 2**self.levels, channels * 4**self.levels

    def analyse(self, x: Image) -> Image:
        """W x."""
        return haar(x, self.levels)

    def synthesise(self, z: Image) -> Image:
        """Wᵀ z."""
        return unhaar(z, self.levels)
