"""Learned perceptual image patch similarity.

The metric knows neither a network nor a file: it is given activations by a function and its weights, which are leaves,
so that it is differentiated, jitted and put on devices like any other value. `jaxir.pretrained.load_lpips` makes one of
published weights.
"""

from __future__ import annotations

from collections.abc import Callable

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxir.metrics.pair import as_pair
from jaxir.typing import Image, Params, Scalar

_SHIFT = (-0.030, -0.088, -0.188)
_SCALE = (0.458, 0.448, 0.450)


class LPIPS(eqx.Module):
    """LPIPS v0.1, at least 0; less is better.

        d = Σ_l mean_hw Σ_c w_lc (û_lc − v̂_lc)²,    û = u/(‖u‖ + 1e-10)

    u and v are the activations at layer l of both images, after (image − shift)/scale of each colour; ‖u‖ is over the
    channels of one pixel. Nothing is resized, clipped or rounded, so images of another size give another number. The
    gradient is that of the formula, and zero where all activations of a pixel are.

    Args:
        net: the name of the network, part of the protocol.
        features: (params, image) ↦ the activations, from each layer an image.
        params: its weights.
        heads: w_l ≥ 0, a weight for each channel of each layer.

    Example:
        >>> lpips = jaxir.pretrained.load_lpips("weights/")
        >>> print(measure(lpips, restored, truth))
        LPIPS-SQUEEZENET 0.25 (rgb, range 2, border 0)

    Source: [zhang2018lpips] Eq. 1, whose w is the root of this one; shift, scale, ε and heads are those of its release,
        version 0.1.
    """

    net: str = eqx.field(static=True)
    features: Callable[[Params, Image], tuple[Image, ...]] = eqx.field(static=True)
    params: Params
    heads: tuple[Float[Array, " c"], ...]

    @property
    def __name__(self) -> str:
        """What `measure` calls it."""
        return f"lpips-{self.net}"

    @eqx.filter_jit
    def __call__(self, restored: Image, truth: Image) -> Scalar:
        """The distance of one image from another, of the same shape and in [-1, 1], with three channels.

        Raises:
            ValueError: if the shapes differ, an image holds integers, or the network refuses their shape.
        """
        return jnp.sum(self.layers(restored, truth))

    def layers(self, restored: Image, truth: Image) -> Float[Array, " l"]:
        """What each layer adds to the distance; arguments and errors as those of the call."""
        pair = (self._directions(image) for image in as_pair(restored, truth))
        return jnp.stack(
            [
                jnp.mean(jnp.sum(head * (u - v) ** 2, axis=-1))
                for head, u, v in zip(self.heads, *pair, strict=True)
            ]
        )

    def _directions(self, image: Image) -> list[Image]:
        """The activations as directions in the space of channels."""
        shift, scale = (jnp.asarray(value, image.dtype) for value in (_SHIFT, _SCALE))
        return [_direction(u) for u in self.features(self.params, (image - shift) / scale)]


def _direction(u: Image) -> Image:
    square = jnp.sum(u**2, axis=-1, keepdims=True)
    some = square > 0
    norm = jnp.where(some, jnp.sqrt(jnp.where(some, square, 1)), 0)  # with a gradient at 0
    return u / (norm + 1e-10)
