"""Weights of other libraries as a folder of jaxir: what they are, where their parts lie, which family reads them."""

from __future__ import annotations

import dataclasses
import datetime
import json
import shutil
import tempfile
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxir.pretrained.containers import WeightsError
from jaxir.pretrained.download import file_digest
from jaxir.pretrained.families import FAMILIES, Config, Converted, Family
from jaxir.pretrained.parity import Record, record_of, save_record
from jaxir.pretrained.store import save_denoiser
from jaxir.pretrained.torch_file import read_tensors, roots

_WEIGHTS = (
    "*.safetensors.index.json",
    "*.safetensors",
    "*.bin.index.json",
    "*.bin",
    "*.pt",
    "*.pth",
    "*.ckpt",
    "*.npz",
)
_PARTS = ("unet",)


class Source(NamedTuple):
    """Weights of another library, before they are converted.

    Attributes:
        file: of the tensors.
        config: what the original's network was made with, that of its scheduler as "scheduler".
        family: that it is of.
        folder: that they came in, with a card perhaps.
        root: the dict in the file that holds them, as for `read_tensors`.
        base: what they are an addition to, as a control network is.
    """

    file: Path
    config: Config
    family: Family
    folder: Path | None
    root: str | None
    base: Source | None

    def tensors(self) -> dict[str, np.ndarray]:
        """By name; those of the base begin with "unet."."""
        own = read_tensors(self.file, self.root)
        base = {} if self.base is None else self.base.tensors()
        return own | {f"unet.{name}": tensor for name, tensor in base.items()}


def convert(
    src: str | Path,
    dst: str | Path,
    family: Family | None = None,
    *,
    config: Config | None = None,
    root: str | None = None,
    base: str | Path | None = None,
    record: Record | None = None,
) -> Path:
    """Write a folder that `jaxir.load` reads, with a card and a record of outputs that `verify` compares with.

    Args:
        src: a file of tensors, or a folder as diffusers writes it, with `config.json` or `model_index.json`.
        dst: the new folder, which appears when it is whole.
        family: what the weights are of; by default what the configuration says.
        config: what the original's network was made with, where `src` does not hold it.
        root: the dict in the file that holds the weights, as for `read_tensors`.
        base: the folder of the network that a control network controls.
        record: outputs of the original; without one those of the converted network are recorded, which find later
            changes but no mistake of the conversion.

    Returns:
        `dst`.

    Raises:
        WeightsError: if `dst` exists, or `src` is damaged, incomplete, of no known family or does not fit the
            configuration.
    """
    dst = Path(dst)
    if dst.exists():
        raise WeightsError(f"{dst} exists: give a new folder")
    source = open_source(src, family, config=config, root=root, base=base)
    denoiser, network = _converted(source)
    if record is not None and record.output.shape[-1] != network.out_channels:
        raise WeightsError(
            f"output of the record has {record.output.shape[-1]} channels but the network {network.out_channels}: "
            "record all that it gives"
        )
    dst.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{dst.name}.", dir=dst.parent) as folder:
        partial = Path(folder) / dst.name
        save_denoiser(partial, denoiser, network)
        if record := record or record_of(denoiser, network):
            save_record(partial, record)
        (partial / "README.md").write_text(_card(dst.name, source))
        for licence in source.folder.glob("LICENSE*") if source.folder else ():
            shutil.copyfile(licence, partial / licence.name)
        partial.replace(dst)
    return dst


def is_foreign(folder: Path) -> bool:
    """Whether a folder holds weights of another library, and says so."""
    if (folder / "model_index.json").is_file():
        return True
    try:
        config = _json(folder / "config.json")
    except WeightsError:
        return False
    return "network" not in config and ("_class_name" in config or bool(_recognised(config)))


def is_known(folder: Path) -> bool:
    """Whether a folder holds weights of jaxir or of a known family, as far as its configuration says."""
    try:
        if is_foreign(folder):
            return bool(open_source(folder))
        return "network" in _json(folder / "config.json")
    except WeightsError:
        return False


def read_foreign(
    src: str | Path,
    family: Family | None = None,
    *,
    config: Config | None = None,
    root: str | None = None,
    base: str | Path | None = None,
) -> Converted:
    """The denoiser and the network of weights of another library; arguments are those of `convert`.

    Raises:
        WeightsError: if they are damaged, incomplete, of no known family or do not fit the configuration.
    """
    return _converted(open_source(src, family, config=config, root=root, base=base))


