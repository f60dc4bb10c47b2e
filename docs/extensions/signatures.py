"""Signatures as they are written: the names of types, not what they stand for, and defaults that can be read."""

from __future__ import annotations

import ast
import inspect
import re
import sys
from typing import Any

from extensions.public import by_value, short_names
from sphinx.util.typing import stringify_annotation

import jaxir.typing

ALIASES = {id(getattr(jaxir.typing, name)): name for name in jaxir.typing.__all__}


def annotation(written: Any, scope: dict[str, Any]) -> str:
    """A type as in the source, our own names in it as links: to what they are in the module that wrote them."""
    if isinstance(written, str):
        text = written
    elif id(written) in ALIASES:
        text = ALIASES[id(written)]
    else:
        ours = type(written).__module__.startswith("jaxtyping")
        text = written.__name__ if ours else stringify_annotation(written, "smart")
        text = re.sub(r"~?(\w+\.)+(?=\w)", "", text)
    parts = re.split(r"(\"[^\"]*\"|'[^']*')", text)

    def link(name: re.Match[str]) -> str:
        word = name[0]
        path = by_value().get((word, id(scope[word]))) if word in scope else short_names().get(word)
        return f"~{path}" if path else word

    parts[::2] = [re.sub(r"(?<![\w.])\w+", link, part) for part in parts[::2]]
    return "".join(parts)


def default(value: Any) -> str:
    """A default as code, short: a value with many parts is its class."""
    if inspect.isroutine(value) or inspect.isclass(value):
        return value.__name__
    text = " ".join(repr(value).split())
    if isinstance(value, float) and len(text) > 8:
        return f"{value:.6g}"
    if len(text) < 40 and _parses(text):
        return text
    return f"{type(value).__name__}(...)"


def _parses(text: str) -> bool:
    try:
        ast.parse(text, mode="eval")
    except SyntaxError:
        return False
    return True


def signature(thing: Any) -> tuple[str, str | None]:
    """The arguments in brackets, and what comes back."""
    made = inspect.isclass(thing)
    found = inspect.signature(thing.__init__ if made else thing)
    scope = vars(sys.modules[thing.__module__])
    parameters = []
    for number, parameter in enumerate(found.parameters.values()):
        if number == 0 and parameter.name in ("self", "cls"):
            continue
        if parameter.annotation is not parameter.empty:
            parameter = parameter.replace(annotation=_Text(annotation(parameter.annotation, scope)))
        if parameter.default is not parameter.empty:
            parameter = parameter.replace(default=_Text(default(parameter.default)))
        parameters.append(parameter)
    returned = found.return_annotation
    text = str(inspect.Signature(parameters))
    return text, None if made or returned is found.empty else annotation(returned, scope)


class _Text(str):
    """Text that `inspect` puts down as it is."""

    def __repr__(self) -> str:
        return str(self)


def _process(app, what, name, thing, options, written, returned):
    if what == "exception":
        return "", None
    if what not in ("class", "function", "method"):
        return None
    return signature(thing)


def setup(app) -> dict:
    """Instead of autodoc's own."""
    app.setup_extension("sphinx.ext.autodoc")
    app.connect("autodoc-process-signature", _process)
    return {"parallel_read_safe": True}
