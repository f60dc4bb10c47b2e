"""Which photographs go where, which of them are done, and what must not be written over."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from jaxir.cli.errors import UsageError
from jaxir.cli.sidecar import ENDING, read_sidecar, sidecar_of

_PART = re.compile(r"\..+\.[0-9a-f]{8}\.part(\.\w+)?")
"""Names of files that are on their way."""


class Errand(NamedTuple):
    """One photograph to restore.

    Attributes:
        source: its file.
        output: the file to write.
        page: of a file with several, counted from 1; None for a file with one.
    """

    source: Path
    output: Path
    page: int | None = None

    @property
    def name(self) -> str:
        """For people."""
        return self.source.name if self.page is None else f"{self.source.name}, page {self.page}"

    def beside(self, what: str, ending: str = ".png") -> Path:
        """Another file about the same photograph: `photo.WHAT.png` beside `photo.png`."""
        return self.output.with_name(f"{self.output.stem}.{what}{ending}")

    @property
    def sidecar(self) -> Path:
        """The file that says how it was made."""
        return sidecar_of(self.output)


def errands(
    source: Path, output: Path, *, ending: str | None = None, page: str | None = None
) -> list[Errand]:
    """A file into a file, or every image of a folder to the same place below another.

    Args:
        source: a file or a folder.
        output: likewise; a file goes into a folder that exists.
        ending: of the files written into a folder, in the place of their own.
        page: of files with several, a number from 1 or `all`.

    Raises:
        UsageError: if the input is missing or the output cannot be.
    """
    from jaxir.data import image_files
    from jaxir.data.photo import SUFFIXES

    suffix = None if ending is None else f".{ending.lower().lstrip('.')}"
    if page is not None and page != "all" and not (page.isdigit() and int(page) > 0):
        raise UsageError(f"--page is {page}, expected a number from 1, or all")
    into_folder = source.is_dir() or output.is_dir()
    if suffix is not None and not into_folder:
        raise UsageError(f"--format is for a folder: {output} has an ending of its own")
    if source.is_dir():
        if output.exists() and not output.is_dir():
            raise UsageError(
                f"{output} is a file but {source} is a folder: give a folder to write to"
            )
        if output.resolve() == source.resolve():
            raise UsageError(f"{output} is the folder that is read: give another one to write to")
        found = [
            (path, output / path.relative_to(source))
            for path in image_files(source, SUFFIXES)
            if not path.is_relative_to(output)
        ]
    elif source.exists():
        found = [(source, output / source.name if output.is_dir() else output)]
    else:
        raise UsageError(f"{source} does not exist: give an image file or a folder of images")
    made = []
    for path, out in found:
        out = out if suffix is None else out.with_suffix(suffix)
        if out.suffix.lower() not in SUFFIXES:
            raise UsageError(
                f"{out} ends in {out.suffix!r}, which is no known format: use {', '.join(SUFFIXES)}"
            )
        if page is None:
            made.append(Errand(path, out))
        elif page != "all":
            made.append(Errand(path, out, int(page)))
        else:
            made += _each_page(path, out)
    return made


def _each_page(path: Path, out: Path) -> list[Errand]:
    from jaxir.data import ImageFileError
    from jaxir.data.photo import pages

    try:
        count = pages(path)
    except ImageFileError:  # which is said when it is read, and the others go on
        count = 1
    if count == 1:
        return [Errand(path, out)]
    return [
        Errand(path, out.with_name(f"{out.stem}.page-{i}{out.suffix}"), i)
        for i in range(1, count + 1)
    ]


def sweep(errands: Iterable[Errand]) -> None:
    """Remove what a run that was killed had half written, more than an hour ago, where these photographs go."""
    for folder in {errand.output.parent for errand in errands}:
        for path in folder.glob(".*.part*"):
            if _PART.fullmatch(path.name) and time.time() - path.stat().st_mtime > 3600:
                path.unlink(missing_ok=True)


def digest(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def number(sha256: str) -> int:
    """What a photograph's noise is numbered by: its content, whatever its name and its place."""
    return int(sha256[:8], 16) >> 1


def expect_apart(errands: Iterable[Errand]) -> None:
    """Refuse photographs whose files beside them would have one name.

    Raises:
        UsageError: if there are some.
    """
    taken: dict[Path, Errand] = {}
    for errand in errands:
        name = errand.output.with_suffix("")
        if name in taken:
            raise UsageError(
                f"{taken[name].source} and {errand.source} differ in their endings only, and would share their files: "
                "restore them into two folders"
            )
        taken[name] = errand


def unfinished(
    errands: list[Errand],
    asked: dict[str, Any],
    kinds: Iterable[str],
    *,
    resume: bool,
    force: bool,
) -> list[Errand]:
    """The errands that are left to do.

    Args:
        errands: all of them.
        asked: the settings, as a sidecar keeps them.
        kinds: of files that will be written beside each photograph, with `*` for numbers.
        resume: whether finished ones are left out; they have a sidecar with these settings and both files' hashes.
        force: whether files that are there may be written over.

    Raises:
        UsageError: if a file is in the way.
    """
    left, in_the_way = [], []
    for errand in errands:
        there = _there(errand, kinds)
        reason = _unlike(errand, asked) if resume and there else ""
        if reason is None:
            continue
        begun = resume and errand.sidecar.exists() and not errand.output.exists()
        if there and not force and not begun:
            in_the_way.append((there[0], reason))
        left.append(errand)
    if in_the_way:
        path, reason = in_the_way[0]
        more = f" and {len(in_the_way) - 1} more" if len(in_the_way) > 1 else ""
        why = f" ({reason})" if reason else ""
        raise UsageError(f"{path}{more} exists{why}: pass --force to write over it")
    return left


def _there(errand: Errand, kinds: Iterable[str]) -> list[Path]:
    """What is there of the photograph and of the files about it."""
    stem = "".join(f"[{letter}]" if letter in "*?[" else letter for letter in errand.output.stem)
    beside = [
        path for kind in kinds for path in sorted(errand.output.parent.glob(f"{stem}.{kind}"))
    ]
    return [path for path in (errand.output, errand.sidecar) if path.exists()] + beside


def _unlike(errand: Errand, asked: dict[str, Any]) -> str | None:
    """Why a photograph is not what these settings would give; None if it is."""
    if not errand.output.exists():
        return "not finished"
    if not errand.sidecar.exists():
        return f"without a {ENDING} file, so it is not known how it was made"
    try:
        record = read_sidecar(errand.sidecar)
    except UsageError as error:
        return str(error)
    before = record.get("asked", {})
    for name, value in asked.items():
        if before.get(name) != value:
            return f"made with {name} {before.get(name)!r}, now {value!r}"
    if record["input"]["sha256"] != digest(errand.source):
        return f"made from another {errand.source.name}"
    if record["output"]["sha256"] != digest(errand.output):
        return "changed since it was made"
    return None
