"""A transformer on patches: one resolution, every position sees every other.

The blocks are equal, so one is compiled and scanned over their stacked weights: a deeper network compiles no longer.
Positions are rotary, relative and without a table, so that any size of image goes through the same weights.
"""

from __future__ import annotations

import dataclasses

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array

from jaxir.networks.layers import NoiseEmbedding, fold, unfold
from jaxir.networks.network import LinenNetwork
from jaxir.networks.rotary import attend


@dataclasses.dataclass(frozen=True)
class DiT(LinenNetwork):
    """Transformer blocks on patches, modulated by the noise level through their norms.

    Attention sees the whole image, so the result depends on its size, and its cost grows with (H W / patch²)².

    Args:
        width: features of a patch.
        depth: blocks.
        heads: attention heads; `width` is a multiple of 4 heads.
        patch: side of a patch in pixels.
        expansion: features inside the perceptron of a block, in widths.

    The other fields are those of `LinenNetwork`. y meets the patches before the blocks.

    Source: [peebles2023dit] (adaLN-Zero); [su2024roformer], [heo2024rope] (positions).
    Differs from the paper: positions are rotary, the output is p alone, and the sum over blocks is float32 throughout.
    """

    width: int = 384
    depth: int = 12
    heads: int = 6
    patch: int = 8
    expansion: int = 4

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.width % (4 * self.heads):
            raise ValueError(
                f"width is {self.width}, expected a multiple of 4 · heads = {4 * self.heads}: "
                "rotary positions turn pairs of features in two directions"
            )

    @property
    def stride(self) -> int:
        """Pixels between two patches."""
        return self.patch

    def module(self) -> nn.Module:
        """The layers."""
        return _DiT(self)


class DiTBlock(nn.Module):
    """h + α₁ · attention(norm(h)), then + α₂ · perceptron(norm(h)); scale, shift and α of both from the embedding.

    All six start at zero, so a new block is the identity. h is float32, what is added to it is computed in `dtype`.
    """

    config: DiT

    @nn.compact
    def __call__(self, h: Array, embedding: Array) -> tuple[Array, None]:
        """Map (H, W, width) to the same, and nothing to stack."""
        c = self.config

        def dense(features: int) -> nn.Dense:
            return nn.Dense(features, dtype=jnp.dtype(c.dtype))

        modulation = nn.Dense(6 * c.width, kernel_init=nn.initializers.zeros)(embedding)
        scale, shift, gate, scale_feed, shift_feed, gate_feed = jnp.split(modulation, 6)
        qkv = dense(3 * c.width)(_modulated(h, scale, shift))
        heads = jnp.split(qkv.reshape(*h.shape[:2], 3 * c.heads, -1), 3, axis=2)
        h += gate * dense(c.width)(attend(*heads))
        inner = nn.gelu(dense(c.expansion * c.width)(_modulated(h, scale_feed, shift_feed)))
        return h + gate_feed * dense(c.width)(inner), None


class _DiT(nn.Module):
    """The Linen module behind `DiT`, on images whose sides are multiples of the patch."""

    config: DiT

    @nn.compact
    def __call__(self, x: Array, condition: Array, y: Array | None) -> Array:
        c = self.config
        embedding = c.entry.embedding(NoiseEmbedding(c.embedding)(condition), y)
        h = nn.Dense(c.width)(fold(c.entry.entrance(x, y), c.patch).astype(jnp.float32))
        h = c.entry.bottleneck(h, y)
        block = nn.remat(DiTBlock, prevent_cse=False) if c.remat else DiTBlock
        blocks = nn.scan(
            block,
            variable_axes={"params": 0},
            split_rngs={"params": True},
            in_axes=nn.broadcast,
            length=c.depth,
        )
        h, _ = blocks(c, name="blocks")(h, embedding)
        scale, shift = jnp.split(nn.Dense(2 * c.width)(embedding), 2)
        out = nn.Dense(c.out_channels * c.patch**2, kernel_init=nn.initializers.zeros)
        return unfold(out(_modulated(h, scale, shift)), c.patch)


def _modulated(h: Array, scale: Array, shift: Array) -> Array:
    return nn.LayerNorm(use_scale=False, use_bias=False)(h) * (1 + scale) + shift
