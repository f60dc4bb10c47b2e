"""Inception-v3 up to the mean over space: 2048 numbers that say what an image shows.

This is the network of the Fréchet Inception distance, a port of the graph `inception-2015-12-05`, and not the later
one of the classifiers' collections: mean pools leave the padding out of their count, and the last block takes the
largest of 3 × 3 where all others take the mean. Layers bear the names of the original, so that its weights need no
table of names.
"""

from __future__ import annotations

import dataclasses

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxir.typing import Image, Key, Params

_SMALLEST = 75


@dataclasses.dataclass(frozen=True)
class Inception:
    """Features of one image: apply(params, image), 2048 numbers ≥ 0.

    Source: [szegedy2016inception] Table 1; [heusel2017fid] for its use.
    """

    def init(self, key: Key) -> Params:
        """New parameters, float32; those of the norms are the statistics that training would have left."""
        return jax.jit(_Inception().init)(key, jnp.zeros((_SMALLEST, _SMALLEST, 3)))["params"]

    def apply(self, params: Params, image: Image) -> Float[Array, " 2048"]:
        """The features of one image.

        Args:
            params: what `init` returned, or weights of the original.
            image: in [-1, 1], with three channels; the original takes 299 × 299 pixels.

        Raises:
            ValueError: if it has another number of channels or fewer than 75 pixels a side.
        """
        if image.ndim != 3 or image.shape[-1] != 3 or min(image.shape[:2]) < _SMALLEST:
            raise ValueError(
                f"image has shape {image.shape}, expected (height, width, 3) of at least {_SMALLEST} pixels a side: "
                "repeat a grey channel, and enlarge the image"
            )
        return jnp.asarray(_Inception().apply({"params": params}, image))


class _Unit(nn.Module):
    """Convolution, batch norm with stored statistics, ReLU."""

    features: int
    size: tuple[int, int] = (1, 1)
    stride: int = 1
    padding: str = "SAME"

    @nn.compact
    def __call__(self, x: Array) -> Array:
        x = nn.Conv(
            self.features,
            self.size,
            self.stride,
            self.padding,
            use_bias=False,
            precision="highest",
            name="conv",
        )(x)
        return nn.relu(_Norm(name="bn")(x))


class _Norm(nn.Module):
    """(x − mean)/√(variance + 1e-3) · scale + bias, with the mean and the variance as parameters."""

    @nn.compact
    def __call__(self, x: Array) -> Array:
        zeros, ones, shape = nn.initializers.zeros, nn.initializers.ones, (x.shape[-1],)
        mean, bias = (self.param(name, zeros, shape) for name in ("mean", "bias"))
        variance, scale = (self.param(name, ones, shape) for name in ("variance", "scale"))
        return (x - mean) * jax.lax.rsqrt(variance + 1e-3) * scale + bias


class _Inception(nn.Module):
    @nn.compact
    def __call__(self, image: Image) -> Float[Array, " 2048"]:
        x = _Unit(32, (3, 3), 2, "VALID", name="Conv2d_1a_3x3")(image)
        x = _Unit(32, (3, 3), 1, "VALID", name="Conv2d_2a_3x3")(x)
        x = _largest(_Unit(64, (3, 3), name="Conv2d_2b_3x3")(x))
        x = _Unit(80, name="Conv2d_3b_1x1")(x)
        x = _largest(_Unit(192, (3, 3), 1, "VALID", name="Conv2d_4a_3x3")(x))
        for letter, pooled in zip("bcd", (32, 64, 64), strict=True):
            x = _Fine(pooled, name=f"Mixed_5{letter}")(x)
        x = _Halve(name="Mixed_6a")(x)
        for letter, width in zip("bcde", (128, 160, 160, 192), strict=True):
            x = _Middle(width, name=f"Mixed_6{letter}")(x)
        x = _HalveAgain(name="Mixed_7a")(x)
        x = _Coarse(name="Mixed_7b")(x, _mean(x))
        x = _Coarse(name="Mixed_7c")(x, nn.max_pool(x, (3, 3), (1, 1), "SAME"))
        return jnp.mean(x, axis=(0, 1))


