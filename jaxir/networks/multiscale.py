"""A guide that tells the outline: at coarse scales, without colour, what was spoiled is easy to predict.

Each scale has a small network of its own that sees y grey and reduced and predicts the clean image grey and reduced.
What the large network is shown are the last features before that prediction. They are trained by that regression as
well as through the large network (`losses.with_guide`), so they stay what holds of any image: the outline.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array

from jaxir.networks.convolution import Conv
from jaxir.networks.implicit import interpolate
from jaxir.networks.layers import PixelNorm
from jaxir.typing import Image, Key, Params


@dataclasses.dataclass(frozen=True)
class Multiscale:
    """y, and beside it the last features of a small network on each scale of grey y, enlarged to the size of x.

    The first convolution of a network is linear, so features beside its input are features added to what it makes.

    Args:
        in_channels: of y.
        scales: by which y is reduced, whole numbers ≥ 1.
        width: features of a scale.
        blocks: residual blocks of a scale.

    Source: [ren2023multiscale].
    Differs from the paper: features come in where y does, and not on the level of the network that has their scale.
    """

    in_channels: int = 3
    scales: tuple[int, ...] = (2, 4, 8)
    width: int = 16
    blocks: int = 2

    def __post_init__(self) -> None:
        if not self.scales or min(self.scales) < 1:
            raise ValueError(f"scales is {self.scales}, expected at least one, and none below 1")

    @property
    def channels(self) -> int:
        """Those of y and the features of all scales."""
        return self.in_channels + len(self.scales) * self.width

    def init(self, key: Key) -> Params:
        """New parameters of every scale."""
        keys = jax.random.split(key, len(self.scales))
        init = jax.jit(_Outline(self.width, self.blocks).init)
        new = [init(each, jnp.zeros((2, 2, 1)))["params"] for each in keys]
        return {f"scale_{scale}": params for scale, params in zip(self.scales, new, strict=True)}

    def apply(self, params: Params, y: Image, size: tuple[int, int]) -> Image:
        """y and the features, at the size that is asked for."""
        made = [interpolate(h, size) for h, _ in self._outlines(params, y)]
        return jnp.concatenate([interpolate(y, size), *made], axis=-1)

    def predict(self, params: Params, y: Image) -> tuple[Image, ...]:
        """What each scale predicts of the clean image."""
        return tuple(prediction for _, prediction in self._outlines(params, y))

    def reduced(self, x: Image) -> tuple[Image, ...]:
        """An image grey and reduced to each scale: of y what is seen, of the clean image what is predicted."""
        grey = jnp.mean(x, axis=-1, keepdims=True)
        sizes = [(-(-x.shape[0] // scale), -(-x.shape[1] // scale)) for scale in self.scales]
        return tuple(jax.image.resize(grey, (*size, 1), "linear") for size in sizes)

    def _outlines(self, params: Params, y: Image) -> list[tuple[Image, Image]]:
        outline = _Outline(self.width, self.blocks)

        def look(scale: int, small: Image) -> Any:
            return outline.apply({"params": params[f"scale_{scale}"]}, small)

        return [look(*pair) for pair in zip(self.scales, self.reduced(y), strict=True)]


class _Outline(nn.Module):
    """Features of a grey image, and the grey image that they predict as a change to it, none at first."""

    width: int
    blocks: int

    @nn.compact
    def __call__(self, y: Array) -> tuple[Array, Array]:
        h = Conv(self.width)(y)
        for _ in range(self.blocks):
            h += Conv(self.width)(nn.silu(Conv(self.width)(nn.silu(PixelNorm()(h)))))
        h = PixelNorm()(h)
        return h, y + Conv(1, zero=True)(h)
