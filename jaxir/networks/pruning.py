"""Channels taken out of the inside of residual blocks, which nothing outside of a block sees.

What a block adds to its input has the width of the trunk, and the channels in between are its own: a network with fewer
of them is the same architecture with a smaller `inner`, and the weights that are left fit it. So pruning is a change of
a configuration with a choice of channels, and what it makes is trained, stored and sampled like any other network.
"""

from __future__ import annotations

import dataclasses
from typing import TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict
from jaxtyping import Array, Float

from jaxir.networks.nafnet import NAFNet
from jaxir.networks.unet import UNet
from jaxir.typing import Params

Inside = dict[str, tuple[int, ...]]
"""Parameters that know some channels inside of a block, and on which axes; the last is the kernel that reads them."""

INSIDE: dict[str, tuple[Inside, ...]] = {
    "ResidualBlock": (
        {
            "Conv_0/kernel": (3,),
            "Conv_0/bias": (0,),
            "PixelNorm_1/gain": (0,),
            "Conv_1/kernel": (2,),
        },
    ),
    "NAFBlock": (
        {
            "Dense_1/kernel": (1,),
            "Dense_1/bias": (0,),
            "_Depthwise_0/kernel": (3,),
            "_Depthwise_0/bias": (0,),
            "Dense_2/kernel": (0, 1),
            "Dense_2/bias": (0,),
            "Dense_3/kernel": (0,),
        },
        {"Dense_4/kernel": (1,), "Dense_4/bias": (0,), "Dense_5/kernel": (0,)},
    ),
}
"""The channels of each kind of block; before a gate there are two of each."""

Prunable = TypeVar("Prunable", UNet, NAFNet)


def prune(network: Prunable, params: Params, share: float) -> tuple[Prunable, Params]:
    """The network with a share of the channels inside of its blocks removed, in each block those of the least norm.

    The norm is that of all weights that make or read a channel. A channel of zeros is removed without a change of the
    output, but for the 1e-6 of a `PixelNorm`: that divides by a mean over channels, so its gains are multiplied by the
    root of how many times fewer there are. What the others did is learnt again by a short training.

    Args:
        network: a `UNet` or a `NAFNet`.
        params: its weights.
        share: in (0, 1), rounded to whole channels in each block.

    Returns:
        The smaller network and its weights.

    Raises:
        ValueError: if share is not in (0, 1), or another kind of network is given.

    Source: [li2017pruning] (the least filters of each layer, there by the sum of absolute values).
    """
    if not 0 < share < 1:
        raise ValueError(f"share is {share}, expected a number in (0, 1), such as 0.3")
    if not isinstance(network, UNet | NAFNet):
        raise ValueError(f"network is {type(network).__name__}, expected UNet or NAFNet")
    smaller = dataclasses.replace(network, inner=network.inner * (1 - share))
    shapes = flatten_dict(jax.eval_shape(smaller.init, jax.random.key(0)), sep="/")
    flat = {path: np.asarray(leaf) for path, leaf in flatten_dict(params, sep="/").items()}
    for block in params:
        for inside in INSIDE.get(block.rpartition("_")[0], ()):
            _remove_least(flat, shapes, {f"{block}/{path}": inside[path] for path in inside})
    return smaller, jax.tree.map(jnp.asarray, unflatten_dict(flat, sep="/"))


def _remove_least(flat: dict[str, np.ndarray], shapes: dict[str, Array], inside: Inside) -> None:
    """Leave as many of these channels as the shapes have."""
    path, (axis,) = list(inside.items())[-1]
    count, left = flat[path].shape[axis], shapes[path].shape[axis]
    places = [(path, axis) for path, axes in inside.items() for axis in axes]
    square = sum(_square(flat[path], axis, count) for path, axis in places)
    kept = np.sort(np.argsort(-square, kind="stable")[:left])
    for path, axis in places:
        parts = flat[path].shape[axis] // count  # two before a gate
        chosen = (kept + count * np.arange(parts)[:, None]).ravel()
        flat[path] = np.take(flat[path], chosen, axis)
        if path.endswith("PixelNorm_1/gain"):
            flat[path] = flat[path] * np.float32((count / left) ** 0.5)


def _square(weights: np.ndarray, axis: int, count: int) -> Float[np.ndarray, " m"]:
    """The squared norm of what belongs to each of `count` channels, of which the axis has one or two."""
    size = weights.shape[axis]
    parts = np.moveaxis(weights, axis, 0).reshape(size // count, count, weights.size // size)
    return np.sum(parts**2, axis=(0, 2))
