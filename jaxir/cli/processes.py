"""Processes by name, for the shell: `vp`, `irsde(std=0.2)`, `ddbm-ve(sigma_max=20)`."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING

from jaxir.cli.call import bind, parse_call

if TYPE_CHECKING:
    from jaxir.processes import Process
    from jaxir.processes.pinned import Lift


def parse_process(text: str) -> Callable[[Lift], Process]:
    """The process of that name with its parameters; one that moves towards y is still to be told how y is an image.

    Raises:
        UsageError: if the name or a parameter is unknown.
    """
    from jaxir import processes as p

    free = {
        "vp": p.VP,
        "subvp": p.SubVP,
        "cosine": p.CosineVP,
        "flow": p.Flow,
        "ve": p.VE,
        "edm": p.EDM,
        "wiener": p.Wiener,
        "symmetric-wiener": p.SymmetricWiener,
        "denoising-sde": p.DenoisingSDE,
    }
    coupled = {
        "irsde": p.IRSDE,
        "resshift": p.ResShift,
        "interpolation": p.Interpolation,
        "brownian-bridge": p.brownian_bridge,
        "i2sb": p.i2sb,
        "ddbm-ve": p.ddbm_ve,
        "ddbm-vp": p.ddbm_vp,
        "goub": p.goub,
    }
    call = parse_call(text)
    build = bind(call, {**free, **coupled}, "process")
    if call.name in free:
        process = build()
        return lambda lift: process
    make = functools.partial(coupled[call.name], *call.positional, **call.named)
    make()  # refuses impossible values before any work is done
    return lambda lift: make(lift=lift)
