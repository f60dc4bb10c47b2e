"""Weights that are stored in fewer bits than they are computed with.

How a kernel is stored is a value, a `Storage`; a network of stored weights is a `Network` like any other, whose
parameters are what is stored and which unpacks them where they are used. So files, denoisers and samplers need not know
of it, and the arithmetic is that of the network within: this makes files and memory smaller, not a step faster.
"""

from __future__ import annotations

import dataclasses
from typing import Protocol

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxir.networks.network import Network
from jaxir.typing import Image, Key, Params, Scalar


class Storage(Protocol):
    """A way to store a kernel in fewer bits."""

    def pack(self, kernel: Float[Array, "... d"]) -> dict[str, Array]:
        """What is stored; the last axis are the output's channels."""
        ...

    def unpack(self, stored: dict[str, Array]) -> Float[Array, "... d"]:
        """The kernel that it stands for, float32."""
        ...


@dataclasses.dataclass(frozen=True)
class Int8(Storage):
    """w ≈ s q with integers |q| ≤ 127 and s = max |w|/127 for each channel of the output: a quarter of the size.

    The error of a weight is at most s/2.

    Source: [krishnamoorthi2018quantizing] (symmetric, per channel).
    """

    def pack(self, kernel: Float[Array, "... d"]) -> dict[str, Array]:
        """{"int8": q, "scale": s}."""
        largest = jnp.max(jnp.abs(kernel), axis=tuple(range(kernel.ndim - 1)))
        scale = jnp.where(largest > 0, largest / 127, 1)
        return {"int8": jnp.round(kernel / scale).astype(jnp.int8), "scale": scale}

    def unpack(self, stored: dict[str, Array]) -> Float[Array, "... d"]:
        """s q."""
        return stored["int8"] * stored["scale"]


@dataclasses.dataclass(frozen=True)
class BFloat16(Storage):
    """w rounded to bfloat16, which has 8 significant bits: half of the size.

    Files know the sixteen bits as an integer, since NumPy has no bfloat16.
    """

    def pack(self, kernel: Float[Array, "... d"]) -> dict[str, Array]:
        """{"bfloat16": its bits}."""
        return {"bfloat16": jax.lax.bitcast_convert_type(kernel.astype(jnp.bfloat16), jnp.uint16)}

    def unpack(self, stored: dict[str, Array]) -> Float[Array, "... d"]:
        """The number of those bits."""
        return jax.lax.bitcast_convert_type(stored["bfloat16"], jnp.bfloat16).astype(jnp.float32)


@dataclasses.dataclass(frozen=True)
class Quantised:
    """inner(unpack(params), x, ...): a network whose kernels are stored in fewer bits, for use and not for training.

    `pack` makes its parameters of trained ones. Kernels are arrays of two axes and more; biases and gains stay as they
    are.

    Args:
        inner: the network that computes.
        storage: `Int8()` or `BFloat16()`.
    """

    inner: Network
    storage: Storage = Int8()

    def __post_init__(self) -> None:
        if isinstance(self.inner, Quantised):
            raise ValueError(
                f"inner is quantised already, by {self.inner.storage}: give the network within"
            )

    @property
    def out_channels(self) -> int:
        """Of the network within."""
        return self.inner.out_channels

    @property
    def stride(self) -> int:
        """Of the network within."""
        return self.inner.stride

    @property
    def sees_y(self) -> bool:
        """As the network within."""
        return self.inner.sees_y

    def init(self, key: Key) -> Params:
        """New parameters of the network within, packed."""
        return self.pack(self.inner.init(key))

    def pack(self, params: Params) -> Params:
        """Parameters of the network within, as they are stored.

        Raises:
            ValueError: if they are packed already.
        """
        if not all(jnp.issubdtype(leaf.dtype, jnp.floating) for leaf in jax.tree.leaves(params)):
            raise ValueError(
                "params hold integers, expected float weights: are they packed already?"
            )
        return jax.tree.map(lambda w: self.storage.pack(w) if w.ndim > 1 else w, params)

    def unpack(self, params: Params) -> Params:
        """The parameters of the network within that the stored ones stand for."""
        stored = jax.eval_shape(self.storage.pack, jax.ShapeDtypeStruct((1, 1), jnp.float32)).keys()

        def packed(node: Params) -> bool:
            return isinstance(node, dict) and node.keys() == stored

        return jax.tree.map(
            lambda node: self.storage.unpack(node) if packed(node) else node, params, is_leaf=packed
        )

    def apply(self, params: Params, x: Image, condition: Scalar, y: Image | None = None) -> Image:
        """The output of the network within."""
        return self.inner.apply(self.unpack(params), x, condition, y)

    def size(self) -> int:
        """Number of parameters of the network within."""
        return self.inner.size()
