"""Compiled programs kept between runs of the shell, so that the second begins at once.

JAX keeps them itself where it is told a folder; what is decided here is which, how much of it, and when none. A program
for the CPU holds instructions that another CPU may not have, and a home folder may be shared, so each kind of CPU has
a folder of its own. The bound on the size is not JAX's: that one reads every file again for each program it adds.

Only the shell keeps anything. A program that imports jaxir chooses for itself.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import stat
import warnings
from collections.abc import Iterator, Mapping, MutableMapping
from pathlib import Path
from typing import NamedTuple

SIZE, COUNT = 2**30, 4000
"""Bytes and programs that are kept; a size of photo that is new brings about a hundred programs and a megabyte."""
ROOM = 2**26
"""Bytes that must be free on the disk for anything to be kept."""

_OFF = ("off", "0", "no", "false")


class Contents(NamedTuple):
    """What is kept.

    Attributes:
        programs: how many.
        size: of all, in bytes.
    """

    programs: int
    size: int


def keep_compiled(environment: MutableMapping[str, str] = os.environ) -> Path | None:
    """Let JAX, which must not be imported yet, keep what it compiles; the folder, or None where it cannot be used.

    JAXIR_CACHE is the folder in the place of `~/.cache/jaxir`, or "off". Where JAX_COMPILATION_CACHE_DIR is set, that
    counts and nothing is changed.
    """
    if "JAX_COMPILATION_CACHE_DIR" in environment:
        return None
    folder = location(environment)
    if folder is None or obstacle(folder) is not None:
        return None
    trim(folder.parent)
    environment["JAX_COMPILATION_CACHE_DIR"] = str(folder)
    # a run has a hundred programs that take 20 ms each, and all are waited for
    environment.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
    # half a file, of a run that was killed, or no room on the disk: the program is compiled again, no more
    warnings.filterwarnings("ignore", "Error (reading|writing) persistent compilation cache entry")
    return folder


def location(environment: Mapping[str, str]) -> Path | None:
    """Where the programs for this CPU are kept, or None for nowhere."""
    chosen = environment.get("JAXIR_CACHE", "")
    root = chosen or f"{environment.get('XDG_CACHE_HOME') or '~/.cache'}/jaxir"
    root = os.path.expanduser(root)
    if chosen.lower() in _OFF or root.startswith("~"):  # it may have no home
        return None
    return Path(os.path.abspath(root)) / "compiled" / _processor()


def obstacle(folder: Path) -> str | None:
    """Why nothing can be kept in a folder, which is made where it is missing; None if it can.

    Whoever can write there can have a program run in the name of whoever reads it, so it must be one's own.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.stat()
        free = shutil.disk_usage(folder).free
    except OSError as error:
        return f"it cannot be made ({error.strerror})"
    if hasattr(os, "geteuid") and status.st_uid != os.geteuid():
        return "it belongs to another user"
    if os.name == "posix" and status.st_mode & stat.S_IWOTH:
        return "everybody may write to it"
    if not os.access(folder, os.W_OK | os.X_OK):
        return "it cannot be written to"
    if free < ROOM:
        return f"the disk has {free // 2**20} MB left"
    return None


def contents(root: Path) -> Contents:
    """What is kept below a folder."""
    sizes = [status.st_size for _, status in _programs(root)]
    return Contents(len(sizes), sum(sizes))


def trim(root: Path, *, size: int = SIZE, count: int = COUNT) -> None:
    """Delete what was used the longest ago, until no more is left than may be kept.

    A file system that does not write down when a file was read keeps what was compiled last.
    """
    found = sorted(_programs(root), key=_used, reverse=True)
    total = 0
    for number, (path, status) in enumerate(found):
        total += status.st_size
        if number >= count or total > size or not status.st_size:
            try:
                path.unlink(missing_ok=True)
            except OSError:
                return  # it will be found too large again


def _used(program: tuple[Path, os.stat_result]) -> float:
    _, status = program
    return max(status.st_atime, status.st_mtime)


def _programs(root: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """Files that JAX wrote, and no others."""
    for folder, _, names in os.walk(root):
        for name in names:
            if name.endswith("-cache"):
                path = Path(folder, name)
                try:
                    yield path, path.stat()
                except OSError:  # another run deleted it
                    continue


def _processor() -> str:
    """A name for the instructions that this CPU has."""
    facts = {platform.machine()}
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as lines:
            for line in lines:
                if not line.strip():
                    break  # the first core tells
                name, _, value = line.partition(":")
                if name.strip() in ("model name", "flags", "Features", "CPU part"):
                    facts.add(value.strip())
    except OSError:  # no Linux: folders are seldom shared there, so each machine has its own
        facts |= {platform.processor(), platform.node()}
    digest = hashlib.sha256("\n".join(sorted(facts)).encode()).hexdigest()
    return f"{platform.machine() or 'cpu'}-{digest[:12]}"
