"""What a command says when it cannot do what was asked."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from jaxir.cli.printable import printable

EXPECTED = (ValueError, TypeError, OSError, ArithmeticError, RuntimeError, MemoryError)
"""What the library raises when something does not fit, is damaged or runs out; all else is a mistake of ours."""


class UsageError(ValueError):
    """The command line asks for something that does not exist or does not fit."""


def one_line(error: BaseException) -> str:
    """The message without line breaks and other control characters, or the kind of error where it has none."""
    return printable(" ".join(str(error).split())) or type(error).__name__


class SomeFailed(Exception):
    """The work is done except for some images, which are listed."""


def unknown(kind: str, name: str, known: Iterable[str]) -> UsageError:
    """The error for a name that is not known: the nearest one, and all of them."""
    known = sorted(known)
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f", did you mean {near[0]!r}?" if near else ":"
    return UsageError(f"unknown {kind} {name!r}{hint} known: {', '.join(known)}")
