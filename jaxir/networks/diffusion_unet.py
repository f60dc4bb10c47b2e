"""The U-Net of DDPM and of what came from it: DDPM++, NCSN++, ADM, latent diffusion.

They are one architecture. A stack of residual blocks goes down through the resolutions and up again, every block on the
way up is shown what one on the way down gave, and some resolutions have attention. What differs are the fields: the
embedding of the noise level, how blocks take it in, how sides are halved, how sums are scaled, and whether the image
itself comes down (or goes up) beside the features. `UNet` is jaxir's own, for any size on a CPU; this one is for
published weights and for what is compared with them.
"""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxir.networks.blocks import (
    Norm,
    Resampling,
    ResBlock,
    SelfAttention,
    StridedConv,
    enlarged,
)
from jaxir.networks.conditioning import Labels, Tokens
from jaxir.networks.convolution import Conv
from jaxir.networks.embedding import Sinusoids, Waves
from jaxir.networks.network import LinenNetwork
from jaxir.networks.pyramid import Pyramid
from jaxir.networks.token_attention import TokenTransformer
from jaxir.typing import Image, Params, Scalar


class Passage(NamedTuple):
    """What the way up is given.

    Attributes:
        skips: features of the way down, of the first convolution first.
        middle: features of the coarsest level after its own blocks.
        vector: what the noise level says to every block.
    """

    skips: tuple[Float[Array, "h w c"], ...]
    middle: Float[Array, "h w c"]
    vector: Float[Array, " d"]


