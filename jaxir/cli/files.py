"""Files in, files out: one image or a folder, nothing overwritten unasked, one failure does not stop the rest."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from jaxir.cli.errors import EXPECTED, SomeFailed, UsageError, one_line


def pairs(
    source: Path,
    output: Path,
    *,
    force: bool,
    beside: Callable[[Path], list[Path]] = lambda out: [],
) -> list[tuple[Path, Path]]:
    """Input and output paths: a file to a file, or every image of a folder to the same name below another.

    Args:
        source: a file or a folder.
        output: likewise.
        force: whether outputs may exist.
        beside: what else is written for an output.

    Raises:
        UsageError: if the input is missing, or an output exists and `force` is not given, or cannot be written.
    """
    from jaxir.data import image_files
    from jaxir.data.image_file import FORMATS

    if source.is_dir():
        if output.exists() and not output.is_dir():
            raise UsageError(
                f"{output} is a file but {source} is a folder: give a folder to write to"
            )
        found = [(path, output / path.relative_to(source)) for path in image_files(source)]
    elif source.exists():
        found = [(source, output / source.name if output.is_dir() else output)]
    else:
        raise UsageError(f"{source} does not exist: give an image file or a folder of images")
    for _, out in found:
        if out.suffix.lower() not in FORMATS:
            raise UsageError(
                f"{out} ends in {out.suffix!r}, which is no known format: use {', '.join(FORMATS)}"
            )
    taken = [str(path) for _, out in found for path in (out, *beside(out)) if path.exists()]
    if taken and not force:
        more = f" and {len(taken) - 1} more" if len(taken) > 1 else ""
        raise UsageError(f"{taken[0]}{more} exists: pass --force to write over it")
    return found


def each(
    found: list[tuple[Path, Path]], work: Callable[[int, Path, Path], None], *, folder: bool
) -> None:
    """`work(number, input, output)` for every pair.

    Raises:
        SomeFailed: after the last, if some of a folder failed; a single file raises what it raised.
    """
    failed = []
    for number, (path, out) in enumerate(found):
        try:
            out.parent.mkdir(parents=True, exist_ok=True)
            work(number, path, out)
        except EXPECTED as error:
            if not folder:
                raise
            line = one_line(error)
            failed.append(line if str(path) in line else f"{path}: {line}")
    if failed:
        raise SomeFailed(f"{len(failed)} of {len(found)} images failed: {'; '.join(failed)}")
