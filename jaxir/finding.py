"""What a check saw: of a training run, or of an installation."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Finding:
    """What one check saw.

    Attributes:
        check: what was looked at.
        found: what was seen, in words and figures.
        advice: what to do; None where all is well.
        wrong: False where the advice is for a choice or a gain, and nothing has to be mended.
    """

    check: str
    found: str
    advice: str | None = None
    wrong: bool = True

    @property
    def mark(self) -> str:
        """One word for it: ok, note or problem."""
        if self.advice is None:
            return "ok"
        return "problem" if self.wrong else "note"
