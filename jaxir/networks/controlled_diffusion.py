"""ControlNet as published: a copy of the way down of a latent diffusion U-Net that sees an image of full size."""

from __future__ import annotations

import dataclasses
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array

from jaxir.networks.convolution import Conv
from jaxir.networks.diffusion_unet import DiffusionUNet
from jaxir.networks.network import count
from jaxir.typing import Image, Key, Params, Scalar


@dataclasses.dataclass(frozen=True)
class ControlledDiffusion:
    """up(h_l + Z_l c_l), h = down(x) of the base and c = down′(x + seen(y)) of a copy, Z_l 1×1 convolutions.

    y is (tokens, image): what the base is told, and an image `factor` times the size of x, in [0, 1]. A prompt that
    stays the same is bound by a function of y before the denoiser. All of params["zero"] times s is how much the copy
    is heard.

    Args:
        base: the trained network, with `Tokens`.
        widths: channels of the convolutions that see the image; each after the first halves its sides.
        channels: of the image.

    Source: [zhang2023controlnet].
    """

    base: DiffusionUNet
    widths: tuple[int, ...] = (16, 32, 96, 256)
    channels: int = 3

    @property
    def factor(self) -> int:
        """Sides of the image over those of x."""
        return 2 ** (len(self.widths) - 1)

    @property
    def out_channels(self) -> int:
        """Of the base."""
        return self.base.out_channels

    @property
    def stride(self) -> int:
        """Of the base."""
        return self.base.stride

    @property
    def sees_y(self) -> bool:
        """True."""
        return True

    def init(self, key: Key) -> Params:
        """New parameters, of the base too; the copy begins with its weights, and Z at zero."""
        base = self.base.init(key)
        side = self.factor * self.stride
        seen = _Seen(self).init(key, jnp.zeros((side, side, self.channels)))["params"]
        copied = {name: value for name, value in base.items() if not name.startswith(("up", "out"))}
        passage = jax.eval_shape(self.base.descend, base, *self._like())
        widths = [h.shape[-1] for h in (*passage.skips, passage.middle)]
        zero = {
            f"zero_{i}": {"kernel": jnp.zeros((width, width)), "bias": jnp.zeros(width)}
            for i, width in enumerate(widths)
        }
        return {"base": base, "control": jax.tree.map(jnp.copy, copied), "seen": seen, "zero": zero}

    def apply(self, params: Params, x: Image, condition: Scalar, y: Any = None) -> Image:
        """The output for one x of any size.

        Raises:
            ValueError: if y is not (tokens, image) with an image of `factor` times the size of x.
        """
        expected = (x.shape[0] * self.factor, x.shape[1] * self.factor, self.channels)
        if not isinstance(y, tuple) or len(y) != 2 or y[1].shape != expected:
            raise ValueError(
                f"y is {jax.tree.map(jnp.shape, y)}, expected (tokens, image) with an image of shape {expected}"
            )
        tokens, image = y
        seen: Any = _Seen(self).apply({"params": params["seen"]}, image)
        heard = self.base.descend(params["control"], x, condition, tokens, seen)
        own = self.base.descend(params["base"], x, condition, tokens)
        joined = []
        for i, (h, c) in enumerate(
            zip((*own.skips, own.middle), (*heard.skips, heard.middle), strict=True)
        ):
            layer = params["zero"][f"zero_{i}"]
            joined.append(h + (c @ layer["kernel"] + layer["bias"]).astype(h.dtype))
        passage = own._replace(skips=tuple(joined[:-1]), middle=joined[-1])
        return self.base.ascend(params["base"], passage, tokens).astype(x.dtype)

    def size(self) -> int:
        """Number of parameters, the base's among them."""
        return count(self.init)

    def _like(self) -> tuple[Array, Array, Array]:
        x = jnp.zeros((self.stride, self.stride, self.base.in_channels))
        return x, jnp.zeros(()), jnp.zeros(self.base.entry.shape((self.stride, self.stride)))


class _Seen(nn.Module):
    """The image at the size of x: a convolution, then for each width one that keeps the sides and one that halves."""

    config: ControlledDiffusion

    @nn.compact
    def __call__(self, y: Array) -> Array:
        first, *rest = self.config.widths
        h = nn.silu(Conv(first, name="in")(y))
        for i, (before, width) in enumerate(zip(self.config.widths, rest, strict=False)):
            h = nn.silu(Conv(before, name=f"level_{i}")(h))
            halving = nn.Conv(width, (3, 3), (2, 2), [(1, 1)] * 2, name=f"halving_{i}")
            h = nn.silu(halving(h))
        base = self.config.base
        return Conv(base.channels(base.entrance), zero=True, name="out")(h)