def open_source(
    src: str | Path,
    family: Family | None = None,
    *,
    config: Config | None = None,
    root: str | None = None,
    base: str | Path | None = None,
) -> Source:
    """Where the tensors of some weights are, their configuration and their family; arguments are those of `convert`.

    Raises:
        WeightsError: if one of the three cannot be found.
    """
    file = src = Path(src)
    if not src.exists():
        raise WeightsError(f"{src} does not exist: give a file of weights or a folder")
    whole = src if src.is_dir() else None
    if whole is not None:
        folder = _part(whole, _PARTS)
        file = _only(folder, _WEIGHTS)
        config = config if config is not None else _folder_config(folder)
    if config is None:
        raise WeightsError(
            f"{src} does not say what network it is of: give its configuration too (--config FILE.json), with what the "
            f"original's network is made with; families are {', '.join(FAMILIES)}"
        )
    if family is None:
        found = _recognised(config)
        if len(found) != 1:
            what = config.get("_class_name", f"a configuration of {', '.join(list(config)[:4])}")
            raise WeightsError(
                f"{src}: {what} is of no family that is known: name one of {', '.join(FAMILIES)} (--family)"
            )
        family = found[0]
    below = None if base is None else open_source(base)
    if below is not None:
        scheduler = {k: v for k, v in below.config.items() if k == "scheduler"}
        config = {**scheduler, **config, "unet": below.config}
    return Source(file, config, family, whole, root, below)


def _converted(source: Source) -> Converted:
    tensors = source.tensors()
    try:
        denoiser, network = source.family.convert(source.config, tensors)
    except KeyError as error:
        raise WeightsError(f"{source.file}: its configuration lacks {error}") from error
    except (ValueError, TypeError, AttributeError, ArithmeticError) as error:
        raise WeightsError(f"{source.file} cannot be converted: {error}") from error
    params = jax.tree.map(jnp.asarray, denoiser.params)
    return Converted(dataclasses.replace(denoiser, params=params), network)


def _recognised(config: Config) -> list[Family]:
    return [family for family in FAMILIES.values() if family.recognises(config)]


def part_of(folder: Path, parts: Sequence[str]) -> tuple[Path, Config]:
    """The tensors and `config.json` of a folder, or of one of a pipeline's folders.

    Raises:
        WeightsError: if one of them is missing.
    """
    folder = _part(folder, parts)
    return _only(folder, _WEIGHTS), _json(folder / "config.json")


def _part(folder: Path, parts: Sequence[str]) -> Path:
    """The folder of the weights: of a pipeline, one of its folders, unless it has but one part and no folders."""
    if (folder / "config.json").is_file() or not (folder / "model_index.json").is_file():
        return folder
    for part in parts:
        if (folder / part / "config.json").is_file():
            return folder / part
    raise WeightsError(
        f"{folder} is a pipeline without a folder {' or '.join(parts)}: give the folder of the weights"
    )


def _only(folder: Path, patterns: Iterable[str]) -> Path:
    for pattern in patterns:
        found = [path for path in sorted(folder.glob(pattern)) if path.name != "parity.npz"]
        plain = [path for path in found if not {".fp16", ".bf16", ".non_ema"} & set(path.suffixes)]
        if len(plain or found) > 1:
            names = ", ".join(path.name for path in found[:4])
            raise WeightsError(f"{folder} holds {names}: give one of these files")
        if found:
            return (plain or found)[0]
    raise WeightsError(f"{folder} holds no weights: a file {' or '.join(patterns)} is expected")


def _folder_config(folder: Path) -> dict[str, Any]:
    """`config.json`, and beside it, within it or in the pipeline's, that of the scheduler."""
    config = _json(folder / "config.json")
    name = "scheduler_config.json"
    for path in (folder / name, folder / "scheduler" / name, folder.parent / "scheduler" / name):
        if path.is_file():
            return config | {"scheduler": _json(path)}
    return config


def _json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text())
        if not isinstance(value, dict):
            raise ValueError(f"a {type(value).__name__}, expected names with values")
    except FileNotFoundError as error:
        raise WeightsError(f"{path} is missing: it says what network the weights are of") from error
    except (OSError, ValueError) as error:
        raise WeightsError(f"{path} is damaged ({error}): get it again") from error
    return value


def _card(name: str, source: Source) -> str:
    """What is known of the weights, and the original's card where there is one."""
    file = source.file
    taken = source.root if source.root is not None else roots(file)[0]
    lines = [
        f"# {name}",
        "",
        f"Converted by jaxir {version('jaxir')} on {datetime.date.today()}; `jaxir models verify` checks its outputs.",
        "",
        f"- **File**: `{file.name}`{f', of it `{taken}`' if taken else ''}, SHA-256 {file_digest(file)}",
        f"- **Family**: {type(source.family).__name__}",
        *(
            [f"- **Base**: `{source.base.file.name}`, SHA-256 {file_digest(source.base.file)}"]
            if source.base
            else []
        ),
        f"- **Configuration**: `{json.dumps(source.config, sort_keys=True)}`",
        "- **Data, terms and licence**: those of the original, which jaxir's own licence does not cover.",
    ]
    if source.folder is not None and (source.folder / "README.md").is_file():
        lines += ["", "The original's card:", "", (source.folder / "README.md").read_text()]
    return "\n".join(lines) + "\n"
