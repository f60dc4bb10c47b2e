"""A small autoencoder for latents that another defines: convolutions and ReLUs alone, no norms, no attention.

It sees a few dozen pixels around each place, so that the code of a crop is a crop of the code away from its edges, and
costs about a thirtieth of the network that it learnt from.
"""

from __future__ import annotations

import dataclasses

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array

from jaxir.networks.blocks import enlarged
from jaxir.networks.convolution import Conv
from jaxir.networks.latent_network import Code, LatentNetwork
from jaxir.typing import Image, Key, Params


@dataclasses.dataclass(frozen=True, kw_only=True)
class TinyAutoencoder(LatentNetwork):
    """z = E(x) and x ≈ D(3 tanh(z/3)), both of residual blocks of three convolutions.

    Args:
        channels: of the images.
        latent: channels of the latents.
        width: channels of all blocks.
        encoder: blocks of each level, finest first; each level but the first begins by halving the sides.
        decoder: blocks of each level, coarsest first; each level but the last ends by doubling the sides.

    Source: [bohan2023taesd].
    """

    channels: int = 3
    latent: int = 4
    width: int = 64
    encoder: tuple[int, ...] = (1, 3, 3, 3)
    decoder: tuple[int, ...] = (3, 3, 3, 1)

    def __post_init__(self) -> None:
        if not self.encoder or len(self.encoder) != len(self.decoder):
            raise ValueError(
                f"encoder is {self.encoder} and decoder {self.decoder}, expected numbers of blocks of equally many "
                "levels"
            )

    @property
    def stride(self) -> int:
        """2^(levels − 1)."""
        return 2 ** (len(self.encoder) - 1)

    def init(self, key: Key) -> Params:
        """New parameters of both halves."""
        down, up = jax.random.split(key)
        x = jnp.zeros((self.stride, self.stride, self.channels))
        z = jnp.zeros((1, 1, self.latent))
        return {
            "encoder": jax.jit(_Encoder(self).init)(down, x)["params"],
            "decoder": jax.jit(_Decoder(self).init)(up, z)["params"],
        }

    def encode(self, params: Params, x: Image) -> Code:
        """E(x)."""
        z = jnp.asarray(_Encoder(self).apply({"params": params["encoder"]}, x))
        return Code(z.astype(x.dtype), 0.0)

    def decode(self, params: Params, z: Image) -> Image:
        """D(3 tanh(z/3))."""
        return jnp.asarray(_Decoder(self).apply({"params": params["decoder"]}, z)).astype(z.dtype)


class _Block(nn.Module):
    """relu(x + conv(relu(conv(relu(conv(x))))))."""

    @nn.compact
    def __call__(self, x: Array) -> Array:
        width = x.shape[-1]
        h = nn.relu(Conv(width, name="conv_0")(x))
        h = nn.relu(Conv(width, name="conv_1")(h))
        return nn.relu(x + Conv(width, name="conv_2")(h))


class _Encoder(nn.Module):
    """Image in [-1, 1], seen in [0, 1], to latent."""

    config: TinyAutoencoder

    @nn.compact
    def __call__(self, x: Array) -> Array:
        width = self.config.width
        h = Conv(width, name="conv_in")((x + 1) / 2)
        for level, blocks in enumerate(self.config.encoder):
            if level:
                down = nn.Conv(
                    width, (3, 3), (2, 2), [(1, 1)] * 2, use_bias=False, name=f"down_{level}"
                )
                h = down(h)
            for block in range(blocks):
                h = _Block(name=f"level_{level}_block_{block}")(h)
        return Conv(self.config.latent, name="conv_out")(h)


class _Decoder(nn.Module):
    """Latent to image, made in [0, 1], in [-1, 1]."""

    config: TinyAutoencoder

    @nn.compact
    def __call__(self, z: Array) -> Array:
        width, last = self.config.width, len(self.config.decoder) - 1
        h = nn.relu(Conv(width, name="conv_in")(3 * jnp.tanh(z / 3)))
        for level, blocks in enumerate(self.config.decoder):
            for block in range(blocks):
                h = _Block(name=f"level_{level}_block_{block}")(h)
            if level < last:
                h = enlarged(h, (2 * h.shape[0], 2 * h.shape[1]))
                h = Conv(width, use_bias=False, name=f"up_{level}")(h)
        return 2 * Conv(self.config.channels, name="conv_out")(h) - 1
