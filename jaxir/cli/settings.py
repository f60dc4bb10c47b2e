"""What was asked for, in plain values: a file can hold it, and the same values give the same bytes."""

from __future__ import annotations

import dataclasses
from typing import Any

from jaxir.cli.errors import UsageError, unknown

ALPHA = ("keep", "restore")


@dataclasses.dataclass(frozen=True)
class Settings:
    """How photographs are restored.

    Attributes:
        degradation: how they were spoiled, in the shell's words; None for "auto", or for a network that needs none.
        method: one of `jaxir.methods`, in the shell's words.
        steps: network evaluations for each sample.
        samples: restorations to draw.
        fidelity: 1 for the mean of the samples, which has the least squared error; 0 for one sample, which has the most
            detail.
        seed: of all randomness.
        prior: weights, by name or folder.
        tile: side of what the network sees at once, in pixels; 0 for the whole photo, None for what fits in memory.
        chunk: samples at a time; None for what fits in memory.
        alpha: "keep" the transparency, or "restore" it as a grey photo of its own.
    """

    degradation: str | None = None
    method: str = "diffpir"
    steps: int = 50
    samples: int = 4
    fidelity: float = 1.0
    seed: int = 0
    prior: str = "natural-prior"
    tile: int | None = None
    chunk: int | None = None
    alpha: str = "keep"

    def __post_init__(self) -> None:
        for name in ("steps", "samples", "chunk"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise UsageError(f"--{name} is {value}, expected at least 1")
        if self.tile is not None and self.tile < 0:
            raise UsageError(f"--tile is {self.tile}, expected 0 for the whole photo, or pixels")
        if not 0 <= self.seed < 2**32:
            raise UsageError(f"--seed is {self.seed}, expected 0 to {2**32 - 1}")
        if not 0 <= self.fidelity <= 1:
            raise UsageError(f"--fidelity is {self.fidelity}, expected 0 to 1")
        if self.alpha not in ALPHA:
            raise unknown("value of --alpha", self.alpha, ALPHA)

    @classmethod
    def from_json(cls, values: Any) -> Settings:
        """What `dataclasses.asdict` gave, and a file or a page has held since.

        Raises:
            UsageError: if it is something else.
        """
        fields = {field.name: field for field in dataclasses.fields(cls)}
        if not isinstance(values, dict) or not all(isinstance(name, str) for name in values):
            raise UsageError("the settings are no JSON object: names and values are expected")
        for name, value in values.items():
            if name not in fields:
                raise unknown("setting", name, fields)
            kinds = _KINDS[fields[name].type]
            if type(value) not in kinds:
                expected = " or ".join("null" if k is type(None) else k.__name__ for k in kinds)
                raise UsageError(f"the setting {name} is {value!r}, expected {expected}")
        return cls(**values)


_KINDS: dict[Any, tuple[type, ...]] = {
    "str": (str,),
    "int": (int,),
    "float": (float, int),
    "str | None": (str, type(None)),
    "int | None": (int, type(None)),
}
"""What each annotation admits."""
