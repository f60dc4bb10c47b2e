"""Fields of an experiment that are changed in the shell: `--batch 32 --network.widths 32,64 --process.std 0.1`."""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from jaxir.cli.errors import UsageError, unknown


def read_changes(arguments: Sequence[str]) -> dict[str, str]:
    """{"network.widths": "32,64"} of `--network.widths 32,64` or `--network.widths=32,64`.

    Raises:
        UsageError: if an option has no value, or a value no option.
    """
    changes: dict[str, str] = {}
    rest = list(arguments)
    while rest:
        option = rest.pop(0)
        if not option.startswith("--"):
            raise UsageError(f"{option!r} belongs to no option: write --field {option}")
        name, equals, value = option[2:].partition("=")
        if not equals:
            if not rest or (rest[0].startswith("--")):
                raise UsageError(f"{option} has no value: write {option} VALUE")
            value = rest.pop(0)
        changes[name.replace("-", "_")] = value
    return changes


def changed(value: Any, changes: Mapping[str, str], *, option: str = "--") -> Any:
    """`value` with the fields at these paths, as "process.std", replaced by what the texts say.

    All fields of one object are replaced at once, since some fit only together. A text is read as the type that its
    field is declared to have.

    Args:
        value: a dataclass.
        changes: names of fields from the outside in, with dots between them -> text.
        option: what comes before a path in a message.

    Raises:
        UsageError: if there is no such field, a text is of another type, or the new values are refused.
    """
    if not changes:
        return value
    known = [field.name for field in dataclasses.fields(value)] if _has_fields(value) else []
    known_options = [f"{option}{name}" for name in known]
    inner: dict[str, dict[str, str]] = {}
    for path, text in changes.items():
        name, _, rest = path.partition(".")
        if name not in known:
            raise unknown(f"field of {type(value).__name__}", f"{option}{name}", known_options)
        inner.setdefault(name, {})[rest] = text
    new = {}
    for name, texts in inner.items():
        old, own = getattr(value, name), texts.pop("", None)
        if own is not None:
            old = _read(f"{option}{name}", get_type_hints(type(value))[name], old, own)
        new[name] = changed(old, texts, option=f"{option}{name}.")
    try:
        return dataclasses.replace(value, **new)
    except (TypeError, ValueError) as error:
        given = " ".join(f"{option}{path} {text}" for path, text in changes.items())
        raise UsageError(f"{given}: {error}") from error


def _has_fields(value: Any) -> bool:
    return dataclasses.is_dataclass(value) and not isinstance(value, type)


def _read(option: str, hint: Any, old: Any, text: str) -> Any:
    """The text as a value of the type that the field is declared to have."""
    try:
        new = ast.literal_eval(text.capitalize() if text in ("true", "false", "none") else text)
    except (ValueError, SyntaxError):
        new = text
    for value in (new, text):
        fitting = list(_fitting(hint, value))
        if fitting:
            return fitting[0]
    if _has_fields(old):
        raise UsageError(
            f"{option} is an object, {type(old).__name__}: change it in the experiment's file, or one of its "
            f"fields by {option}.FIELD"
        )
    expected = hint.__name__ if isinstance(hint, type) else str(hint)
    raise UsageError(
        f"{option} is {text!r}, expected {expected}; what is more than numbers and text is changed in the "
        "experiment's file"
    )


def _fitting(hint: Any, value: Any) -> Iterator[Any]:
    """`value`, as the type that `hint` says, if it is a value of it."""
    kind, arguments = get_origin(hint), get_args(hint)
    if kind in (Union, UnionType):
        for each in arguments:
            yield from _fitting(each, value)
    elif kind is tuple:
        parts = value if isinstance(value, tuple) else (value,)
        kinds = [arguments[0]] * len(parts) if arguments[-1:] == (...,) else list(arguments)
        if len(kinds) == len(parts):
            found = [list(_fitting(each, part)) for each, part in zip(kinds, parts, strict=True)]
            if all(found):
                yield tuple(each[0] for each in found)
    elif hint is float and type(value) is int:
        yield float(value)
    elif hint in (bool, int, float, str, NoneType) and type(value) is hint:
        yield value
