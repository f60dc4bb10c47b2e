"""The computer: its cores, memory and clock, and the part of them that is left to this process."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from jaxir.finding import Finding
from jaxir.memory import Memory

_GIB = 2**30
_DAY = 86400.0


def check_cores(cores: int, usable: int, quota: float | None) -> Finding:
    """How many there are, and may be used.

    Args:
        cores: of the machine.
        usable: those that this process may run on.
        quota: as many as a container may keep busy; None for all.
    """
    least = min(usable, quota or usable)
    if least < cores:
        said = f"{least:.3g} of {cores} may be used"
        advice = "allow more (taskset, or --cpus of the container), for more speed on the CPU"
        return Finding("cores", said, advice, wrong=False)
    return Finding("cores", str(cores))


def check_instructions(kind: str, flags: Iterable[str] | None) -> Finding | None:
    """What jaxlib was compiled for; None where the processor does not say.

    Args:
        kind: of machine, such as "x86_64".
        flags: that the processor has.
    """
    if kind not in ("x86_64", "AMD64") or flags is None or "avx" in flags:
        return None
    return Finding(
        "processor",
        "it has no AVX instructions, without which jaxlib ends at once",
        "use another machine; in a virtual one, pass the CPU of the host through",
    )


def check_memory(memory: Memory) -> Finding:
    """Of this computer."""
    said = f"{memory.free / _GIB:.1f} GiB free of {memory.total / _GIB:.1f}"
    if memory.free < memory.available:
        said += ", by the limit of this container"
    if memory.free < _GIB:
        return Finding("memory", said, "close other programs: 1 GiB is the least that restores")
    if memory.free < 3 * _GIB:
        advice = "with little memory, use --tile 256 --chunk 1"
        return Finding("memory", said, advice, wrong=False)
    return Finding("memory", said)


def check_clock(now: float, installed: float) -> Finding:
    """The time, in seconds since 1970, which cannot be before jaxir was installed."""
    said = datetime.fromtimestamp(now).isoformat(" ", "minutes")
    if now < installed - _DAY:
        advice = "set the clock: downloads fail with a wrong one, and records have its date"
        return Finding("clock", f"{said}, before jaxir was installed", advice)
    return Finding("clock", said)


def check_encoding(output: str, files: str) -> Finding:
    """Of what is printed, and of file names."""
    odd = [name for name in (output, files) if name.lower().replace("-", "") != "utf8"]
    said = f"{output}, file names {files}"
    if odd:
        advice = "set PYTHONUTF8=1, so that every name of a file can be printed"
        return Finding("encoding", said, advice, wrong=False)
    return Finding("encoding", said)


def cores() -> tuple[int, int, float | None]:
    """What `check_cores` takes."""
    count = os.cpu_count() or 1
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else count
    return count, usable, _quota(Path("/sys/fs/cgroup"))


def flags() -> set[str] | None:
    """Of the processor, where the system says."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as lines:
            return next((set(line.split()) for line in lines if line.startswith("flags")), None)
    except OSError:
        return None


def kind() -> str:
    """Of machine."""
    return platform.machine()


def _quota(root: Path) -> float | None:
    """Cores that a container may keep busy."""
    try:
        if (root / "cpu.max").is_file():
            most, period = (root / "cpu.max").read_text().split()
            return None if most == "max" else int(most) / int(period)
        most, period = (
            (root / "cpu" / f"cpu.cfs_{name}_us").read_text() for name in ("quota", "period")
        )
        return None if int(most) < 0 else int(most) / int(period)
    except (OSError, ValueError):
        return None