class _Fine(nn.Module):
    """Windows up to 5 × 5."""

    pooled: int

    @nn.compact
    def __call__(self, x: Array) -> Array:
        return _side_by_side(
            _Unit(64, name="branch1x1")(x),
            _chain(x, "branch5x5", (48, (1, 1)), (64, (5, 5))),
            _chain(x, "branch3x3dbl", (64, (1, 1)), (96, (3, 3)), (96, (3, 3))),
            _Unit(self.pooled, name="branch_pool")(_mean(x)),
        )


class _Halve(nn.Module):
    """Every second pixel, by convolution and by pooling."""

    @nn.compact
    def __call__(self, x: Array) -> Array:
        double = _chain(x, "branch3x3dbl", (64, (1, 1)), (96, (3, 3)))
        return _side_by_side(
            _Unit(384, (3, 3), 2, "VALID", name="branch3x3")(x),
            _Unit(96, (3, 3), 2, "VALID", name="branch3x3dbl_3")(double),
            _largest(x),
        )


class _Middle(nn.Module):
    """Windows of 7 × 7 as rows and columns."""

    width: int

    @nn.compact
    def __call__(self, x: Array) -> Array:
        row, column, width = (1, 7), (7, 1), self.width
        return _side_by_side(
            _Unit(192, name="branch1x1")(x),
            _chain(x, "branch7x7", (width, (1, 1)), (width, row), (192, column)),
            _chain(
                x,
                "branch7x7dbl",
                *((width, (1, 1)), (width, column), (width, row), (width, column), (192, row)),
            ),
            _Unit(192, name="branch_pool")(_mean(x)),
        )


class _HalveAgain(nn.Module):
    """Every second pixel, after windows of 7 × 7."""

    @nn.compact
    def __call__(self, x: Array) -> Array:
        small = _Unit(192, name="branch3x3_1")(x)
        large = _chain(x, "branch7x7x3", (192, (1, 1)), (192, (1, 7)), (192, (7, 1)))
        return _side_by_side(
            _Unit(320, (3, 3), 2, "VALID", name="branch3x3_2")(small),
            _Unit(192, (3, 3), 2, "VALID", name="branch7x7x3_4")(large),
            _largest(x),
        )


class _Coarse(nn.Module):
    """Windows of 3 × 3 whose rows and columns stay apart."""

    @nn.compact
    def __call__(self, x: Array, pooled: Array) -> Array:
        small = _Unit(384, name="branch3x3_1")(x)
        large = _chain(x, "branch3x3dbl", (448, (1, 1)), (384, (3, 3)))
        return _side_by_side(
            _Unit(320, name="branch1x1")(x),
            _Unit(384, (1, 3), name="branch3x3_2a")(small),
            _Unit(384, (3, 1), name="branch3x3_2b")(small),
            _Unit(384, (1, 3), name="branch3x3dbl_3a")(large),
            _Unit(384, (3, 1), name="branch3x3dbl_3b")(large),
            _Unit(192, name="branch_pool")(pooled),
        )


def _chain(x: Array, name: str, *layers: tuple[int, tuple[int, int]]) -> Array:
    """Units one after the other, numbered from 1."""
    for number, (features, size) in enumerate(layers, start=1):
        x = _Unit(features, size, name=f"{name}_{number}")(x)
    return x


def _side_by_side(*branches: Array) -> Array:
    return jnp.concatenate(branches, axis=-1)


def _largest(x: Array) -> Array:
    return nn.max_pool(x, (3, 3), (2, 2))


def _mean(x: Array) -> Array:
    return nn.avg_pool(x, (3, 3), (1, 1), "SAME", count_include_pad=False)
