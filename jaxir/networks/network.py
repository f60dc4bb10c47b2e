"""What a network is to the rest of jaxir, and what all of ours have in common.

`Network` is all that training and sampling ask for; anything with these members is one. `LinenNetwork` is what
does not depend on the architecture: it pads an image to sides that the layers can halve, hands over the degraded image
where there is one, and gives back the size that came. An architecture is then fields, a stride and a module.
"""

from __future__ import annotations

import abc
import dataclasses
from math import prod
from typing import Protocol, runtime_checkable

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxir.networks.conditioning import ABSENT, Conditioning
from jaxir.typing import Image, Key, Params, Scalar


@runtime_checkable
class Network(Protocol):
    """An image and a number to an image, with weights: p = apply(params, x, condition[, y]).

    A network is hashable, and equal networks have equal fields; weights are a plain pytree and always an argument.
    """

    @property
    def out_channels(self) -> int:
        """Channels of the output."""

    @property
    def stride(self) -> int:
        """Pixels between two positions of the coarsest level."""

    @property
    def sees_y(self) -> bool:
        """Whether `apply` takes y, an image of the size of x."""

    def init(self, key: Key) -> Params:
        """New parameters, float32."""

    def apply(self, params: Params, x: Image, condition: Scalar, y: Image | None = None) -> Image:
        """The output for one image of any size, in the dtype of `x`."""

    def size(self) -> int:
        """Number of parameters."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class LinenNetwork(abc.ABC):
    """The fields that every architecture here has, and a `Network` made of a Linen module.

    Args:
        in_channels: channels of x.
        out_channels: channels of the output.
        conditioning: how y enters; None for a network that does not see it.
        embedding: features of the noise-level embedding.
        dtype: dtype of the large layers, "float32" or "bfloat16"; parameters, norms and softmax stay float32.
        remat: compute each block again in the backward pass instead of keeping what it held. Parameters are the same.
    """

    in_channels: int = 3
    out_channels: int = 3
    conditioning: Conditioning | None = None
    embedding: int = 128
    dtype: str = "float32"
    remat: bool = False

    def __post_init__(self) -> None:
        if self.dtype not in ("float32", "bfloat16"):
            raise ValueError(f"dtype is {self.dtype!r}, expected 'float32' or 'bfloat16'")

    @property
    @abc.abstractmethod
    def stride(self) -> int:
        """Pixels between two positions of the coarsest level; the module gets sides that are multiples of it."""

    @abc.abstractmethod
    def module(self) -> nn.Module:
        """What maps (x, condition, y) to the output; its `y` is None where `conditioning` is."""

    @property
    def sees_y(self) -> bool:
        """Whether `apply` takes y."""
        return self.conditioning is not None

    @property
    def entry(self) -> Conditioning:
        """`conditioning`, or the part that lets nothing in."""
        return ABSENT if self.conditioning is None else self.conditioning

    def init(self, key: Key) -> Params:
        """New parameters, float32."""
        x = jnp.zeros((self.stride, self.stride, self.in_channels))
        y = jnp.zeros((*x.shape[:2], self.entry.channels)) if self.sees_y else None
        return jax.jit(self.module().init)(key, x, jnp.zeros(()), y)["params"]

    def apply(self, params: Params, x: Image, condition: Scalar, y: Image | None = None) -> Image:
        """The output for one image of any size, in the dtype of `x`.

        Args:
            params: what `init` returned, or trained weights.
            x: (H, W, in_channels), of variance about 1.
            condition: the noise level as a number of order 1.
            y: the degraded image, (H, W, conditioning.channels), if the network sees it.

        Raises:
            ValueError: if `x` or `y` has another shape, or `y` is missing or too many.
        """
        if x.ndim != 3 or x.shape[-1] != self.in_channels:
            raise ValueError(
                f"x has shape {x.shape}, expected (height, width, {self.in_channels}): "
                "one image at a time, jax.vmap makes batches"
            )
        expected = (*x.shape[:2], self.entry.channels) if self.sees_y else None
        if (came := None if y is None else y.shape) != expected:
            raise ValueError(
                f"y has shape {came}, expected {expected}: a network with conditioning takes the degraded "
                "image in the size of x, one without takes none"
            )
        height, width, _ = x.shape
        padding = [(0, -height % self.stride), (0, -width % self.stride), (0, 0)]
        mode = "reflect" if min(height, width) > 1 else "edge"
        x_, y_ = jax.tree.map(lambda image: jnp.pad(image, padding, mode=mode), (x, y))
        condition = jnp.asarray(condition, jnp.float32)
        out = jnp.asarray(self.module().apply({"params": params}, x_, condition, y_))
        return out[:height, :width].astype(x.dtype)

    def size(self) -> int:
        """Number of parameters."""
        shapes = jax.eval_shape(self.init, jax.random.key(0))
        return sum(prod(leaf.shape) for leaf in jax.tree.leaves(shapes))
