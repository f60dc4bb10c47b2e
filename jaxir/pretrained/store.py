"""Weights in a folder: `config.json` + `model.safetensors` (+ `README.md`, the card).

The configuration names the network, the process and the prediction with their arguments, so that a loaded denoiser
carries its process and a mismatched schedule cannot happen. Only the classes listed here are ever built from a file.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import shutil
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxir import denoisers, networks, processes
from jaxir.denoisers import Inlet, LogSNR, NetworkDenoiser, Prediction
from jaxir.networks import Network
from jaxir.pretrained.containers import WeightsError
from jaxir.pretrained.download import file_digest
from jaxir.pretrained.torch_file import read_tensors
from jaxir.processes import Process
from jaxir.typing import Params

_KNOWN: dict[str, Any] = {
    name: value
    for package in (networks, processes, denoisers)
    for name, value in vars(package).items()
    if name in package.__all__ and dataclasses.is_dataclass(value)
}
SHIPPED = Path(__file__).parent / "weights"
FILES = ("config.json", "model.safetensors", "README.md", "parity.json", "parity.npz")
"""What a folder of weights may hold; the first two it must."""


class Stored(NamedTuple):
    """What `config.json` describes.

    Attributes:
        network: what has the weights.
        denoiser: everything else, without weights.
        sha256: of `model.safetensors`.
    """

    network: Network
    denoiser: NetworkDenoiser
    sha256: str


def save_denoiser(folder: str | Path, denoiser: NetworkDenoiser, network: Network) -> None:
    """Write the folder that `load` reads; files that are there already are replaced.

    Raises:
        WeightsError: if a part of the denoiser is not one of jaxir's own classes, which a file could not name.
    """
    from safetensors.numpy import save_file

    config = configuration(denoiser, network)
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    model, text = (folder / f".{name}.partial" for name in ("model.safetensors", "config.json"))
    flat = _flatten(denoiser.params)
    save_file({name: np.ascontiguousarray(leaf) for name, leaf in flat.items()}, model)
    text.write_text(json.dumps(config | {"sha256": file_digest(model)}, indent=2) + "\n")
    shutil.copymode(text, model)  # safetensors writes for the owner's eyes alone
    model.replace(folder / "model.safetensors")
    text.replace(folder / "config.json")


def configuration(denoiser: NetworkDenoiser, network: Network) -> dict[str, Any]:
    """What `config.json` says of a denoiser beside the digest of its weights, which are not looked at.

    Raises:
        WeightsError: if a part is not one of jaxir's own classes, which a file could not name.
    """
    return {
        "network": _describe(network),
        "process": _describe(denoiser.process),
        "prediction": _describe(denoiser.prediction),
        "inlet": _describe(denoiser.inlet),
        "data_std": float(denoiser.data_std),
        "range": "[-1, 1]",
    }


def read(folder: Path) -> NetworkDenoiser:
    """The denoiser stored in a folder.

    Raises:
        WeightsError: if a file is missing or damaged.
    """
    stored = check(folder)
    path = folder / "model.safetensors"
    params = _unflatten(read_tensors(path, ""))
    expected = jax.eval_shape(stored.network.init, jax.random.key(0))
    if jax.tree.map(np.shape, params) != jax.tree.map(np.shape, expected):
        raise WeightsError(f"{path} does not fit the network in config.json: they are of two runs")
    # copied, since the file may be written again while its denoiser is used
    copies = jax.device_put(jax.tree.map(np.array, params))
    return dataclasses.replace(stored.denoiser, params=copies)


def check(folder: Path) -> Stored:
    """What the configuration of a folder describes, if its weights are those that it was written with.

    Raises:
        WeightsError: if a file is missing or damaged.
    """
    for name in FILES[:2]:
        if not (folder / name).is_file():
            raise WeightsError(
                f"{folder / name} is missing: weights are config.json + model.safetensors"
            )
    try:
        config = json.loads((folder / "config.json").read_text())
        network = _one(_build(config["network"]))
        process, prediction = _build(config["process"]), _build(config["prediction"])
        inlet = _build(config["inlet"]) if "inlet" in config else LogSNR()
        for part, kind in (
            (network, Network),
            (process, Process),
            (prediction, Prediction),
            (inlet, Inlet),
        ):
            if not isinstance(part, kind):
                raise TypeError(f"{part!r} is no {kind.__name__}")
        data_std, digest = float(config["data_std"]), config["sha256"]
        denoiser = NetworkDenoiser(
            process, {}, network.apply, prediction, data_std, network.sees_y, inlet
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise WeightsError(
            f"{folder / 'config.json'} is not a configuration of jaxir ({type(error).__name__}: {error}): "
            "export the weights again with jaxir train"
        ) from error
    path = folder / "model.safetensors"
    if file_digest(path) != digest:
        raise WeightsError(
            f"{path} is damaged: its SHA-256 differs from the one in config.json; copy the file again"
        )
    return Stored(network, denoiser, digest)


def model_of(run_or_weights: str | Path) -> str | Path:
    """The weights of a run's folder; weights as they are."""
    model = Path(run_or_weights) / "model"
    return model if model.is_dir() else run_or_weights


def shipped() -> list[str]:
    """Names of the weights that come with jaxir."""
    return sorted(path.parent.name for path in SHIPPED.glob("*/config.json"))


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
