"""The blocks of the classical diffusion U-Net and of its autoencoders: norms, residual blocks, attention, resampling.

Published networks are made of these, with few differences, which are arguments here: how a group norm groups, whether
the noise level shifts or also scales, how a sum is scaled, and how sides are halved. Sizes are never padded: a side of
n becomes ⌈n/2⌉ or ⌊n/2⌋ as the originals have it, and what comes back up is given the size that it left.

Group norms average over the image, so these networks depend on its size; jaxir's own (`layers`) do not.
"""

from __future__ import annotations

import dataclasses
from typing import Protocol

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from jaxir.networks.convolution import Conv


@dataclasses.dataclass(frozen=True)
class Norm:
    """A group norm: `groups` groups, or fewer where a group would have less than `least` channels.

    Args:
        groups: of channels.
        least: channels of a group.
        epsilon: added to the variance.

    Source: [wu2018groupnorm].
    """

    groups: int = 32
    least: int = 1
    epsilon: float = 1e-5

    def __call__(self, x: Array, name: str) -> Array:
        """Normalise (H, W, C) in float32, with a gain and a shift of each channel called `name`."""
        groups = min(self.groups, x.shape[-1] // self.least)
        layer = nn.GroupNorm(
            num_groups=groups,
            epsilon=self.epsilon,
            reduction_axes=tuple(range(x.ndim)),
            use_fast_variance=False,
            dtype=jnp.float32,
            name=name,
        )
        return layer(x).astype(x.dtype)


class Resampling(Protocol):
    """How the sides of features are halved and doubled."""

    @property
    def margin(self) -> int:
        """Pixels outside the image that its smaller copy depends on."""
        return 0

    def inside(self, x: Array) -> Array:
        """Half the size of features that come with their margin."""
        ...

    def down(self, x: Array) -> Array:
        """(H, W, C) to about (H/2, W/2, C), zeros outside."""
        return self.inside(jnp.pad(x, [(self.margin, self.margin)] * 2 + [(0, 0)]))

    def up(self, x: Array, size: tuple[int, int]) -> Array:
        """(H, W, C) to `size`."""
        ...


@dataclasses.dataclass(frozen=True)
class Nearest(Resampling):
    """Means of four pixels, and pixels four times."""

    def inside(self, x: Array) -> Array:
        """The mean of each 2 × 2 pixels; an odd row or column is left out."""
        return nn.avg_pool(x, (2, 2), strides=(2, 2))

    def up(self, x: Array, size: tuple[int, int]) -> Array:
        """The pixel at ⌊i n/N⌋."""
        return enlarged(x, size)


@dataclasses.dataclass(frozen=True)
class Filtered(Resampling):
    """A separable filter before halving and after doubling, for images whose sides are even.

    Args:
        taps: an even number of them, symmetric; (1, 1) is `Nearest`.

    Source: [karras2020analyzing] (filtered resampling).
    """

    taps: tuple[int, ...] = (1, 3, 3, 1)

    @property
    def margin(self) -> int:
        """Taps that reach outside."""
        return len(self.taps) // 2 - 1

    def inside(self, x: Array) -> Array:
        """Σ taps · x at every second pixel."""
        return self._filtered(x, 1.0, stride=(2, 2))

    def up(self, x: Array, size: tuple[int, int]) -> Array:
        """Zeros between the pixels, then the filter with four times its weight."""
        doubled = self._filtered(x, 4.0, padding=len(self.taps) // 2, dilation=(2, 2))
        return doubled[: size[0], : size[1]]

    def _filtered(
        self,
        x: Array,
        gain: float,
        *,
        padding: int = 0,
        stride: tuple[int, int] = (1, 1),
        dilation: tuple[int, int] = (1, 1),
    ) -> Array:
        taps = np.asarray(self.taps, np.float32) / sum(self.taps)
        y = jax.lax.conv_general_dilated(
            x.transpose(2, 0, 1)[..., None],
            jnp.asarray(gain * np.outer(taps, taps), x.dtype)[:, :, None, None],
            stride,
            [(padding, padding)] * 2,
            lhs_dilation=dilation,
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
        )
        return y[..., 0].transpose(1, 2, 0)


class StridedConv(nn.Module):
    """A 3×3 convolution at every second pixel.

    Args:
        width: channels of the output.
        padding: zeros before and after each side.
        dtype: of the computation.
    """

    width: int
    padding: tuple[int, int] = (1, 1)
    dtype: jnp.dtype = jnp.dtype("float32")

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """(H, W, C) to about (H/2, W/2, width)."""
        layer = nn.Conv(
            self.width, (3, 3), (2, 2), [self.padding] * 2, dtype=self.dtype, name="conv"
        )
        return layer(x)


class ResBlock(nn.Module):
    """(skip(x) + conv(silu(modulated(norm(conv(silu(norm(x))))))))·scale, between which the sides may change.

    Args:
        width: channels of the output.
        norm: both norms.
        modulated: whether the noise level scales and shifts what the second norm gives, or is added before it.
        scale: of the sum.
        project: whether a block that changes sides has a 1×1 convolution beside it even where it keeps its channels.
        dtype: of the computation.
    """

    width: int
    norm: Norm = Norm()
    modulated: bool = False
    scale: float = 1.0
    project: bool = False
    dtype: jnp.dtype = jnp.dtype("float32")

    @nn.compact
    def __call__(
        self,
        x: Array,
        embedding: Array | None = None,
        resample: Resampling | None = None,
        size: tuple[int, int] | None = None,
    ) -> Array:
        """Map (H, W, C) to (H, W, width); `resample` halves the sides, or brings them to `size` where it is given."""

        def moved(x: Array) -> Array:
            if resample is None:
                return x
            return resample.down(x) if size is None else resample.up(x, size)

        h = moved(nn.silu(self.norm(x, "norm_0")))
        h = Conv(self.width, dtype=self.dtype, name="conv_0")(h)
        scale = shift = None
        if embedding is not None:
            parts = 2 if self.modulated else 1
            vector = nn.Dense(parts * self.width, dtype=self.dtype, name="embedding")(embedding)
            shift = vector
            if self.modulated:
                scale, shift = jnp.split(vector, 2)
        if scale is None:
            h = self.norm(h if shift is None else h + shift, "norm_1")
        else:
            h = self.norm(h, "norm_1") * (1 + scale) + shift
        h = Conv(self.width, zero=True, dtype=self.dtype, name="conv_1")(nn.silu(h))
        skip = moved(x)
        if x.shape[-1] != self.width or (resample is not None and self.project):
            skip = nn.Dense(self.width, dtype=self.dtype, name="skip")(skip)
        return (skip + h) * self.scale


class SelfAttention(nn.Module):
    """(x + out(softmax(q kᵀ/√d) v))·scale over all pixels, q, k and v of the normalised x.

    Args:
        heads: of the attention.
        norm: of its input.
        scale: of the sum.
        dtype: of the computation.
    """

    heads: int = 1
    norm: Norm = Norm()
    scale: float = 1.0
    dtype: jnp.dtype = jnp.dtype("float32")

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """Map (H, W, C) to (H, W, C)."""
        height, width, channels = x.shape
        h = self.norm(x, "norm").reshape(height * width, channels)
        query, key, value = (
            nn.Dense(channels, dtype=self.dtype, name=name)(h).reshape(len(h), self.heads, -1)
            for name in ("query", "key", "value")
        )
        h = jax.nn.dot_product_attention(query, key, value).reshape(height, width, channels)
        out = nn.Dense(channels, dtype=self.dtype, kernel_init=nn.initializers.zeros, name="out")
        return (x + out(h)) * self.scale


def enlarged(x: Array, size: tuple[int, int]) -> Array:
    """Nearest: the pixel at ⌊i n/N⌋ in both directions."""
    if size == (2 * x.shape[0], 2 * x.shape[1]):
        return jnp.repeat(jnp.repeat(x, 2, axis=0), 2, axis=1)
    rows, columns = (
        np.arange(new) * old // new for old, new in zip(x.shape[:2], size, strict=True)
    )
    return x[rows][:, columns]
