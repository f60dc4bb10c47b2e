"""How the image comes down beside the features of a U-Net, so that every level sees it at its own size."""

from __future__ import annotations

import dataclasses
from typing import Protocol

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array

from jaxir.networks.blocks import Resampling
from jaxir.networks.convolution import Conv


class Pyramid(Protocol):
    """Where the image of one level meets the features of the next."""

    def meet(
        self, h: Array, image: Array, resampling: Resampling, name: str
    ) -> tuple[Array, Array]:
        """The features with the image, and the image for the next level; called inside a Linen module."""
        ...


@dataclasses.dataclass(frozen=True)
class InputSkip(Pyramid):
    """The image is made smaller and added through a 1×1 convolution.

    Source: [song2021score] App. H (progressive input, "input skip").
    """

    def meet(
        self, h: Array, image: Array, resampling: Resampling, name: str
    ) -> tuple[Array, Array]:
        """h + W image."""
        image = resampling.down(image)
        return h + nn.Dense(h.shape[-1], dtype=h.dtype, name=name)(image), image


@dataclasses.dataclass(frozen=True)
class InputResidual(Pyramid):
    """The image becomes features of its own: (h + conv(image))/√2 is both what goes on and the image of the next level.

    Source: [song2021score] App. H (progressive input, "residual").
    """

    def meet(
        self, h: Array, image: Array, resampling: Resampling, name: str
    ) -> tuple[Array, Array]:
        """(h + conv(image) made smaller)/√2, twice."""
        image = jnp.pad(image, [(resampling.margin, resampling.margin)] * 2 + [(0, 0)])
        image = resampling.inside(Conv(h.shape[-1], dtype=h.dtype, name=name)(image))
        h = (h + image) / jnp.sqrt(jnp.asarray(2, h.dtype))
        return h, h
