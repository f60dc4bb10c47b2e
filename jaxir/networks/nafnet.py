"""The network of mean-reverting restoration: no activation but a product of two halves, at the full resolution.

Where the U-Net of this package spends its channels on 3×3 convolutions after folding pixels, this one mixes channels at
each pixel and looks sideways by a 3×3 filter of each channel alone, which is cheap enough to run on every pixel.
"""

from __future__ import annotations

import dataclasses
import itertools

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxir.networks.convolution import Conv
from jaxir.networks.embedding import Waves
from jaxir.networks.layers import (
    ChannelNorm,
    GatedEmbedding,
    NoiseEmbedding,
    fold,
    gate,
    unfold,
    within,
)
from jaxir.networks.network import LinenNetwork


@dataclasses.dataclass(frozen=True)
class NAFNet(LinenNetwork):
    """Nonlinear-activation-free blocks on a pyramid, scaled and shifted by the noise level.

    The attention of a block to its channels is their mean over the image, so the result depends on the size of the
    image and tiles differ a little from the whole: train on crops as large as the tiles.

    Args:
        width: channels of the finest level; each further one has twice as many.
        encoder: blocks of each level on the way down, finest first.
        middle: blocks of the coarsest level.
        decoder: blocks of each level on the way up, coarsest first, as many levels as `encoder` has.
        patch: side of the pixel block folded into channels at the entrance; 1 in the papers, 2 runs four times faster.
        norm: both norms of a block.
        inner: channels behind the gates of a block, of its width; fewer after `prune`.
        waves: the features that become the embedding by two gated layers, as in Refusion, where the condition is the
            index of a step; None for the embedding of `UNet`.

    The other fields are those of `LinenNetwork`. y meets the coarsest level before its blocks.

    Source: [chen2022nafnet]; [luo2023refusion] (the modulation by the noise level).
    Differs from the paper: the noise level enters by the embedding of `UNet` unless `waves` are given, and the last
        convolution starts at zero.
    """

    width: int = 64
    encoder: tuple[int, ...] = (1, 1, 1, 28)
    middle: int = 1
    decoder: tuple[int, ...] = (1, 1, 1, 1)
    patch: int = 1
    norm: ChannelNorm = ChannelNorm()
    inner: float = 1.0
    waves: Waves | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.inner > 0:
            raise ValueError(f"inner is {self.inner}, expected a positive share of the width")
        if len(self.encoder) != len(self.decoder):
            raise ValueError(
                f"decoder has {len(self.decoder)} entries but encoder has {len(self.encoder)}: "
                "give one number of blocks for each level in both"
            )

    @property
    def stride(self) -> int:
        """Pixels between two positions of the coarsest level."""
        return self.patch * 2 ** len(self.encoder)

    def module(self) -> nn.Module:
        """The layers."""
        return _NAFNet(self)


class NAFBlock(nn.Module):
    """x + β · mix(norm(x)), then + γ · feed(norm(x)); both norms are scaled and shifted by the embedding.

    `mix` is 1×1, depthwise 3×3, gate, attention to channels, 1×1; `feed` is 1×1, gate, 1×1. β = γ = 0 at first, so a
    new block is the identity.
    """

    dtype: jnp.dtype
    norm: ChannelNorm = ChannelNorm()
    inner: float = 1.0

    @nn.compact
    def __call__(self, x: Array, embedding: Array) -> Array:
        """Map (H, W, C) to (H, W, C)."""
        channels, inside = x.shape[-1], within(x.shape[-1], self.inner)

        def dense(features: int) -> nn.Dense:
            return nn.Dense(features, dtype=self.dtype)

        def added(x: Array, h: Array, name: str) -> Array:
            return x + h * self.param(name, nn.initializers.zeros, (channels,)).astype(x.dtype)

        modulation = nn.Dense(4 * channels)(embedding)
        scale, shift, scale_feed, shift_feed = jnp.split(modulation, 4)
        h = dense(2 * inside)(self.norm(x) * (1 + scale) + shift)
        h = gate(_Depthwise()(h))
        h *= dense(inside)(jnp.mean(h, axis=(0, 1), dtype=jnp.float32))
        x = added(x, dense(channels)(h), "beta")
        h = dense(2 * inside)(self.norm(x) * (1 + scale_feed) + shift_feed)
        return added(x, dense(channels)(gate(h)), "gamma")


class _NAFNet(nn.Module):
    """The Linen module behind `NAFNet`, on images whose sides are multiples of the stride."""

    config: NAFNet

    @nn.compact
    def __call__(self, x: Array, condition: Array, y: Array | None) -> Array:
        c, dtype = self.config, jnp.dtype(self.config.dtype)
        vector = (
            NoiseEmbedding(c.embedding)(condition)
            if c.waves is None
            else GatedEmbedding(c.waves, c.embedding)(condition)
        )
        embedding = c.entry.embedding(vector, y)
        kind, count = nn.remat(NAFBlock) if c.remat else NAFBlock, itertools.count()

        def blocks(h: Array, length: int) -> Array:
            for _ in range(length):
                h = kind(dtype, c.norm, c.inner, name=f"NAFBlock_{next(count)}")(h, embedding)
            return h

        h = Conv(c.width, dtype=dtype)(fold(c.entry.entrance(x, y), c.patch))
        skips = []
        for length in c.encoder:
            h = blocks(h, length)
            skips.append(h)
            h = nn.Dense(2 * h.shape[-1], dtype=dtype)(fold(h, 2))  # 2×2 convolution of stride 2
        h = blocks(c.entry.bottleneck(h, y), c.middle)
        for length, skip in zip(c.decoder, reversed(skips), strict=True):
            h = unfold(nn.Dense(2 * h.shape[-1], use_bias=False, dtype=dtype)(h), 2)
            h = blocks(h + skip, length)
        out = Conv(c.out_channels * c.patch**2, zero=True)
        return unfold(out(h.astype(jnp.float32)), c.patch)


class _Depthwise(nn.Module):
    """A 3×3 filter of each channel, as nine shifted products, since grouped convolution is slow on CPUs."""

    @nn.compact
    def __call__(self, x: Float[Array, "h w c"]) -> Float[Array, "h w c"]:
        height, width, channels = x.shape
        kernel = self.param("kernel", nn.initializers.lecun_normal(), (3, 3, 1, channels))
        bias = self.param("bias", nn.initializers.zeros, (channels,)).astype(x.dtype)
        kernel, padded = kernel.astype(x.dtype), jnp.pad(x, ((1, 1), (1, 1), (0, 0)))
        shifted = (
            padded[i : i + height, j : j + width] * kernel[i, j, 0]
            for i in range(3)
            for j in range(3)
        )
        return sum(shifted, start=bias)
