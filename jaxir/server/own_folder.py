"""The folder of one run: nobody else's, and gone when the run is, however that ends."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PREFIX = "jaxir-serve-"

OWNER = "pid"
"""A file with the number of the process whose folder it is."""


@contextmanager
def own_folder() -> Iterator[Path]:
    """A new folder, of mode 0700, among the temporary ones; those of runs that were killed are removed first."""
    sweep(Path(tempfile.gettempdir()))
    folder = Path(tempfile.mkdtemp(prefix=PREFIX)).resolve()
    try:
        (folder / OWNER).write_text(str(os.getpid()))
        yield folder
    finally:
        _remove(folder)


def sweep(among: Path) -> None:
    """Remove the folders of our own whose process is not there any more, where that can be asked."""
    if os.name != "posix":
        return
    for folder in among.glob(f"{PREFIX}*"):
        try:
            ours = folder.lstat().st_uid == os.getuid() and not folder.is_symlink()
            if ours and not _lives(int((folder / OWNER).read_text())):
                _remove(folder)
        except (OSError, ValueError, OverflowError):  # it says of no process, or has just gone
            continue


def _remove(folder: Path) -> None:
    """Remove a folder in which somebody may still be writing."""
    for _ in range(100):
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
