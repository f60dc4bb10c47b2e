"""How much memory is left to this process: of the machine, and of the container that it may run in."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple


class Memory(NamedTuple):
    """Memory of the machine, in bytes.

    Attributes:
        total: of all of it.
        available: what programs may still take; all where the system does not say.
        left: what the limit of a container leaves; None without one.
    """

    total: int
    available: int
    left: int | None

    @property
    def free(self) -> int:
        """What this process may still take."""
        return self.available if self.left is None else min(self.available, self.left)


def memory() -> Memory:
    """That of this machine, now.

    Raises:
        OSError: where the system does not say.
    """
    left = left_in_container(Path("/sys/fs/cgroup"), Path("/proc/self/cgroup"))
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        known = {line.split(":")[0]: int(line.split()[1]) * 1024 for line in lines}
        return Memory(known["MemTotal"], known["MemAvailable"], left)
    except (OSError, KeyError):
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        return Memory(total, total, left)  # macOS does not say what is free


def left_in_container(root: Path, own: Path) -> int | None:
    """What is left of the memory that a container may have, in bytes; None where nothing limits it.

    Args:
        root: of the control groups, of either version.
        own: the file that names this process's.
    """
    try:
        lines = [line.split(":", 2) for line in own.read_text().splitlines()]
    except OSError:
        return None
    left = []
    for _, controllers, path in lines:
        if controllers not in ("", "memory"):
            continue
        most, used, files = ("memory.max", "memory.current", "inactive_file")
        if controllers:
            most, used, files = "memory.limit_in_bytes", "memory.usage_in_bytes", f"total_{files}"
        top = root / controllers
        group = top / path.lstrip("/")
        for folder in (group, *group.parents):
            limit = _number(folder / most)
            if limit is not None and limit < 2**60:  # as large as that stands for none
                given_back = _figure(folder / "memory.stat", files)  # copies of files on the disk
                left.append(limit - (_number(folder / used) or 0) + given_back)
            if folder == top:
                break
    return max(0, min(left)) if left else None


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):  # "max"
        return None


def _figure(path: Path, name: str) -> int:
    """From a table of names and numbers; 0 where it is not there."""
    try:
        rows = dict(line.split() for line in path.read_text().splitlines())
        return int(rows[name])
    except (OSError, ValueError, KeyError):
        return 0
