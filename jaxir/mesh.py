"""Devices: one mesh, one axis, the batch split over it, and the state on every device or split as well.

A jitted function whose arguments carry these shardings is what `pmap` has become; XLA writes the all-reduce of the
gradient, and where the state is split its gathering too. `AxisType.Auto` lets the compiler choose the sharding of
everything in between.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec
from jaxtyping import PyTree

Rule = Callable[[str, tuple[int, ...], int], PartitionSpec]
"""(path of a leaf such as "params/Conv_0/kernel", its shape, number of devices) -> how it lies on them."""


def replicate(path: str, shape: tuple[int, ...], devices: int) -> PartitionSpec:
    """The same on every device: data parallel."""
    return PartitionSpec()


@dataclasses.dataclass(frozen=True)
class FullyShard:
    """The largest axis that divides over the devices is split over them; small leaves are on every device.

    Args:
        least: leaves of fewer entries are not worth it.

    Source: [rajbhandari2020zero] (stage 3).
    """

    least: int = 1024

    def __call__(self, path: str, shape: tuple[int, ...], devices: int) -> PartitionSpec:
        """Which axis is split."""
        count = 1
        for side in shape:
            count *= side
        split = [axis for axis, side in enumerate(shape) if side % devices == 0]
        if count < self.least or not split:
            return PartitionSpec()
        axis = max(split, key=lambda axis: (shape[axis], axis))
        return PartitionSpec(*[None] * axis, "data")


@dataclasses.dataclass(frozen=True)
class ByPath:
    """The first rule whose pattern is found in the path of a leaf.

    Args:
        rules: (regular expression, rule), tried in order.
        otherwise: for all other leaves.
    """

    rules: tuple[tuple[str, Rule], ...]
    otherwise: Rule = replicate

    def __call__(self, path: str, shape: tuple[int, ...], devices: int) -> PartitionSpec:
        """As that rule says."""
        fitting = (rule for pattern, rule in self.rules if re.search(pattern, path))
        return next(fitting, self.otherwise)(path, shape, devices)


def shardings(mesh: Mesh, tree: PyTree, rule: Rule) -> PyTree:
    """The sharding of every leaf of a tree of arrays, or of their shapes, by a rule."""

    def of(path: tuple, leaf: jax.ShapeDtypeStruct) -> NamedSharding:
        name = jax.tree_util.keystr(path, simple=True, separator="/")
        return NamedSharding(mesh, rule(name, leaf.shape, mesh.size))

    return jax.tree_util.tree_map_with_path(of, tree)


def data_mesh(count: int | None = None) -> Mesh:
    """The devices along the axis "data", those of a host beside each other, so that it has one stretch of a batch.

    Args:
        count: the first so many; all by default.

    Raises:
        ValueError: if there are fewer, or more than one process.
    """
    devices = sorted(jax.devices(), key=lambda device: (device.process_index, device.id))
    if count is not None and jax.process_count() > 1:
        raise ValueError(
            f"devices is {count}, but of several processes each has its own: leave devices out, or start fewer"
        )
    if count is not None and not 1 <= count <= len(devices):
        raise ValueError(f"devices is {count}, expected 1 to {len(devices)}, which JAX sees here")
    return Mesh(np.array(devices[:count]), ("data",), axis_types=(AxisType.Auto,))


def replicated(mesh: Mesh) -> NamedSharding:
    """The same value on every device."""
    return NamedSharding(mesh, PartitionSpec())


def split(mesh: Mesh, axis: int = 0) -> NamedSharding:
    """One axis shared out over the devices, the leading one by default."""
    return NamedSharding(mesh, PartitionSpec(*[None] * axis, "data"))
