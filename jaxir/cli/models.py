"""`jaxir models`: the weights that are there."""

from __future__ import annotations

from typing import Annotated

import tyro


def models(name: Annotated[str | None, tyro.conf.Positional] = None) -> None:
    """List the shipped weights, or show the card of some.

    Args:
        name: shipped weights by name, or a folder; without it the names are listed.
    """
    from jaxir.pretrained import describe, shipped

    print("\n".join(shipped()) if name is None else describe(name))
