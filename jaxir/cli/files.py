"""Files in, files out: one image or a folder, nothing overwritten unasked, one failure does not stop the rest."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from jaxir.cli.errors import SomeFailed, UsageError


def pairs(source: Path, output: Path, *, force: bool) -> list[tuple[Path, Path]]:
    """Input and output paths: a file to a file, or every image of a folder to the same name below another.

    Raises:
        UsageError: if the input is missing, or an output exists and `force` is not given.
    """
    from jaxir.data import image_files

    if source.is_dir():
        found = [(path, output / path.relative_to(source)) for path in image_files(source)]
    elif source.exists():
        found = [(source, output / source.name if output.is_dir() else output)]
    else:
        raise UsageError(f"{source} does not exist: give an image file or a folder of images")
    taken = [str(out) for _, out in found if out.exists()]
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
        out.parent.mkdir(parents=True, exist_ok=True)
        try:
            work(number, path, out)
        except (ValueError, OSError, ArithmeticError) as error:
            if not folder:
                raise
            failed.append(f"{path}: {' '.join(str(error).split())}")
    if failed:
        raise SomeFailed(f"{len(failed)} of {len(found)} images failed: {'; '.join(failed)}")
