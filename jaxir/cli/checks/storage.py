"""Where files go: this folder, the temporary one, and what is kept between runs."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path

from jaxir.compilation_cache import Contents
from jaxir.finding import Finding

_LEAST = 2**28


def check_folder(folder: Path, writable: bool, free: int) -> Finding:
    """The one that the command was given in; `free` is in bytes."""
    said = f"{folder}, {free / 2**30:.1f} GiB free"
    if not writable:
        advice = "change to a folder of your own, or name one with -o"
        return Finding("this folder", f"{folder} cannot be written to", advice, wrong=False)
    if free < _LEAST:
        return Finding("this folder", said, "free some of the disk: photos of 16 bits are large")
    return Finding("this folder", said)


def check_temporary(folder: Path | None, free: int) -> Finding:
    """The one for what is thrown away; None where there is none."""
    if folder is None:
        return Finding("temporary", "there is no folder for it", "set TMPDIR to one")
    said = f"{folder}, {free / 2**30:.1f} GiB free"
    return Finding("temporary", said, "set TMPDIR elsewhere" if free < _LEAST else None)


def check_cache(
    variable: str, folder: Path | None, obstacle: str | None, held: Contents
) -> Finding:
    """What is compiled once and kept.

    Args:
        variable: that names the folder.
        folder: of compiled programs, or None where none are kept.
        obstacle: why none can be.
        held: what is there.
    """
    if folder is None:
        said = "off, so each run compiles everything anew"
        return Finding("cache", said, f"set {variable} to a folder of your own", wrong=False)
    if obstacle:
        advice = f"set {variable} to a folder of your own"
        return Finding("cache", f"{folder} cannot be used: {obstacle}", advice)
    return Finding("cache", f"{folder}, {held.programs} programs, {held.size / 2**20:.0f} MiB")


def check_token(path: Path, mode: int | None) -> Finding | None:
    """The file with the key to an account on the hub, which others must not read; None where there is none."""
    if mode is None or os.name != "posix":
        return None
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        said = f"others may read {path}"
        return Finding("hub token", said, f"chmod 600 {path}")
    return Finding("hub token", f"{path}, for your eyes only")


def token(environment: Mapping[str, str]) -> tuple[Path, int | None]:
    """The file of the token and its mode, None where there is no such file."""
    home = f"{environment.get('XDG_CACHE_HOME') or '~/.cache'}/huggingface"
    home = environment.get("HF_HOME") or home
    path = Path(os.path.expanduser(environment.get("HF_TOKEN_PATH") or f"{home}/token"))
    try:
        return path, path.stat().st_mode
    except OSError:
        return path, None


def free(folder: Path) -> int:
    """Bytes that are left on the disk of a folder, which need not exist yet.

    Raises:
        OSError: if the disk does not say.
    """
    import shutil

    there = next(path for path in (folder, *folder.parents) if path.exists())
    return shutil.disk_usage(there).free
