"""What an earlier run has done, what it began, and what is somebody else's and must stay as it is."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from jaxir.cli.errands import Errand, digest
from jaxir.cli.errors import UsageError
from jaxir.cli.sidecar import ENDING, read_sidecar


class Standing(NamedTuple):
    """How a photograph stands.

    Attributes:
        done: whether there is nothing left to do.
        ours: whether it may be written over unasked: an earlier run with the same settings would give the same.
        reason: why it may not.
    """

    done: bool
    ours: bool
    reason: str = ""


class Outstanding(NamedTuple):
    """What is to be done.

    Attributes:
        left: to restore.
        done: finished before.
        alone: what must not be written over: the file that is there, and why it is not ours.
    """

    left: list[Errand]
    done: list[Errand]
    alone: list[tuple[Errand, Path, str]]


def outstanding(
    errands: list[Errand],
    asked: dict[str, Any],
    kinds: Iterable[str],
    *,
    resume: bool,
    force: bool,
) -> Outstanding:
    """Sort the errands.

    Args:
        errands: all of them.
        asked: everything that decides what is written, as a sidecar keeps it.
        kinds: of files that will be written beside each photograph, with `*` for numbers.
        resume: whether what is finished is left out; otherwise nothing may be there.
        force: whether files that are there may be written over.

    Raises:
        UsageError: if a file is in the way and `resume` is not asked for.
    """
    found = Outstanding([], [], [])
    for errand in errands:
        there = _there(errand, kinds)
        standing = _standing(errand, asked, kinds) if resume and there else Standing(False, False)
        if standing.done:
            found.done.append(errand)
        elif not there or force or standing.ours:
            found.left.append(errand)
        else:
            found.alone.append((errand, there[0], standing.reason))
    if found.alone and not resume:
        more = f" and {len(found.alone) - 1} more" if len(found.alone) > 1 else ""
        path = found.alone[0][1]
        raise UsageError(
            f"{path}{more} exists: pass --force to write over it, or --resume to go on"
        )
    return found


def sweep(errands: Iterable[Errand]) -> None:
    """Remove what a run that was killed had half written, more than an hour ago, where these photographs go."""
    from jaxir.data.files import is_part

    for folder in {errand.output.parent for errand in errands}:
        for path in folder.glob(".*.part"):
            if is_part(path.name) and time.time() - path.stat().st_mtime > 3600:
                path.unlink(missing_ok=True)


def _there(errand: Errand, kinds: Iterable[str]) -> list[Path]:
    """What is there of the photograph and of the files about it."""
    stem = "".join(f"[{letter}]" if letter in "*?[" else letter for letter in errand.output.stem)
    beside = [
        path for kind in kinds for path in sorted(errand.output.parent.glob(f"{stem}.{kind}"))
    ]
    return [path for path in (errand.output, errand.sidecar) if path.exists()] + beside


def _standing(errand: Errand, asked: dict[str, Any], kinds: Iterable[str]) -> Standing:
    if not errand.sidecar.exists():
        return Standing(
            False, False, f"it has no {ENDING} file, so it is not known how it was made"
        )
    if not errand.output.exists():  # the photograph is moved to its place last
        return Standing(False, True)
    try:
        record = read_sidecar(errand.sidecar)
    except UsageError as error:
        return Standing(False, False, str(error))
    before = record["asked"] | {"page": record["input"].get("page")}
    for name, value in (asked | {"page": errand.page}).items():
        if before.get(name) != value:
            reason = f"it was made with {name} {before.get(name)!r}, now {value!r}"
            return Standing(False, False, reason)
    if record["input"]["sha256"] != digest(errand.source):
        return Standing(False, False, f"it was made from another {errand.source.name}")
    if record["output"]["sha256"] != digest(errand.output):
        return Standing(False, False, "it was changed since it was made")
    names = [name for kind in record["files"].values() for name in kind]
    whole = all((errand.output.parent / name).exists() for name in names)
    return Standing(whole and set(kinds) <= set(record["kept"]), True)
