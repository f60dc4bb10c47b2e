"""`jaxir report`: restored photographs and all that is known about them, as one page."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import tyro

MANY = 12
"""Photographs in a page whose pictures are kept large."""


def report(
    source: Annotated[Path, tyro.conf.Positional],
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])] = Path("report.html"),
    truth: Path | None = None,
    title: str | None = None,
    side: int | None = None,
    force: bool = False,
) -> None:
    """Show what `jaxir restore` did on one page that needs no other file and no network.

    Each photo before and after under one dividing line, its samples, the map of their deviation, the residual and the
    way to it, as far as they were written; figures, settings, and the command that makes the same again.

    Args:
        source: a restored image, the NAME.jaxir.json beside it, or a folder with such files in it.
        output: the page to write.
        truth: the clean image, or a folder of them with the names of the restored ones; adds PSNR and SSIM.
        title: of the page; the name of the source by default.
        side: longest side of the pictures on the page, in pixels; by default 1600, or 1024 for more than 12 photos.
            Of larger photos there are also pieces at true pixels, from where the samples differ most.
        force: write over a page that exists.
    """
    from jaxir.cli.errors import UsageError
    from jaxir.cli.sidecar import ENDING

    if output.suffix.lower() not in (".html", ".htm"):
        raise UsageError(f"{output} is no name of a page: give one that ends in .html")
    if output.exists() and not force:
        raise UsageError(f"{output} exists: pass --force to write over it")
    if not output.parent.is_dir():
        raise UsageError(f"{output.parent} is not a folder: create it first")
    if side is not None and side < 16:
        raise UsageError(f"--side is {side}, expected at least 16 pixels")
    if truth is not None and not truth.exists():
        raise UsageError(f"{truth} does not exist: give the clean image or a folder of them")

    root, found = _sidecars(source)
    heading = title or source.resolve().name.removesuffix(ENDING)
    write_page(output, root, found, title=heading, truth=truth, side=side)


def write_page(
    output: Path,
    root: Path,
    sidecars: list[Path],
    *,
    title: str,
    truth: Path | None = None,
    side: int | None = None,
) -> None:
    """Write the page of these photographs and say what is wrong with them.

    Args:
        output: the page; one that exists is replaced.
        root: the folder that their names begin at.
        sidecars: of the photographs, in their order.
        title: of the page.
        truth: as for `report`.
        side: likewise.

    Raises:
        SomeFailed: if something is wrong with some of them, which the page shows.
    """
    from jaxir.cli.entry import read_entry
    from jaxir.cli.errors import SomeFailed
    from jaxir.cli.printable import printable
    from jaxir.cli.progress import progress
    from jaxir.cli.sidecar import ENDING
    from jaxir.data.files import whole_file
    from jaxir.report import page

    side = side or (1600 if len(sidecars) <= MANY else 1024)
    entries = []
    with progress("Reading") as callback:
        for number, sidecar in enumerate(sidecars):
            callback(number, len(sidecars))
            name = sidecar.relative_to(root).as_posix().removesuffix(ENDING)
            clean = None if truth is None else _truth(truth, name)
            entries.append(read_entry(sidecar, title=name, side=side, truth=clean))
    with whole_file(output) as file:
        file.write(page(entries, title=title).encode())
    photos = "1 photo" if len(sidecars) == 1 else f"{len(sidecars)} photos"
    print(printable(f"{output}: {photos}, {output.stat().st_size / 1e6:.1f} MB"))
    wrong = [f"{entry.title}: {entry.problem}" for entry in entries if entry.problem]
    for line in wrong:
        print(printable(f"jaxir: {line}"), file=sys.stderr)
    if wrong:
        raise SomeFailed(f"problems with {len(wrong)} of {photos}, which the page shows")


def _sidecars(source: Path) -> tuple[Path, list[Path]]:
    """The folder that names are relative to, and what was written beside restored images."""
    from jaxir.cli.errors import UsageError
    from jaxir.cli.sidecar import ENDING, sidecar_of
    from jaxir.data.image_file import is_hidden

    if source.is_dir():
        found = sorted(
            path
            for path in source.rglob(f"*{ENDING}")
            if path.is_file() and not is_hidden(path, source)
        )
        if not found:
            raise UsageError(f"{source} holds no *{ENDING}: `jaxir restore` writes them")
        return source, found
    if not source.exists():
        raise UsageError(f"{source} does not exist: give a restored image or a folder of them")
    sidecar = source if source.name.endswith(ENDING) else sidecar_of(source)
    if not sidecar.exists():
        raise UsageError(f"{sidecar} does not exist: `jaxir restore` writes it beside its image")
    return sidecar.parent, [sidecar]


def _truth(truth: Path, name: str) -> Path:
    """The clean image of a photograph: of its own name in the folder, or of any ending of it."""
    if not truth.is_dir():
        return truth
    wanted = truth / name
    if wanted.exists():
        return wanted
    others = (path for path in wanted.parent.glob("*") if path.stem == wanted.stem)
    return min(others, default=wanted)
