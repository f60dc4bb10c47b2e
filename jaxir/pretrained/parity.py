"""Inputs and outputs of a network, stored beside its weights: whoever loads them can see whether they still fit.

`parity.npz` holds x (n, H, W, C), t (n), the network's output p (n, H, W, ·) and, for one that sees it, y, and
`parity.json` says whose outputs they are. Only those of the original show that a conversion is right; our own find what
changed since.
"""

from __future__ import annotations

import dataclasses
import json
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxir.denoisers import NetworkDenoiser
from jaxir.networks import Network
from jaxir.pretrained.containers import WeightsError
from jaxir.pretrained.store import check, read
from jaxir.pretrained.torch_file import read_tensors

TOLERANCE = 2e-4
"""Of the largest output: float32 in another order of summation, through a hundred layers."""


@dataclasses.dataclass(frozen=True)
class Record:
    """What a network answers.

    Args:
        x: states, (n, H, W, C).
        t: their times, (n).
        output: the network's outputs, (n, H, W, ·).
        origin: who computed them.
        y: measurements, (n, ...), for a network that sees them.
    """

    x: np.ndarray
    t: np.ndarray
    output: np.ndarray
    origin: str
    y: np.ndarray | None = None

    def __post_init__(self) -> None:
        count = len(self.x)
        for name in ("t", "output", "y"):
            value = getattr(self, name)
            if value is not None and len(value) != count:
                raise WeightsError(f"{name} of the record has {len(value)} entries, x has {count}")
        if self.x.ndim != 4 or self.t.ndim != 1 or self.output.shape[:3] != self.x.shape[:3]:
            raise WeightsError(
                f"x, t and output of the record have shapes {self.x.shape}, {self.t.shape} and {self.output.shape}, "
                "expected (n, H, W, C), (n) and (n, H, W, ...)"
            )


class Verdict(NamedTuple):
    """What `verify` found.

    Attributes:
        difference: max |ours − recorded| / max |recorded|.
        tolerance: that it may have.
        origin: whose outputs are recorded.
    """

    difference: float
    tolerance: float
    origin: str

    @property
    def passed(self) -> bool:
        """Whether it is within the tolerance; what is not finite is not."""
        return self.difference <= self.tolerance


def record_of(
    denoiser: NetworkDenoiser, network: Network, *, origin: str | None = None
) -> Record | None:
    """The outputs of a denoiser's own network for noise, towards both ends of its process.

    None where y is something else than an array whose shape the network tells, as that of a control network.
    """
    entry = getattr(network, "entry", None)
    if denoiser.sees_y and entry is None:
        return None
    side = max(16, 2 * network.stride)
    channels = getattr(network, "in_channels", 3)
    first, last = (float(end) for end in denoiser.process.span)
    t = np.asarray([0.75 * first + 0.25 * last, 0.25 * first + 0.75 * last], np.float32)
    x = np.asarray(jax.random.normal(jax.random.key(0), (2, side, side, channels)))
    y = None
    if denoiser.sees_y:
        shape = entry.shape((side, side))
        y = np.asarray(jax.random.normal(jax.random.key(1), (2, *shape)))
    record = Record(x, t, x, origin or f"jaxir {version('jaxir')}, not the original", y)
    return dataclasses.replace(record, output=_outputs(denoiser, record))


def save_record(folder: Path, record: Record) -> None:
    """Write `parity.npz` and `parity.json` beside weights."""
    arrays = {"x": record.x, "t": record.t, "output": record.output}
    if record.y is not None:
        arrays["y"] = record.y
    np.savez(folder / "parity.npz", **arrays)  # type: ignore[arg-type] # no array is its flag
    said = {"origin": record.origin, "tolerance": TOLERANCE, "sha256": check(folder).sha256}
    (folder / "parity.json").write_text(json.dumps(said, indent=2) + "\n")


def read_record(path: Path, origin: str) -> Record:
    """A record from an npz file.

    Raises:
        WeightsError: if it is missing or damaged, or something in it is.
    """
    try:
        return Record(**read_tensors(path, ""), origin=origin)
    except TypeError as error:
        raise WeightsError(
            f"{path} is no record ({error}): expected x, t, output and perhaps y"
        ) from error


def verify(folder: Path) -> Verdict | None:
    """Compare a folder of weights with its digest, and what it computes with its record; None if it has no record.

    Raises:
        WeightsError: if a file is missing or damaged, or the record is of other weights.
    """
    stored = check(folder)
    path = folder / "parity.json"
    if not path.is_file():
        return None
    try:
        said = json.loads(path.read_text())
        origin, tolerance, digest = str(said["origin"]), float(said["tolerance"]), said["sha256"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WeightsError(
            f"{path} is damaged ({type(error).__name__}: {error}): get it again"
        ) from error
    if digest != stored.sha256:
        raise WeightsError(f"{path} is of other weights than model.safetensors: convert them again")
    record = read_record(folder / "parity.npz", origin)
    difference = np.abs(_outputs(read(folder), record) - record.output).max()
    return Verdict(float(difference / np.abs(record.output).max()), tolerance, origin)


def _outputs(denoiser: NetworkDenoiser, record: Record) -> np.ndarray:
    y = None if record.y is None else jnp.asarray(record.y)
    inputs = (jnp.asarray(record.x), jnp.asarray(record.t), y)
    return np.asarray(_answers(denoiser, *inputs))


@jax.jit
def _answers(
    denoiser: NetworkDenoiser, x: jax.Array, t: jax.Array, y: jax.Array | None
) -> jax.Array:
    return jax.lax.map(lambda case: denoiser.output(*case), (x, t, y))
