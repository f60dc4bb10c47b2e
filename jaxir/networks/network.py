"""What a network is to the rest of jaxir, and what all of ours have in common.

`Network` is all that training and sampling ask for; anything with these members is one. `LinenNetwork` is what
does not depend on the architecture: it pads an image to sides that the layers can halve, hands over the degraded image
where there is one, and gives back the size that came. An architecture is then fields, a stride and a module.
"""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Callable
from math import prod
from typing import Protocol, runtime_checkable

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxir.networks.conditioning import ABSENT, Conditioning
from jaxir.networks.padding import Mirrored, Padding
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
        padding: what lies beyond the image where its sides are no multiples of what the layers can halve.
    """

    in_channels: int = 3
    out_channels: int = 3
    conditioning: Conditioning | None = None
    embedding: int = 128
    dtype: str = "float32"
    remat: bool = False
    padding: Padding = Mirrored()

    def __post_init__(self) -> None:
        if self.dtype not in ("float32", "bfloat16"):
            raise ValueError(f"dtype is {self.dtype!r}, expected 'float32' or 'bfloat16'")

    @property
    @abc.abstractmethod
    def stride(self) -> int:
        """Pixels between two positions of the coarsest level."""

    @property
    def multiple(self) -> int:
        """The module gets sides that are multiples of this: the stride, unless it takes any."""
        return self.stride

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
        y = jnp.zeros(self.entry.shape((self.stride, self.stride))) if self.sees_y else None
        return jax.jit(self.module().init)(key, x, jnp.zeros(()), y)["params"]

    def apply(self, params: Params, x: Image, condition: Scalar, y: Image | None = None) -> Image:
        """The output for one image of any size, in the dtype of `x`.

        Args:
            params: what `init` returned, or trained weights.
            x: (H, W, in_channels), of variance about 1.
            condition: the noise level as a number of order 1.
            y: what `conditioning` takes, if there is one: mostly the degraded image, (H, W, conditioning.channels).

        Raises:
            ValueError: if `x` or `y` has another shape, or `y` is missing or too many.
        """
        inputs = self.inputs(x, condition, y)
        out = jnp.asarray(self.module().apply({"params": params}, *inputs))
        return out[: x.shape[0], : x.shape[1]].astype(x.dtype)

    def inputs(
        self, x: Image, condition: Scalar, y: Image | None = None
    ) -> tuple[Image, Scalar, Image | None]:
        """What the module gets: x and y with sides that are multiples, and the condition in float32.

        Raises:
            ValueError: as `apply`.
        """
        if x.ndim != 3 or x.shape[-1] != self.in_channels:
            raise ValueError(
                f"x has shape {x.shape}, expected (height, width, {self.in_channels}): "
                "one image at a time, jax.vmap makes batches"
            )
        size, came = (x.shape[0], x.shape[1]), None if y is None else jnp.shape(y)
        fits = came is None if not self.sees_y else came is not None and self.entry.fits(came, size)
        if not fits:
            expected = self.entry.shape(size) if self.sees_y else None
            raise ValueError(
                f"y has shape {came}, expected {expected}: a network with conditioning takes the degraded "
                "image in the size of x, one without takes none"
            )
        height, width, _ = x.shape
        more = -height % self.multiple, -width % self.multiple
        x_ = self.padding(x, *more)
        y_ = y if y is None or jnp.ndim(y) < 3 else self.padding(y, *more)
        return x_, jnp.asarray(condition, jnp.float32), y_

    def size(self) -> int:
        """Number of parameters."""
        return count(self.init)


def count(init: Callable[[Key], Params]) -> int:
    """How many numbers the parameters are that `init` would draw."""
    shapes = jax.eval_shape(init, jax.random.key(0))
    return sum(prod(leaf.shape) for leaf in jax.tree.leaves(shapes))
