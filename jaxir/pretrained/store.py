"""Weights in a folder: `config.json` + `model.safetensors` (+ `README.md`, the card).

The configuration names the network, the process and the prediction with their arguments, so that a loaded denoiser
carries its process and a mismatched schedule cannot happen. Only the classes listed here are ever built from a file.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxir import denoisers, networks, processes
from jaxir.denoisers import NetworkDenoiser, Prediction
from jaxir.networks import Network
from jaxir.processes import Process
from jaxir.typing import Params

_KNOWN: dict[str, Any] = {
    name: value
    for package in (networks, processes, denoisers)
    for name, value in vars(package).items()
    if name in package.__all__ and dataclasses.is_dataclass(value)
}
SHIPPED = Path(__file__).parent / "weights"


class WeightsError(ValueError):
    """Weights that are missing, damaged or of an unknown kind."""


def save_denoiser(folder: str | Path, denoiser: NetworkDenoiser, network: Network) -> None:
    """Write the folder that `load` reads; files that are there already are replaced.

    Raises:
        WeightsError: if a part of the denoiser is not one of jaxir's own classes, which a file could not name.
    """
    from safetensors.numpy import save

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    flat = {k: np.ascontiguousarray(v) for k, v in _flatten(denoiser.params).items()}
    data = save(flat)
    config = configuration(denoiser, network) | {"sha256": hashlib.sha256(data).hexdigest()}
    for name, content in (
        ("model.safetensors", data),
        ("config.json", (json.dumps(config, indent=2) + "\n").encode()),
    ):
        partial = folder / f".{name}.partial"
        partial.write_bytes(content)
        partial.replace(folder / name)


def configuration(denoiser: NetworkDenoiser, network: Network) -> dict[str, Any]:
    """What `config.json` says of a denoiser beside the digest of its weights, which are not looked at.

    Raises:
        WeightsError: if a part is not one of jaxir's own classes, which a file could not name.
    """
    return {
        "network": _describe(network),
        "process": _describe(denoiser.process),
        "prediction": _describe(denoiser.prediction),
        "data_std": float(denoiser.data_std),
        "range": "[-1, 1]",
    }


def load(name_or_path: str | Path) -> NetworkDenoiser:
    """The denoiser stored in a folder, or shipped with jaxir under that name.

    Args:
        name_or_path: a folder with `config.json` and `model.safetensors`, or one of `shipped()`.

    Raises:
        WeightsError: if there is no such folder or name, or a file in it is damaged.
    """
    from safetensors.numpy import load as load_safetensors

    folder = _find(name_or_path)
    for name in ("config.json", "model.safetensors"):
        if not (folder / name).is_file():
            raise WeightsError(
                f"{folder / name} is missing: weights are config.json + model.safetensors"
            )
    try:
        config = json.loads((folder / "config.json").read_text())
        network = _one(_build(config["network"]))
        process, prediction = _build(config["process"]), _build(config["prediction"])
        for part, kind in (
            (network, Network),
            (process, Process),
            (prediction, Prediction),
        ):
            if not isinstance(part, kind):
                raise TypeError(f"{part!r} is no {kind.__name__}")
        data_std, digest = float(config["data_std"]), config["sha256"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise WeightsError(
            f"{folder / 'config.json'} is not a configuration of jaxir ({type(error).__name__}: {error}): "
            "export the weights again with jaxir train"
        ) from error
    path = folder / "model.safetensors"
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != digest:
        raise WeightsError(
            f"{path} is damaged: its SHA-256 differs from the one in config.json; copy the file again"
        )
    params = _unflatten(load_safetensors(data))
    expected = jax.eval_shape(network.init, jax.random.key(0))
    if jax.tree.map(np.shape, params) != jax.tree.map(np.shape, expected):
        raise WeightsError(f"{path} does not fit the network in config.json: they are of two runs")
    return NetworkDenoiser(
        process,
        jax.tree.map(jax.numpy.asarray, params),
        network.apply,
        prediction,
        data_std,
        network.sees_y,
    )


def model_of(run_or_weights: str | Path) -> str | Path:
    """The weights of a run's folder; weights as they are."""
    model = Path(run_or_weights) / "model"
    return model if model.is_dir() else run_or_weights


def shipped() -> list[str]:
    """Names of the weights that come with jaxir."""
    return sorted(path.parent.name for path in SHIPPED.glob("*/config.json"))


def describe(name_or_path: str | Path) -> str:
    """The card of some weights, or their configuration where they have none.

    Raises:
        WeightsError: if there is no such folder or name.
    """
    folder = _find(name_or_path)
    for name in ("README.md", "config.json"):
        if (folder / name).is_file():
            return (folder / name).read_text()
    raise WeightsError(
        f"{folder / 'config.json'} is missing: weights are config.json + model.safetensors"
    )


def _find(name_or_path: str | Path) -> Path:
    for folder in (Path(name_or_path), SHIPPED / str(name_or_path)):
        if folder.is_dir():
            return folder
    raise WeightsError(
        f"no weights called {str(name_or_path)!r}: give a folder with config.json and model.safetensors, "
        f"or one of {', '.join(shipped()) or 'none shipped'}"
    )


def _describe(value: Any) -> Any:
    """A value of jaxir's own classes, numbers and strings as what JSON holds."""
    if dataclasses.is_dataclass(value) and _KNOWN.get(type(value).__name__) is type(value):
        fields = {f.name: _describe(getattr(value, f.name)) for f in dataclasses.fields(value)}
        return {"class": type(value).__name__, **fields}
    if isinstance(value, list | tuple):
        return [_describe(part) for part in value]
    if isinstance(value, np.ndarray | np.generic | jax.Array):
        return value.item()  # a denoiser that went through `jit` holds its settings as arrays
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise WeightsError(
        f"{value!r} cannot be written into config.json: use a class of jaxir, such as a lift of jaxir.processes"
    )


def _build(description: Any) -> Any:
    """What `_describe` was given."""
    if isinstance(description, list):
        return tuple(_build(part) for part in description)
    if not isinstance(description, dict):
        return description
    name = description["class"]
    if name not in _KNOWN:
        raise ValueError(f"{name!r} is not one of {', '.join(_KNOWN)}")
    return _KNOWN[name](**{k: _build(v) for k, v in description.items() if k != "class"})


@functools.cache
def _one(network: Network) -> Network:
    """The same object for equal networks: only then are their `apply` equal, and jitted functions not traced again."""
    return network


def _flatten(params: Params) -> dict[str, np.ndarray]:
    leaves = jax.tree_util.tree_leaves_with_path(params)
    return {"/".join(key.key for key in path): np.asarray(leaf) for path, leaf in leaves}


def _unflatten(flat: dict[str, np.ndarray]) -> Params:
    params: dict[str, Any] = {}
    for name, leaf in flat.items():
        *parents, last = name.split("/")
        node = params
        for parent in parents:
            node = node.setdefault(parent, {})
        node[last] = leaf
    return params
