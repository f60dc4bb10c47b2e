"""The files of one restored photograph: itself, how it was made, and on request what a person looks at."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from jaxir.cli.errands import Errand
from jaxir.cli.errors import UsageError
from jaxir.cli.sidecar import read_sidecar, write_sidecar

if TYPE_CHECKING:
    from jaxir.cli.photograph import Restored
    from jaxir.data.photo import Depth, Photo


@dataclasses.dataclass(frozen=True)
class Keep:
    """What is written beside a restored photograph.

    Attributes:
        samples: each of them.
        uncertainty: the map of their deviation, in colours and in grey.
        report: what a report shows: samples, uncertainty, residual and the estimates on the way.
        gif: an animation of the way and the samples.
        kernel: the blur that a blind method found.
    """

    samples: bool = False
    uncertainty: bool = False
    report: bool = False
    gif: bool = False
    kernel: bool = False

    @property
    def spread(self) -> bool:
        """Whether there is a map of the deviation, which takes two samples."""
        return self.uncertainty or self.report

    @property
    def kinds(self) -> list[str]:
        """The ends of their names, with `*` for numbers."""
        return [
            *(["kernel.png"] if self.kernel else []),
            *(["sample-*.png"] if self.samples or self.report else []),
            *(["uncertainty.png", "std.png"] if self.spread else []),
            *(["residual.png", "trajectory-*.png"] if self.report else []),
            *(["gif"] if self.gif else []),
        ]


class Beside(NamedTuple):
    """What is written beside a photograph.

    Attributes:
        files: the names of each kind, for the sidecar.
        scales: the end of the scale of a map in colours, in levels of 255.
        pictures: images in [-1, 1].
    """

    files: dict[str, list[str]]
    scales: dict[str, float]
    pictures: dict[Path, np.ndarray]


def write_results(
    errand: Errand,
    photo: Photo,
    restored: Restored,
    keep: Keep,
    *,
    source: dict[str, Any],
    asked: dict[str, Any],
    depth: Depth | None = None,
) -> dict[str, Any]:
    """Write them, the photograph last; what the sidecar holds.

    Args:
        errand: where to.
        photo: the degraded one.
        restored: what became of it.
        keep: what is written beside it.
        source: what the sidecar says of the file that was read.
        asked: the settings as they were given.
        depth: bits of a channel; those of the degraded one by default.
    """
    from jaxir.data import write_image
    from jaxir.data.files import whole_file
    from jaxir.data.photo import photo_bytes
    from jaxir.report import animation

    output, before = errand.output, _before(errand.sidecar)
    beside = _pictures(errand, restored, keep)
    content = photo_bytes(restored.image, photo, output, alpha=restored.alpha, depth=depth)
    record = {
        "input": source,
        "output": {"file": output.name, "sha256": hashlib.sha256(content).hexdigest()},
        "asked": asked,
        **restored.record,
        "kept": keep.kinds,
        "files": beside.files,
        "scales": beside.scales,
    }
    write_sidecar(errand.sidecar, record)
    for path, picture in beside.pictures.items():
        write_image(path, picture, overwrite=True)
    if keep.gif:
        way = [*restored.trajectory, restored.image]
        animation(output.with_suffix(".gif"), way, list(restored.samples), overwrite=True)
    with whole_file(output) as file:
        file.write(content)
    for name in before - _listed(record):
        output.with_name(name).unlink(missing_ok=True)
    return record


def _before(sidecar: Path) -> set[str]:
    """What an earlier restoration of the photograph left beside it, which is not of this one."""
    try:
        return _listed(read_sidecar(sidecar))
    except UsageError:
        return set()


def _listed(record: dict[str, Any]) -> set[str]:
    """The files of a sidecar that lie beside it."""
    names = (name for kind in record["files"].values() for name in kind)
    return {name for name in names if Path(name).name == name}


def _pictures(errand: Errand, restored: Restored, keep: Keep) -> Beside:
    """What is written beside, before it is written: the sidecar lists it."""
    from jaxir.report import residual_map, uncertainty_map

    found = Beside({}, {}, {})

    def add(kind: str, images: Sequence[np.ndarray], names: Sequence[str]) -> None:
        paths = [errand.beside(name) for name in names]
        found.pictures.update(zip(paths, images, strict=True))
        found.files[kind] = [path.name for path in paths]

    if keep.samples or keep.report:
        add("samples", list(restored.samples), _samples(restored))
    if keep.spread and restored.std is not None:
        colours, found.scales["uncertainty"] = uncertainty_map(restored.std)
        spread = np.sqrt(np.mean(np.square(restored.std), axis=-1, keepdims=True))
        grey = 2 * spread / max(spread.max(), np.finfo(np.float32).tiny) - 1
        add("uncertainty", [colours], ["uncertainty"])
        add("std", [grey], ["std"])
    if keep.report and restored.residual is not None:
        colours, found.scales["residual"] = residual_map(restored.residual)
        add("residual", [colours], ["residual"])
    if keep.report:
        names = [f"trajectory-{i + 1:02}" for i in range(len(restored.trajectory))]
        add("trajectory", restored.trajectory, names)
    if keep.gif:
        found.files["animation"] = [errand.output.with_suffix(".gif").name]
    if keep.kernel and restored.kernel is not None:
        add("kernel", [2 * restored.kernel[..., None] - 1], ["kernel"])
    return found


def _samples(restored: Restored) -> list[str]:
    """A name for each sample, of its run and, where a run has several, of the particle."""
    each = len(restored.samples) // restored.runs
    return [
        f"sample-{i // each + 1}" + (f"-{i % each + 1}" if each > 1 else "")
        for i in range(len(restored.samples))
    ]
