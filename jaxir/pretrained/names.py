"""Where the originals keep what our networks call by other names.

A converter is a table: for each of our parameters the name of the original's tensor and the change of layout between
the two, which is all that differs. Lines of the table are written by kind of layer (`conv`, `dense`, `norm`, ...), and
`collect` turns a table and a file of tensors into parameters, or says which tensor is missing, left over or misshapen.
"""

from __future__ import annotations

import fnmatch
import functools
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from jaxir.typing import Params


class ConversionError(ValueError):
    """Tensors that do not fit the network."""


class Name(NamedTuple):
    """One parameter.

    Attributes:
        ours: its path in the parameters, joined by "/".
        theirs: the name of the original's tensor.
        read: the original's layout to ours.
    """

    ours: str
    theirs: str
    read: Callable[[np.ndarray], np.ndarray] = np.asarray


def tensor(ours: str, theirs: str, shape: tuple[int, ...] | None = None) -> Iterator[Name]:
    """A parameter kept as it is, or in another shape with the same order of entries."""
    yield Name(ours, theirs, np.asarray if shape is None else lambda value: value.reshape(shape))


def conv(ours: str, theirs: str, *, bias: bool = True) -> Iterator[Name]:
    """A convolution: (out, in, height, width) to (height, width, in, out)."""
    yield Name(f"{ours}/kernel", f"{theirs}.weight", lambda value: value.transpose(2, 3, 1, 0))
    if bias:
        yield Name(f"{ours}/bias", f"{theirs}.bias")


def dense(ours: str, theirs: str, *, bias: bool = True) -> Iterator[Name]:
    """A dense layer, or what the originals write as a convolution of size 1: (out, in, 1, ...) to (in, out)."""
    yield Name(f"{ours}/kernel", f"{theirs}.weight", _matrix)
    if bias:
        yield Name(f"{ours}/bias", f"{theirs}.bias")


def folded(ours: str, theirs: str, *, bias: bool = True) -> Iterator[Name]:
    """A k × k convolution of stride k, (out, in, k, k), which is a dense layer of `fold`: (k² in, out)."""
    yield Name(f"{ours}/kernel", f"{theirs}.weight", _of_folds)
    if bias:
        yield Name(f"{ours}/bias", f"{theirs}.bias")


def norm(ours: str, theirs: str, *, bias: bool = True) -> Iterator[Name]:
    """The gain and the shift of a norm."""
    yield Name(f"{ours}/scale", f"{theirs}.weight", np.ravel)
    if bias:
        yield Name(f"{ours}/bias", f"{theirs}.bias", np.ravel)


def scaled(table: Iterable[Name], factor: float) -> Iterator[Name]:
    """The same tensors, multiplied by a number."""
    for name in table:
        yield name._replace(read=functools.partial(_times, factor, name.read))


def collect(
    names: Iterable[Name],
    tensors: Mapping[str, np.ndarray],
    expected: Params,
    *,
    ignored: Iterable[str] = (),
) -> Params:
    """The parameters of a network from the original's tensors, as float32.

    Args:
        names: the table.
        tensors: of the original, by name.
        expected: parameters or their shapes, as `jax.eval_shape(network.init, key)` gives them.
        ignored: patterns of tensors that are no parameters, such as "*.num_batches_tracked".

    Raises:
        ConversionError: names the first tensors that are missing, that no line reads, or that have another shape, and
            parameters that no line fills.
    """
    table = list(names)
    shapes = _flatten(expected)
    wanted, offered = {name.theirs for name in table}, set(tensors)
    left = {t for t in offered - wanted if not any(fnmatch.fnmatch(t, p) for p in ignored)}
    faults = [
        _listed("missing", wanted - offered),
        _listed("not read by the converter", left),
        _listed("not filled by any tensor", set(shapes) - {name.ours for name in table}),
        _listed("unknown to the network", {name.ours for name in table} - set(shapes)),
    ]
    if any(faults):
        raise ConversionError("; ".join(filter(None, faults)) + ": the file is of another network")
    params: dict[str, Any] = {}
    for name in table:
        raw = np.asarray(tensors[name.theirs])
        try:
            value = np.ascontiguousarray(name.read(raw), np.float32)
        except ValueError:
            value = raw
        if value.shape != shapes[name.ours]:
            raise ConversionError(
                f"{name.theirs} has shape {raw.shape}, which does not give {name.ours} of shape "
                f"{shapes[name.ours]}: the configuration is of another network"
            )
        *parents, last = name.ours.split("/")
        node = params
        for parent in parents:
            node = node.setdefault(parent, {})
        node[last] = value
    return params


def _times(
    factor: float, read: Callable[[np.ndarray], np.ndarray], value: np.ndarray
) -> np.ndarray:
    return factor * read(value)


def _matrix(value: np.ndarray) -> np.ndarray:
    return value.reshape(value.shape[0], value.shape[1]).T


def _of_folds(value: np.ndarray) -> np.ndarray:
    return value.transpose(2, 3, 1, 0).reshape(-1, value.shape[0])


def _flatten(tree: Params, prefix: str = "") -> dict[str, tuple[int, ...]]:
    flat: dict[str, tuple[int, ...]] = {}
    for key, value in tree.items():
        path = f"{prefix}{key}"
        flat.update(
            _flatten(value, f"{path}/") if isinstance(value, Mapping) else {path: np.shape(value)}
        )
    return flat


def _listed(what: str, names: set[str]) -> str:
    if not names:
        return ""
    first = sorted(names)[:4]
    more = f" and {len(names) - 4} more" if len(names) > 4 else ""
    return f"{', '.join(first)}{more}: {what}"
