"""The shell's way to write a call: `name`, `name(1, 2)` or `name(size=3)`, with plain numbers and words."""

from __future__ import annotations

import ast
import inspect
import math
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from jaxir.cli.errors import UsageError, unknown

_CALL = re.compile(r"\s*([A-Za-z_][\w-]*)\s*(?:\((.*)\))?\s*")

_COMMA = re.compile(r",(?![^()]*\))")
"""One that separates arguments of this call, not of one within it."""


class Call(NamedTuple):
    """A parsed call."""

    name: str
    positional: tuple[Any, ...]
    named: dict[str, Any]

    @property
    def arguments(self) -> str:
        """As they were written, or otherwise so that they are read as the same values."""
        named = (f"{name}={_written(value)}" for name, value in self.named.items())
        return ", ".join([*map(_written, self.positional), *named])

    def __str__(self) -> str:
        """As it was written."""
        return f"{self.name}({self.arguments})"


def parse_call(text: str) -> Call:
    """Parse one call.

    Raises:
        UsageError: if it is not of that form.
    """
    match = _CALL.fullmatch(text)
    if not match or text.count("(") != text.count(")"):
        raise UsageError(f"cannot read {text!r}: write name, name(1, 2) or name(size=3)")
    positional, named = [], {}
    for part in filter(None, (part.strip() for part in _COMMA.split(match[2] or ""))):
        key, equals, value = part.partition("=")
        if equals:
            named[key.strip()] = _literal(value.strip())
        else:
            positional.append(_literal(part))
    return Call(match[1], tuple(positional), named)


def bind(call: Call, known: Mapping[str, Callable], kind: str, *leading: Any) -> Callable[[], Any]:
    """The function of that name with the call's arguments, checked against its signature.

    Args:
        call: what was asked for.
        known: names to functions.
        kind: what they are, for the error.
        leading: arguments that come before those of the call.

    Raises:
        UsageError: if the name or an argument does not exist, or one is missing.
    """
    if call.name not in known:
        raise unknown(kind, call.name, known)
    function = known[call.name]
    signature = inspect.signature(function)
    shown = list(signature.parameters.values())[len(leading) :]
    try:
        bound = signature.bind(*leading, *call.positional, **call.named)
        for parameter in shown:
            if parameter.name in bound.arguments:
                _expect_type(parameter, bound.arguments[parameter.name])
    except TypeError as error:
        names = ", ".join(
            p.name if p.default is p.empty else f"{p.name}={p.default}" for p in shown
        )
        raise UsageError(
            f"{kind} {call.name!r} takes ({names}), got ({call.arguments}): {error}"
        ) from None
    return lambda: function(*bound.args, **bound.kwargs)


def _expect_type(parameter: inspect.Parameter, value: Any) -> None:
    """Raise a TypeError unless a number is given where the signature has one."""
    accepted, what = {
        "int": (int, "a whole number"),
        "float": (int | float, "a number"),
    }.get(parameter.annotation, (object, "anything"))
    if not isinstance(value, accepted) or (accepted is not object and isinstance(value, bool)):
        raise TypeError(f"{parameter.name} is {value!r}, expected {what}")


def _written(value: Any) -> str:
    """A word without quotation marks where it stays one; an infinite number as one that is too large."""
    if isinstance(value, float) and math.isinf(value):
        return "1e999" if value > 0 else "-1e999"
    plain = str(value)
    return plain if _literal(plain.strip()) == value else repr(value)


def _literal(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
