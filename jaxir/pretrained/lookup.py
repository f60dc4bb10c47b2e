"""Weights by name: a folder, then what ships with jaxir, then what was pulled from the hub; nothing is downloaded."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from jaxir.denoisers import NetworkDenoiser
from jaxir.pretrained import hub, store
from jaxir.pretrained.containers import WeightsError
from jaxir.pretrained.convert import is_foreign, read_foreign
from jaxir.pretrained.download import file_digest

_WEIGHTS = (".safetensors", ".bin", ".pt", ".pth", ".npz")


def load(name_or_path: str | Path) -> NetworkDenoiser:
    """The denoiser stored in a folder, shipped with jaxir under that name, or pulled from the hub.

    Folders of other libraries that say what they are, such as those of diffusers, are converted on the way, each time;
    `jaxir models convert` does it once.

    Args:
        name_or_path: a folder with `config.json` and `model.safetensors`, one of `shipped()`, or `owner/name` on the
            hub, for which `jaxir models pull owner/name` was run.

    Raises:
        WeightsError: if there is no such folder or name, or a file in it is damaged.
    """
    folder = find(name_or_path)
    return read_foreign(folder).denoiser if is_foreign(folder) else store.read(folder)


def describe(name_or_path: str | Path) -> str:
    """The card of some weights, or their configuration where they have none.

    Raises:
        WeightsError: if there is no such folder or name.
    """
    folder = find(name_or_path)
    for name in ("README.md", "config.json"):
        if (folder / name).is_file():
            return (folder / name).read_text()
    raise WeightsError(
        f"{folder / 'config.json'} is missing: weights are config.json + model.safetensors"
    )


def weights_digest(name_or_path: str | Path) -> str:
    """SHA-256 of some weights: of `model.safetensors`, or of the digests of what another library keeps them in.

    Raises:
        WeightsError: if there is no such folder or name.
    """
    folder = find(name_or_path)
    model = folder / "model.safetensors"
    if model.is_file():
        return file_digest(model)
    parts = sorted(path for path in folder.rglob("*") if path.suffix in _WEIGHTS)
    return hashlib.sha256("".join(map(file_digest, parts)).encode()).hexdigest()


def find(name_or_path: str | Path) -> Path:
    """The folder of some weights.

    Raises:
        WeightsError: if there is none.
    """
    name = str(name_or_path)
    for folder in (Path(name), store.SHIPPED / name, hub.find(name)):
        if folder is not None and folder.is_dir():
            return folder
    known = f"one of {', '.join(store.shipped()) or 'none shipped'}"
    if re.fullmatch(r"[\w.-]+/[\w.@-]+", name):
        known += f"; if it is on the hub, it is not here: run `jaxir models pull {name}`"
    raise WeightsError(
        f"no weights called {name!r}: give a folder with config.json and model.safetensors, or {known}"
    )