@dataclasses.dataclass(frozen=True)
class DiffusionUNet(LinenNetwork):
    """Residual blocks and attention on a pyramid, with the features of the way down beside those of the way up.

    Args:
        width: unit of channels.
        multipliers: channels of each level in units of `width`, finest first.
        entrance: channels of the first convolution in units of `width`.
        blocks: residual blocks of a level on the way down; the way up has one more.
        attention: whether the blocks of each level are followed by attention.
        attention_up_once: on the way up, only the last block of a level is.
        middle_attention: whether the coarsest level has attention between its two further blocks.
        heads: of an attention, of all or of each level; None where `head_width` tells.
        head_width: channels of a head; None where `heads` tells.
        heads_up: of an attention on the way up, where `heads` is one number; None for as many as on the way down.
        waves: the features of the noise level before its two dense layers.
        modulated: whether the noise level scales and shifts inside a block, or is added.
        resampling: how residual blocks of their own change the sides; None for a strided convolution on the way down
            and a convolution of the doubled features on the way up.
        blocks_resample: whether sides change inside a residual block, or (`Nearest` alone) between blocks.
        down_padding: zeros before and after each side at a strided convolution.
        projected: whether a block that changes sides has a 1×1 convolution beside it.
        norm: the group norm.
        attention_norm: that of attention; None for `norm`.
        token_depth: blocks of the transformer in place of attention where `conditioning` is `Tokens`; 0 elsewhere.
        scale: of every sum of a block and of attention.
        conditioning_first: whether what conditions the embedding meets the waves, before the dense layers.
        pyramid_in: how the noisy image comes down beside the features; None if it does not.
        pyramid_out: whether every level adds to the output, which goes up beside the features.

    The other fields are those of `LinenNetwork`; `embedding` is four times `width` in most published networks. Images
    of any size go in without padding where sides are halved by convolutions and y is no image.

    Source: [ho2020ddpm]; [song2021score] (DDPM++, NCSN++); [dhariwal2021adm]; [rombach2022ldm].
    """

    width: int = 128
    multipliers: tuple[float, ...] = (1, 2, 2, 2)
    entrance: float = 1
    blocks: int = 2
    attention: tuple[bool, ...] = (False, True, False, False)
    attention_up_once: bool = False
    middle_attention: bool = True
    heads: int | tuple[int, ...] | None = 1
    head_width: int | None = None
    heads_up: int | None = None
    waves: Waves = Sinusoids()
    embedding: int = 512
    modulated: bool = False
    resampling: Resampling | None = None
    blocks_resample: bool = True
    down_padding: tuple[int, int] = (1, 1)
    projected: bool = False
    norm: Norm = Norm()
    attention_norm: Norm | None = None
    token_depth: int = 0
    scale: float = 1.0
    conditioning_first: bool = False
    pyramid_in: Pyramid | None = None
    pyramid_out: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.attention) != len(self.multipliers):
            raise ValueError(
                f"attention has {len(self.attention)} entries but multipliers {len(self.multipliers)}: "
                "say of each level whether it has attention"
            )
        if (self.heads is None) == (self.head_width is None):
            raise ValueError(
                f"heads is {self.heads} and head_width {self.head_width}: give one of the two"
            )
        if bool(self.token_depth) != isinstance(self.conditioning, Tokens):
            raise ValueError(
                f"token_depth is {self.token_depth} and conditioning {self.conditioning}: a transformer needs Tokens, "
                "and Tokens a transformer"
            )
        if (self.pyramid_in or self.pyramid_out) and self.resampling is None:
            raise ValueError("an image beside the features needs a resampling, got None")

    @property
    def stride(self) -> int:
        """Pixels between two positions of the coarsest level."""
        return 2 ** (len(self.multipliers) - 1)

    @property
    def multiple(self) -> int:
        """1, nothing is padded, where sides are halved by convolutions that count the last of an odd number in."""
        any_side = self.resampling is None and self.down_padding == (1, 1)
        elsewhere = isinstance(self.conditioning, Labels | Tokens | None)
        return 1 if any_side and elsewhere else self.stride

    def module(self) -> nn.Module:
        """The layers."""
        return _DiffusionUNet(self)

    def descend(
        self,
        params: Params,
        x: Image,
        condition: Scalar,
        y: Array | None = None,
        added: Array | None = None,
    ) -> Passage:
        """The way down, of all parameters or of its own; `added` joins what the first convolution gives.

        Raises:
            ValueError: as `apply`.
        """
        inputs = self.inputs(x, condition, y)
        found: Any = _Down(self).apply({"params": params}, *inputs, added)
        return found

    def ascend(self, params: Params, passage: Passage, y: Array | None = None) -> Image:
        """The way up: `apply` is this of `descend`."""
        return jnp.asarray(_Up(self).apply({"params": params}, passage, y))

    def channels(self, multiplier: float) -> int:
        """Channels of so many units."""
        return int(self.width * multiplier)

    def heads_of(self, level: int, up: bool = False) -> int:
        """Heads of an attention on a level, on the way down or up."""
        if self.heads is None:
            return self.channels(self.multipliers[level]) // self.head_width
        if isinstance(self.heads, tuple):
            return self.heads[level]
        return self.heads_up if up and self.heads_up else self.heads


class _DiffusionUNet(nn.Module):
    """The Linen module behind `DiffusionUNet`."""

    config: DiffusionUNet

    def setup(self) -> None:
        self.down, self.up = _Down(self.config), _Up(self.config)
        for part in (self.down, self.up):  # the two keep their parameters side by side
            nn.share_scope(self, part)

    def __call__(self, x: Array, condition: Array, y: Array | None) -> Array:
        return self.up(self.down(x, condition, y), y)


