"""Times as people write them: 90, 10s, 5m, 1.5h."""

from __future__ import annotations

import math
import re

from jaxir.cli.errors import UsageError

_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}


def duration(text: str) -> float:
    """Seconds.

    Raises:
        UsageError: if it is no time, or none at all.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", text.strip())
    if not match or not float(match[1]):
        raise UsageError(f"{text!r} is no time: write 10s, 5m or 1.5h")
    return float(match[1]) * _UNITS[match[2]]


def spoken(seconds: float) -> str:
    """Seconds in the largest unit that they fill."""
    if not math.isfinite(seconds):
        return "?"
    for unit, size in (("h", 3600.0), ("min", 60.0)):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
