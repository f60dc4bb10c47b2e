"""Methods by name, for the shell: `diffpir` or `mmps(steps=5)`."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from jaxir.cli.call import bind, parse_call

if TYPE_CHECKING:
    from jaxir.methods import Method


def parse_method(text: str) -> Method:
    """The method of that name with its hyper-parameters.

    Raises:
        UsageError: if the name or a hyper-parameter is unknown.
    """
    from jaxir import methods

    known = {name: getattr(methods, name) for name in ("ddnm", "diffpir", "dps", "mmps", "pigdm")}
    call = parse_call(text)
    bind(call, known, "method", None, None)
    return functools.partial(known[call.name], **call.named)
