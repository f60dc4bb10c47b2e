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
from jaxir.denoisers import NetworkDenoiser
from jaxir.networks import UNet
from jaxir.typing import Params

_NETWORKS = {"UNet": networks.UNet}
_PROCESSES = {name: getattr(processes, name) for name in ("VP", "CosineVP", "VE", "Flow")}
_PREDICTIONS = {
    name: getattr(denoisers, name)
    for name in ("CleanImage", "Noise", "Score", "Velocity", "AngleVelocity", "Preconditioned")
}
SHIPPED = Path(__file__).parent / "weights"


class WeightsError(ValueError):
    """Weights that are missing, damaged or of an unknown kind."""


def save_denoiser(folder: str | Path, denoiser: NetworkDenoiser, network: UNet) -> None:
    """Write the folder that `load` reads; files that are there already are replaced."""
    from safetensors.numpy import save

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    flat = {k: np.ascontiguousarray(v) for k, v in _flatten(denoiser.params).items()}
    data = save(flat)
    config = {
        "network": _describe(network),
        "process": _describe(denoiser.process),
        "prediction": _describe(denoiser.prediction),
        "data_std": float(denoiser.data_std),
        "range": "[-1, 1]",
        "sha256": hashlib.sha256(data).hexdigest(),
    }
    for name, content in (
        ("model.safetensors", data),
        ("config.json", (json.dumps(config, indent=2) + "\n").encode()),
    ):
        partial = folder / f".{name}.partial"
        partial.write_bytes(content)
        partial.replace(folder / name)


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
        network = _one(_build(_NETWORKS, config["network"]))
        process = _build(_PROCESSES, config["process"])
        prediction = _build(_PREDICTIONS, config["prediction"])
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
        process, jax.tree.map(jax.numpy.asarray, params), network.apply, prediction, data_std
    )


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


def _describe(value: Any) -> dict[str, Any]:
    fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    return {"class": type(value).__name__, **jax.tree.map(_plain, fields)}


def _plain(value: Any) -> Any:
    """A number out of an array: a denoiser that went through `jit` holds its settings as arrays."""
    return value.item() if isinstance(value, np.ndarray | np.generic | jax.Array) else value


def _build(known: dict[str, Any], description: dict[str, Any]) -> Any:
    arguments = {
        k: tuple(v) if isinstance(v, list) else v for k, v in description.items() if k != "class"
    }
    name = description["class"]
    if name not in known:
        raise ValueError(f"{name!r} is not one of {', '.join(known)}")
    return known[name](**arguments)


@functools.cache
def _one(network: UNet) -> UNet:
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