class _Down(nn.Module):
    """From the image through the coarsest level."""

    config: DiffusionUNet

    @nn.compact
    def __call__(
        self, x: Array, condition: Array, y: Array | None, added: Array | None = None
    ) -> Passage:
        c = self.config
        waves = c.waves.of(condition, name="waves")
        if c.conditioning_first:
            waves = c.entry.embedding(waves, y)
        vector = nn.Dense(c.embedding, name="embedding_0")(waves)
        vector = nn.Dense(c.embedding, name="embedding_1")(nn.silu(vector))
        if not c.conditioning_first:
            vector = c.entry.embedding(vector, y)
        layers = _Layers(c, nn.silu(vector), y)
        image = c.entry.entrance(x, y).astype(layers.dtype)
        h = Conv(c.channels(c.entrance), dtype=layers.dtype, name="entrance")(image)
        h = h if added is None else h + added.astype(h.dtype)
        skips = [h]
        for level in range(len(c.multipliers)):
            if level:
                h = layers.halved(h, f"down_{level}_resample")
                if c.pyramid_in is not None:
                    h, image = c.pyramid_in.meet(h, image, c.resampling, f"down_{level}_pyramid")
                skips.append(h)
            for i in range(c.blocks):
                h = layers.block(h, c.channels(c.multipliers[level]), f"down_{level}_{i}")
                if c.attention[level]:
                    h = layers.attend(h, level, f"down_{level}_{i}_attention")
                skips.append(h)
        h = layers.block(h, h.shape[-1], "middle_0")
        if c.middle_attention:
            h = layers.attend(h, len(c.multipliers) - 1, "middle_attention")
        h = layers.block(h, h.shape[-1], "middle_1")
        return Passage(tuple(skips), c.entry.bottleneck(h, y), layers.vector)


class _Up(nn.Module):
    """From the coarsest level to the output."""

    config: DiffusionUNet

    @nn.compact
    def __call__(self, passage: Passage, y: Array | None) -> Array:
        c, skips, h, out = self.config, list(passage.skips), passage.middle, None
        layers = _Layers(c, passage.vector, y)
        for level in reversed(range(len(c.multipliers))):
            for i in range(c.blocks + 1):
                h = jnp.concatenate([h, skips.pop()], axis=-1)
                h = layers.block(h, c.channels(c.multipliers[level]), f"up_{level}_{i}")
                if c.attention[level] and (i == c.blocks or not c.attention_up_once):
                    h = layers.attend(h, level, f"up_{level}_{i}_attention", up=True)
            if c.pyramid_out or not level:
                answer = nn.silu(c.norm(h, f"out_{level}_norm")).astype(jnp.float32)
                answer = Conv(c.out_channels, zero=True, name=f"out_{level}")(answer)
                out = (
                    answer
                    if out is None
                    else answer + c.resampling.up(out, (len(answer), answer.shape[1]))
                )
            if level:
                h = layers.doubled(h, skips[-1].shape, f"up_{level}_resample")
        return out


class _Layers:
    """What both ways are made of, inside the module that calls it."""

    def __init__(self, config: DiffusionUNet, vector: Array, y: Array | None) -> None:
        self.config, self.vector, self.y = config, vector, y
        self.dtype = jnp.dtype(config.dtype)
        self.kind = nn.remat(ResBlock, static_argnums=(3, 4)) if config.remat else ResBlock

    def block(
        self,
        h: Array,
        width: int,
        name: str,
        resample: Resampling | None = None,
        size: tuple[int, int] | None = None,
    ) -> Array:
        c = self.config
        layer = self.kind(width, c.norm, c.modulated, c.scale, c.projected, self.dtype, name=name)
        return layer(h, self.vector, resample, size)

    def attend(self, h: Array, level: int, name: str, up: bool = False) -> Array:
        c = self.config
        heads, norm = c.heads_of(level, up), c.attention_norm or c.norm
        again = nn.remat if c.remat else lambda kind: kind
        if c.token_depth:
            layer = again(TokenTransformer)(heads, c.token_depth, norm, self.dtype, name=name)
            return layer(h, self.y)
        return again(SelfAttention)(heads, norm, c.scale, self.dtype, name=name)(h)

    def halved(self, h: Array, name: str) -> Array:
        c = self.config
        if c.resampling is None:
            return StridedConv(h.shape[-1], c.down_padding, self.dtype, name=name)(h)
        if not c.blocks_resample:
            return c.resampling.down(h)
        return self.block(h, h.shape[-1], name, c.resampling)

    def doubled(self, h: Array, like: tuple[int, ...], name: str) -> Array:
        c, size = self.config, (like[0], like[1])
        if c.resampling is None:
            return Conv(h.shape[-1], dtype=self.dtype, name=name)(enlarged(h, size))
        if not c.blocks_resample:
            return c.resampling.up(h, size)
        return self.block(h, h.shape[-1], name, c.resampling, size)
