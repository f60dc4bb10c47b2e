"""Which photographs go where, and that none of their files is another's."""

from __future__ import annotations

import fnmatch
import hashlib
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from jaxir.cli.errors import UsageError
from jaxir.cli.sidecar import sidecar_of


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
    source: Path,
    output: Path,
    endings: Iterable[str],
    *,
    ending: str | None = None,
    page: str | None = None,
) -> list[Errand]:
    """A file into a file, or every image of a folder to the same place below another.

    Args:
        source: a file or a folder; what lies below the output is not read.
        output: likewise; a file goes into a folder that exists.
        endings: that files may have.
        ending: of the files written into a folder, in the place of their own.
        page: of files with several, a number from 1 or `all`.

    Raises:
        UsageError: if the input is missing, or the output cannot be or is a file that is read.
    """
    from jaxir.data import image_files

    suffix = None if ending is None else f".{ending.lower().lstrip('.')}"
    if page is not None and page != "all" and not re.fullmatch(r"[1-9][0-9]*", page):
        raise UsageError(f"--page is {page}, expected a number from 1, or all")
    if suffix is not None and not (source.is_dir() or output.is_dir()):
        raise UsageError(f"--format is for a folder: {output} has an ending of its own")
    if source.is_dir():
        if output.exists() and not output.is_dir():
            raise UsageError(
                f"{output} is a file but {source} is a folder: give a folder to write to"
            )
        below = source.resolve() in output.resolve().parents
        found = [
            (path, output / path.relative_to(source))
            for path in image_files(source, endings)
            if not (below and path.resolve().is_relative_to(output.resolve()))
        ]
        if not found:
            raise UsageError(f"{source} holds no image but those below {output}")
    elif source.exists():
        found = [(source, output / source.name if output.is_dir() else output)]
    else:
        raise UsageError(f"{source} does not exist: give an image file or a folder of images")
    made = []
    for path, out in found:
        out = out if suffix is None else out.with_suffix(suffix)
        if not out.suffix:
            raise UsageError(
                f"{out} has no ending, which says the format: use {', '.join(endings)}, or make the folder first"
            )
        if out.suffix.lower() not in endings:
            raise UsageError(
                f"{out} ends in {out.suffix!r}, which is no known format: use {', '.join(endings)}"
            )
        if page is None:
            made.append(Errand(path, out))
        elif page != "all":
            made.append(Errand(path, out, int(page)))
        else:
            made += _each_page(path, out)
    _expect_new(made)
    return made


def _expect_new(errands: list[Errand]) -> None:
    """Refuse to write over what is read, and where nothing can be written."""
    sources = {errand.source.resolve() for errand in errands}
    for errand in errands:
        if errand.output.resolve() in sources:
            raise UsageError(
                f"{errand.output} is a photograph that is read, and it would be lost: write somewhere else"
            )
    for folder in {errand.output.parent for errand in errands}:
        there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
        if not there.is_dir():
            raise UsageError(f"{there} is a file, so nothing can be written below it")
        if not os.access(there, os.W_OK | os.X_OK):
            raise UsageError(f"{there} cannot be written to: choose another place")


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


def digest(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def number(sha256: str) -> int:
    """What a photograph's noise is numbered by: its content, whatever its name and its place."""
    return int(sha256[:8], 16) >> 1


def expect_apart(errands: Iterable[Errand], kinds: Iterable[str]) -> None:
    """Refuse photographs of which one would be written over by a file about another.

    Letters count as the same whether large or small, as on many disks.

    Args:
        errands: all of them.
        kinds: of files that will be written beside each, with `*` for numbers.

    Raises:
        UsageError: if there are some.
    """
    stems: dict[tuple[Path, str], Errand] = {}
    for errand in errands:
        place = (errand.output.parent, errand.output.stem.casefold())
        if place in stems:
            raise _shared(stems[place], errand)
        stems[place] = errand
    for errand in errands:
        name = errand.output.name.casefold()
        for dot in (i for i, letter in enumerate(name) if letter == "."):
            owner = stems.get((errand.output.parent, name[:dot]))
            rest = name[dot + 1 :]
            if owner not in (None, errand) and any(fnmatch.fnmatch(rest, kind) for kind in kinds):
                raise _shared(owner, errand)


def _shared(one: Errand, other: Errand) -> UsageError:
    return UsageError(
        f"{one.source} and {other.source} would share the files {one.output.stem}.*: restore them into two folders"
    )
