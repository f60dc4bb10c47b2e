"""What `jaxir bench exact` judges, by name: a built-in method, or an object of yours as `module:object`.

A contender turns a bed and a process into a denoiser and a sampler. Guidance starts from the bed's E[x0 | x_t]; a
transition or a sampler runs E[x0 | x_t, y], so that whatever it gets wrong is its own.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from jaxir.cli.call import bind, parse_call
from jaxir.cli.errors import UsageError, unknown
from jaxir.cli.methods import known

if TYPE_CHECKING:
    from jaxir.denoisers import Denoiser
    from jaxir.processes import Process
    from jaxir.samplers import Sampler
    from jaxir.testbeds import Testbed

Contender = Callable[["Testbed", "Process"], "tuple[Denoiser, Sampler]"]


def conditional(bed: Testbed, process: Process, *, eta: float = 0.0) -> tuple[Denoiser, Sampler]:
    """DDIM steps of E[x0 | x_t, y]."""
    from jaxir.samplers import Discrete
    from jaxir.transitions import DDIM

    return bed.conditional(process), Discrete(DDIM(eta))


def blind(bed: Testbed, process: Process) -> tuple[Denoiser, Sampler]:
    """Steps towards x0 from y with E[x0 | x_t] alone, as of a network that has no y for input."""
    from jaxir.samplers import Discrete
    from jaxir.transitions import Bridge

    if not process.coupled:
        raise ValueError(f"blind needs a process that starts from y, {_name(process)} does not")
    return bed.denoiser(process), Discrete(Bridge())


def parse_contender(text: str) -> Contender:
    """The contender of that name with its hyper-parameters.

    Raises:
        UsageError: if it does not exist, or its hyper-parameters do not fit.
    """
    module, colon, rest = text.partition(":")
    if colon and "(" not in module:
        return _from_object(text, _load(module, rest), rest)
    call, own, bent = parse_call(text), {"conditional": conditional, "blind": blind}, known()
    bind(call, {**own, **bent}, "method", None, None)
    if call.name in bent:
        return _guidance(text, lambda *prior: bent[call.name](*prior, **call.named))
    return lambda bed, process: own[call.name](bed, process, **call.named)


def _load(module: str, rest: str) -> Any:
    """The attribute of a module that is installed or lies in the current folder."""
    name = parse_call(rest).name
    sys.path.insert(0, os.getcwd())
    try:
        found = importlib.import_module(module)
    except ImportError as error:
        raise UsageError(
            f"cannot import {module!r} ({error}): give module:object, the module installed or in this folder"
        ) from error
    finally:
        sys.path.remove(os.getcwd())
    if not hasattr(found, name):
        raise unknown(f"object of {module}", name, [n for n in vars(found) if n[0] != "_"])
    return getattr(found, name)


def _from_object(text: str, value: Any, rest: str) -> Contender:
    from jaxir.samplers import Discrete, Sampler
    from jaxir.transitions import Transition

    call = parse_call(rest)
    if isinstance(value, type) and issubclass(value, Transition | Sampler):
        value = bind(call, {call.name: value}, "method")()
    elif isinstance(value, Transition | Sampler):
        if call.arguments:
            raise UsageError(f"{text} is a value already: leave out ({call.arguments})")
    elif callable(value):
        bind(call, {call.name: value}, "method", None, None)
        return _guidance(text, lambda *prior: value(*prior, *call.positional, **call.named))
    else:
        raise UsageError(
            f"{text} is {type(value).__name__}, expected a Transition, a Sampler, or a function or class "
            "(denoiser, degradation) -> denoiser"
        )
    sampler = Discrete(value) if isinstance(value, Transition) else value
    return lambda bed, process: (bed.conditional(process), sampler)


def _guidance(text: str, method: Callable) -> Contender:
    """A method on the prior's denoiser; a denoiser that comes alone is sampled by DDIM."""
    from jaxir.denoisers import Denoiser
    from jaxir.samplers import Discrete, Sampler

    def contender(bed: Testbed, process: Process) -> tuple[Denoiser, Sampler]:
        if process.coupled:
            raise ValueError(
                f"guidance needs a process whose state does not hold y, {_name(process)} moves towards it"
            )
        made = method(bed.denoiser(process), bed.degradation)
        denoiser, sampler = made if isinstance(made, tuple) else (made, Discrete())
        if not isinstance(denoiser, Denoiser) or not isinstance(sampler, Sampler):
            raise UsageError(
                f"{text} returns {type(made).__name__}, expected a Denoiser or a pair of a Denoiser and a Sampler"
            )
        return denoiser, sampler

    return contender


def _name(process: Process) -> str:
    return type(process).__name__
