"""What stands in a record that nobody vouches for: it may have any shape, so nothing is asked of it twice."""

from __future__ import annotations

from typing import Any


def at(record: Any, *names: str) -> Any:
    """The value under a name, under a name in that, and so on; None if there is none."""
    for name in names:
        record = record.get(name) if isinstance(record, dict) else None
    return record


def mapping_at(record: Any, *names: str) -> dict[str, Any]:
    """The names and values there; none if it is anything else."""
    found = at(record, *names)
    return found if isinstance(found, dict) else {}


def number_at(record: Any, *names: str) -> float | None:
    """The finite number there; None if it is anything else."""
    found = at(record, *names)
    if not isinstance(found, int | float) or isinstance(found, bool):
        return None
    return found if abs(found) < 1e300 else None  # whole numbers may be longer than floats are


def text_at(record: Any, *names: str) -> str | None:
    """The text there; None if there is none or it is anything else."""
    found = at(record, *names)
    return found if isinstance(found, str) and found else None
