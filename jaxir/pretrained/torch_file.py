"""Tensors out of the files in which others publish weights, without PyTorch and without running anything.

The formats are in `containers`, what a pickle may hold in `pickled`; here is what training code does to a file before
it publishes it: the weights lie in a dict, beside their averages, an optimiser and counters.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from jaxir.pretrained.containers import Place, WeightsError, read_arrays

EMA_FIRST = (
    "params_ema",
    "state_dict_ema",
    "ema_state_dict",
    "model_ema",
    "ema",
    "params",
    "state_dict",
    "model_state_dict",
    "model",
)
"""Names under which training code keeps weights; the first of them is taken, since reported figures are of averages."""

_AVERAGES = ("ema", "shadow_params")


def read_tensors(path: str | Path, root: str | None = None) -> dict[str, np.ndarray]:
    """The tensors of a file by name: read-only views of the file, in its dtypes (bfloat16 is that of `ml_dtypes`).

    Dicts and lists in each other are joined by ".". Without `root` the weights are, from the outermost dict inwards:
    a dict in which a tensor other than a scalar lies directly; else what is in its only dict of named tensors; else, of
    several, the first by `EMA_FIRST`. Averages that are kept as a list have the names of what they are averages of, in
    the same order; what was not trained is not in the list, and taken from there. Prefixes that are part of the names,
    such as Lightning's "model." and DataParallel's "module.", are kept: `roots` tells of them, `root` takes them off.

    Args:
        path: what torch.save wrote (zip or legacy), safetensors, npz, or the JSON index of a sharded file; recognised
            by content.
        root: the dict or prefix to take, as in "ema" or "state_dict.model"; "" for the whole file.

    Raises:
        WeightsError: if the file is missing, damaged, of another kind or holds more than data, which is not run; if
            it has several dicts of tensors, none of a known name; or if nothing is below `root`.
    """
    path = Path(path)
    arrays = _with_named_averages(path, read_arrays(path))
    chosen = ".".join(_chosen(path, arrays)) if root is None else root
    whole = {".".join(map(str, at)): array for at, array in arrays.items()}
    if len(whole) < len(arrays):
        raise WeightsError(f"{path} holds two tensors of one name: give the dict to take as root")
    tensors = {
        name.removeprefix(f"{chosen}."): array
        for name, array in whole.items()
        if not chosen or name.startswith(f"{chosen}.")
    }
    if not arrays:
        raise WeightsError(f"{path} holds no tensors: give the file of the weights")
    if not tensors:
        raise WeightsError(
            f"{path} holds no tensors below {chosen!r}: it has {_listed(_dicts(arrays))}"
        )
    return tensors


def roots(path: str | Path) -> list[str]:
    """What may be `root` for a file: first what `read_tensors` takes, then a prefix of all its names, then other dicts.

    Example:
        >>> roots("last.ckpt")
        ['state_dict', 'state_dict.model', 'optimizer.state']

    Raises:
        WeightsError: as `read_tensors`.
    """
    path = Path(path)
    arrays = _with_named_averages(path, read_arrays(path))
    chosen = _chosen(path, arrays)
    names = [at for at in arrays if at[: len(chosen)] == chosen]
    first = {str(at[len(chosen)]).partition(".")[0] for at in names if len(at) > len(chosen)}
    prefix = [".".join((*chosen, *first))] if len(first) == 1 and len(names) > 1 else []
    found = ".".join(chosen)
    return [found, *prefix, *(other for other in _dicts(arrays) if other != found)]


def _with_named_averages(path: Path, arrays: dict[Place, np.ndarray]) -> dict[Place, np.ndarray]:
    """`ema.shadow_params`, a list, as a dict `ema`; left as it is where shapes do not fit."""
    unnamed = [array for at, array in arrays.items() if at[:2] == _AVERAGES]
    if not unnamed:
        return arrays
    rest = {at: array for at, array in arrays.items() if at[:2] != _AVERAGES}
    try:
        root = _chosen(path, rest)
    except WeightsError:  # what they are averages of is not clear
        return arrays
    named: dict[Place, np.ndarray] = {}
    for at, own in rest.items():
        if at[: len(root)] == root:
            trained = unnamed and unnamed[0].shape == own.shape
            named["ema", *at[len(root) :]] = unnamed.pop(0) if trained else own
    return arrays if unnamed else rest | named


def _chosen(path: Path, arrays: dict[Place, np.ndarray]) -> tuple[str, ...]:
    named = [
        tuple(map(str, at))
        for at, array in arrays.items()
        if array.ndim and all(isinstance(key, str) for key in at)
    ]
    root: tuple[str, ...] = ()
    while named and not any(len(at) == len(root) + 1 for at in named):
        keys = list(dict.fromkeys(at[len(root)] for at in named))
        known = [key for key in EMA_FIRST if key in keys]
        if len(keys) > 1 and not known:
            raise WeightsError(
                f"{path} holds several dicts of tensors, {_listed(_dicts(arrays))}: give one as root"
            )
        root = (*root, keys[0] if len(keys) == 1 else known[0])
        named = [at for at in named if at[: len(root)] == root]
    return root


def _dicts(arrays: Iterable[Place]) -> list[str]:
    """The dicts in which tensors lie, without what is numbered in them."""
    found: dict[str, None] = {}
    for at in arrays:
        words = at[:-1]
        numbered = next((i for i, key in enumerate(words) if isinstance(key, int)), len(words))
        found[".".join(map(str, words[:numbered]))] = None
    return list(found)


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - 6} more" if len(names) > 6 else ""
    return (", ".join(map(repr, names[:6])) or "none") + more
