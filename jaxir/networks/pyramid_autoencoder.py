"""The autoencoders of latent diffusion: two pyramids of residual blocks, between them a Gaussian or a codebook.

Both have one encoder and one decoder; what differs is what lies between. With a KL penalty the encoder gives the mean
and the variance of a latent. With a codebook each position of a latent is replaced by the nearest of its vectors, which
belongs to the decoder: a prior is trained on latents as they come from the encoder. The gradient goes through the
replacement as if it were not there, so that guidance through the decoder can move a latent from one vector to another.

Their group norms and their attention look at the whole image, so the code of a crop is not quite a crop of the code.
"""

from __future__ import annotations

import abc
import dataclasses

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxir.networks.blocks import Norm, ResBlock, SelfAttention, StridedConv, enlarged
from jaxir.networks.convolution import Conv
from jaxir.networks.latent_network import Code, LatentNetwork
from jaxir.typing import Image, Key, Params


@dataclasses.dataclass(frozen=True, kw_only=True)
class PyramidAutoencoder(LatentNetwork):
    """The fields that both have, and the pyramids.

    Args:
        channels: of the images.
        latent: channels of the latents.
        widths: channels of each level, finest first; each level but the last halves the sides.
        blocks: residual blocks of each level in the encoder; the decoder has one more.
        attention: levels with attention after each block, 0 the finest.
        middle_attention: whether the coarsest level has attention between its two last blocks.
        groups: of the norms.
        epsilon: of the norms.
    """

    channels: int = 3
    latent: int = 4
    widths: tuple[int, ...] = (128, 256, 512, 512)
    blocks: int = 2
    attention: tuple[int, ...] = ()
    middle_attention: bool = True
    groups: int = 32
    epsilon: float = 1e-6

    def __post_init__(self) -> None:
        if not self.widths or min(self.widths) < 1 or self.latent < 1:
            raise ValueError(
                f"widths is {self.widths} and latent {self.latent}, expected at least one level and one channel"
            )
        if any(width > self.groups and width % self.groups for width in self.widths):
            raise ValueError(
                f"widths is {self.widths}, expected multiples of groups = {self.groups}"
            )

    @property
    def stride(self) -> int:
        """2^(levels − 1)."""
        return 2 ** (len(self.widths) - 1)

    @property
    def norm(self) -> Norm:
        """Of all blocks."""
        return Norm(self.groups, epsilon=self.epsilon)

    @abc.abstractmethod
    def encoder(self) -> nn.Module:
        """From the image to what the code is made of."""

    @abc.abstractmethod
    def decoder(self) -> nn.Module:
        """From the latent, or its replacement, to the image."""

    def init(self, key: Key) -> Params:
        """New parameters of both halves."""
        down, up = jax.random.split(key)
        x = jnp.zeros((self.stride, self.stride, self.channels))
        z = jnp.zeros((1, 1, self.latent))
        return {
            "encoder": jax.jit(self.encoder().init)(down, x)["params"],
            "decoder": jax.jit(self.decoder().init)(up, z)["params"],
        }


@dataclasses.dataclass(frozen=True, kw_only=True)
class KLAutoencoder(PyramidAutoencoder):
    """z ~ N(μ(x), σ(x)²) and x ≈ D(z), with the pyramids of `PyramidAutoencoder`.

    Args:
        quant: whether a 1×1 convolution follows the encoder.
        post_quant: whether one precedes the decoder.

    Source: [rombach2022ldm].
    """

    quant: bool = True
    post_quant: bool = True

    def encoder(self) -> nn.Module:
        """To the mean and the log variance."""
        return _Encoder(self, 2 * self.latent, 2 * self.latent if self.quant else None)

    def decoder(self) -> nn.Module:
        """From the latent."""
        return _Decoder(self, self.latent if self.post_quant else None)

    def encode(self, params: Params, x: Image) -> Code:
        """μ(x), and σ(x) from a log variance between −30 and 20."""
        moments = jnp.asarray(self.encoder().apply({"params": params["encoder"]}, x))
        mean, log_variance = jnp.split(moments.astype(x.dtype), 2, axis=-1)
        return Code(mean, jnp.exp(jnp.clip(log_variance, -30, 20) / 2))

    def decode(self, params: Params, z: Image) -> Image:
        """D(z)."""
        return jnp.asarray(self.decoder().apply({"params": params["decoder"]}, z)).astype(z.dtype)


