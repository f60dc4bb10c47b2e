"""Devices: one mesh, one axis, state on every device, the batch split over them.

A jitted function whose arguments carry these shardings is what `pmap` has become; XLA writes the all-reduce of the
gradient. `AxisType.Auto` lets the compiler choose the sharding of everything in between.
"""

from __future__ import annotations

import jax
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec


def data_mesh() -> Mesh:
    """All devices, of all hosts, along the axis "data"."""
    return jax.make_mesh((jax.device_count(),), ("data",), axis_types=(AxisType.Auto,))


def replicated(mesh: Mesh) -> NamedSharding:
    """The same value on every device."""
    return NamedSharding(mesh, PartitionSpec())


def split(mesh: Mesh, axis: int = 0) -> NamedSharding:
    """One axis shared out over the devices, the leading one by default."""
    return NamedSharding(mesh, PartitionSpec(*[None] * axis, "data"))
