"""Methods by name, for the shell: `diffpir` or `mmps(steps=5)`."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable

from jaxir.cli.call import bind, parse_call
from jaxir.cli.errors import UsageError

PYTHON_ONLY = {
    "blind_dps": "needs a prior of kernels: in Python, functools.partial(jaxir.methods.blind_dps, kernels=...), or em "
    "here, which needs none",
}
"""Methods that no command line can hold, and what to do instead."""


def known() -> dict[str, Callable]:
    """Every method of `jaxir.methods` by its name, but for those that need what no command line can hold."""
    from jaxir import methods

    return {
        name: value
        for name, value in vars(methods).items()
        if inspect.isfunction(value)
        and value.__module__ == methods.__name__
        and name not in PYTHON_ONLY
    }


def parse_method(text: str) -> functools.partial:
    """The method of that name with its hyper-parameters; one that is a method itself is written the same way.

    Raises:
        UsageError: if the name or a hyper-parameter is unknown.
    """
    call, methods = parse_call(text), known()
    if call.name in PYTHON_ONLY:
        raise UsageError(f"{call.name} {PYTHON_ONLY[call.name]}")
    bind(call, methods, "method", None, None)
    parameters = inspect.signature(methods[call.name]).parameters
    named = {
        name: parse_method(str(value)) if parameters[name].annotation == "Method" else value
        for name, value in call.named.items()
    }
    return functools.partial(methods[call.name], **named)
