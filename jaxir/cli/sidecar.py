"""The file beside a restored photograph that says how it was made: `photo.png` has `photo.png.jaxir.json`.

It is written before the photograph is moved into its place and holds its hash. So a photograph with a sidecar that
names its hash is whole and ours; whatever else lies there is somebody else's, or was never finished.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from jaxir.cli.errors import UsageError

ENDING = ".jaxir.json"
SCHEMA = 1


def sidecar_of(output: Path) -> Path:
    """Where the sidecar of a restored photograph lies."""
    return output.with_name(output.name + ENDING)


def read_sidecar(path: Path) -> dict[str, Any]:
    """What a sidecar says.

    Raises:
        UsageError: if it is missing, damaged or of a later schema.
    """
    try:
        record = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise UsageError(f"{path} cannot be read ({error.strerror or error})") from error
    except (ValueError, RecursionError) as error:
        raise _damaged(path) from error
    if isinstance(record, dict) and record.get("schema") not in (SCHEMA, None):
        raise UsageError(
            f"{path} has schema {record['schema']!r}, expected {SCHEMA}: it is of another version of jaxir"
        )
    if not _fits(record, _SHAPE):
        raise _damaged(path)
    return record


def _damaged(path: Path) -> UsageError:
    return UsageError(f"{path} is no sidecar of jaxir, or a damaged one: restore again")


_SHAPE = {
    "schema": int,
    "input": {"file": str, "sha256": str},
    "output": {"file": str, "sha256": str},
    "asked": {},
    "settings": {},
    "degradation": (str, type(None)),
    "weights": {"sha256": str},
    "reads": {},
    "provenance": {},
    "files": {},
    "kept": list,
}
"""What is asked of a sidecar; the rest is for people."""


def _fits(value: Any, shape: Any) -> bool:
    if not isinstance(shape, dict):
        return isinstance(value, shape)
    return isinstance(value, dict) and all(
        name in value and _fits(value[name], part) for name, part in shape.items()
    )


def write_sidecar(path: Path, record: dict[str, Any]) -> None:
    """Write a sidecar whole, in the place of another."""
    from jaxir.data.files import whole_file

    text = json.dumps({"schema": SCHEMA, **record}, indent=2) + "\n"
    with whole_file(path) as file:
        file.write(text.encode())