@dataclasses.dataclass(frozen=True, kw_only=True)
class VQAutoencoder(PyramidAutoencoder):
    """z = E(x) and x ≈ D(q(z)), where q replaces the vector at each position by the nearest of a codebook.

    Args:
        latent: entries of a vector of the codebook, and channels of z.
        codes: vectors in the codebook.
        inner: channels between the pyramids and the 1×1 convolutions around z; `latent` where None.

    Source: [oord2017vqvae]; [esser2021taming] for the pyramids, without their patch discriminator.
    """

    codes: int = 256
    inner: int | None = None

    def encoder(self) -> nn.Module:
        """To the latent."""
        return _Encoder(self, self._inner, self.latent)

    def decoder(self) -> nn.Module:
        """From vectors of the codebook."""
        return _Decoder(self, self._inner)

    @property
    def _inner(self) -> int:
        return self.latent if self.inner is None else self.inner

    def init(self, key: Key) -> Params:
        """New parameters; vectors uniform within ±1/codes, so that none is far from all latents."""
        key, draw = jax.random.split(key)
        shape, end = (self.codes, self.latent), 1 / self.codes
        codebook = jax.random.uniform(draw, shape, minval=-end, maxval=end)
        return {**super().init(key), "codebook": codebook}

    def encode(self, params: Params, x: Image) -> Code:
        """E(x), not yet replaced."""
        z = jnp.asarray(self.encoder().apply({"params": params["encoder"]}, x))
        return Code(z.astype(x.dtype), 0.0)

    def quantise(self, params: Params, z: Image) -> tuple[Float[Array, "h w c"], Int[Array, "h w"]]:
        """q(z), and which vector of the codebook is at each position."""
        codebook = jnp.asarray(params["codebook"], z.dtype)
        with jax.default_matmul_precision("highest"):
            # |z − e|² without |z|², which all vectors share
            distances = jnp.sum(codebook**2, axis=1) - 2 * z @ codebook.T
        indices = jnp.argmin(distances, axis=-1)
        return codebook[indices], indices

    def decode(self, params: Params, z: Image) -> Image:
        """D(q(z)), with the gradient of D at q(z) as that at z."""
        replaced = jax.lax.stop_gradient(self.quantise(params, z)[0])
        straight = replaced + (z - jax.lax.stop_gradient(z))
        x = jnp.asarray(self.decoder().apply({"params": params["decoder"]}, straight))
        return x.astype(z.dtype)


class _Middle(nn.Module):
    """Two blocks, with attention between them."""

    config: PyramidAutoencoder

    @nn.compact
    def __call__(self, x: Array) -> Array:
        width, norm = x.shape[-1], self.config.norm
        h = ResBlock(width, norm, name="block_0")(x)
        if self.config.middle_attention:
            h = SelfAttention(norm=norm, name="attention")(h)
        return ResBlock(width, norm, name="block_1")(h)


class _Level(nn.Module):
    """The blocks of one level."""

    config: PyramidAutoencoder
    level: int
    blocks: int

    @nn.compact
    def __call__(self, x: Array) -> Array:
        width, norm = self.config.widths[self.level], self.config.norm
        for block in range(self.blocks):
            x = ResBlock(width, norm, name=f"block_{block}")(x)
            if self.level in self.config.attention:
                x = SelfAttention(norm=norm, name=f"attention_{block}")(x)
        return x


class _Encoder(nn.Module):
    """Image to `out` channels, or by a 1×1 convolution to `quant`."""

    config: PyramidAutoencoder
    out: int
    quant: int | None

    @nn.compact
    def __call__(self, x: Array) -> Array:
        widths = self.config.widths
        h = Conv(widths[0], name="conv_in")(x)
        for level, width in enumerate(widths):
            h = _Level(self.config, level, self.config.blocks, name=f"level_{level}")(h)
            if level < len(widths) - 1:
                h = StridedConv(width, (0, 1), name=f"down_{level}")(h)
        h = nn.silu(self.config.norm(_Middle(self.config, name="middle")(h), "norm_out"))
        h = Conv(self.out, name="conv_out")(h)
        return h if self.quant is None else nn.Dense(self.quant, name="quant")(h)


class _Decoder(nn.Module):
    """Latent, first brought to `post_quant` channels by a 1×1 convolution, to image."""

    config: PyramidAutoencoder
    post_quant: int | None

    @nn.compact
    def __call__(self, z: Array) -> Array:
        widths = self.config.widths
        if self.post_quant is not None:
            z = nn.Dense(self.post_quant, name="post_quant")(z)
        h = _Middle(self.config, name="middle")(Conv(widths[-1], name="conv_in")(z))
        for level, width in reversed(list(enumerate(widths))):
            h = _Level(self.config, level, self.config.blocks + 1, name=f"level_{level}")(h)
            if level:
                h = Conv(width, name=f"up_{level}")(enlarged(h, (2 * h.shape[0], 2 * h.shape[1])))
        h = nn.silu(self.config.norm(h, "norm_out"))
        return Conv(self.config.channels, name="conv_out")(h)
