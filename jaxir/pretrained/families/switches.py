"""Switches of a configuration that say what the network here is not."""

from __future__ import annotations

from jaxir.pretrained.families.family import Config


def refuse_all_but(config: Config, **known: tuple) -> None:
    """Refuse a switch that the network here does not have.

    Raises:
        ValueError: names the first.
    """
    for name, values in known.items():
        if config.get(name, values[0]) not in values:
            raise ValueError(
                f"{name} is {config[name]!r}, which jaxir's network does not have; it has {values}"
            )
