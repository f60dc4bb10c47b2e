"""An autoencoder whose decoder is shown features of the degraded image beside the latent.

A small latent cannot hold every detail of a photograph, but a degraded photograph still has most of them. So the
decoder takes two things: the latent, which is what a diffusion restores, and the features that the encoder found in the
degraded image on its way down. As a network of images it is x ↦ decode(latent of x, features of y).
"""

from __future__ import annotations

import dataclasses
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxir.networks.convolution import Conv
from jaxir.networks.layers import PixelNorm, fold, unfold
from jaxir.networks.network import count
from jaxir.typing import Image, Key, Params, Scalar

Hidden = tuple[Float[Array, "h w c"], ...]
"""Features of each level on the way down, finest first."""


@dataclasses.dataclass(frozen=True)
class Autoencoder:
    """Two pyramids of residual blocks, joined by a latent and, on each level, by features of another image.

    Args:
        widths: channels of each level, finest first; each level but the last halves the sides.
        blocks: residual blocks of each level, on each way.
        latent: channels of the latent.
        channels: of the images.

    Source: [luo2023refusion] (U-Net with hidden connections).
    """

    widths: tuple[int, ...] = (32, 64, 96)
    blocks: int = 1
    latent: int = 8
    channels: int = 3

    def __post_init__(self) -> None:
        if not self.widths or min(self.widths) < 1 or self.latent < 1:
            raise ValueError(
                f"widths is {self.widths} and latent {self.latent}, expected at least one level and one channel"
            )

    @property
    def out_channels(self) -> int:
        """Of the images."""
        return self.channels

    @property
    def stride(self) -> int:
        """Pixels between two positions of the latent."""
        return 2 ** (len(self.widths) - 1)

    @property
    def sees_y(self) -> bool:
        """True: the decoder does."""
        return True

    def init(self, key: Key) -> Params:
        """New parameters of both halves."""
        down, up = jax.random.split(key)
        x = jnp.zeros((self.stride, self.stride, self.channels))
        encoder = jax.jit(_Encoder(self).init)(down, x)["params"]
        latent, hidden = jax.eval_shape(_Encoder(self).apply, {"params": encoder}, x)
        like = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape), (latent, hidden))
        return {"encoder": encoder, "decoder": jax.jit(_Decoder(self).init)(up, *like)["params"]}

    def encode(self, params: Params, x: Image) -> tuple[Image, Hidden]:
        """The latent of an image and its features; the stride divides its sides."""
        found: Any = _Encoder(self).apply({"params": params["encoder"]}, x)
        return found

    def decode(self, params: Params, z: Image, hidden: Hidden) -> Image:
        """The image of a latent, with the features of the degraded image."""
        return jnp.asarray(_Decoder(self).apply({"params": params["decoder"]}, z, hidden))

    def apply(self, params: Params, x: Image, condition: Scalar, y: Image | None = None) -> Image:
        """x again, from its latent and the features of y; `condition` is not looked at. Any size, by mirroring."""
        height, width, _ = x.shape
        padding = [(0, -height % self.stride), (0, -width % self.stride), (0, 0)]
        mode = "reflect" if min(height, width) > 1 else "edge"
        x_, y_ = (jnp.pad(image, padding, mode=mode) for image in (x, y))
        latent, _ = self.encode(params, x_)
        _, hidden = self.encode(params, y_)
        return self.decode(params, latent, hidden)[:height, :width]

    def size(self) -> int:
        """Number of parameters."""
        return count(self.init)


class _Block(nn.Module):
    """x + conv(silu(conv(silu(norm(x))))), the identity at first."""

    @nn.compact
    def __call__(self, x: Array) -> Array:
        width = x.shape[-1]
        return x + Conv(width, zero=True)(nn.silu(Conv(width)(nn.silu(PixelNorm()(x)))))


class _Encoder(nn.Module):
    """Image to latent and features."""

    config: Autoencoder

    @nn.compact
    def __call__(self, x: Array) -> tuple[Array, Hidden]:
        h, hidden = Conv(self.config.widths[0])(x), []
        for level, width in enumerate(self.config.widths):
            if level:
                h = nn.Dense(width)(fold(h, 2))
            for _ in range(self.config.blocks):
                h = _Block()(h)
            hidden.append(h)
        return Conv(self.config.latent)(h), tuple(hidden)


class _Decoder(nn.Module):
    """Latent and features to image."""

    config: Autoencoder

    @nn.compact
    def __call__(self, z: Array, hidden: Hidden) -> Array:
        levels = list(zip(self.config.widths, hidden, strict=True))
        h = Conv(self.config.widths[-1])(z)
        for level, (width, features) in reversed(list(enumerate(levels))):
            h = nn.Dense(width)(jnp.concatenate([h, features], axis=-1))
            for _ in range(self.config.blocks):
                h = _Block()(h)
            if level:
                h = unfold(nn.Dense(4 * self.config.widths[level - 1])(h), 2)
        return Conv(self.config.channels)(h)
