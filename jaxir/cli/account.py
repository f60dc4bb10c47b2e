"""What becomes of each photograph, said to a person and, on request, to a program."""

from __future__ import annotations

import dataclasses
import json
import sys
from typing import TYPE_CHECKING, Any, TextIO

from jaxir.cli.errands import Errand
from jaxir.cli.errors import one_line
from jaxir.cli.printable import printable

if TYPE_CHECKING:
    from jaxir.cli.batch import Outlook


class Account:
    """Says what happened as it happens, and counts what failed.

    Args:
        lines: where a line of JSON goes for each photograph.
    """

    def __init__(self, lines: TextIO | None = None) -> None:
        self.failed = 0
        self._lines = lines

    def done(self, errand: Errand, record: dict[str, Any]) -> None:
        """It was restored; the record is that of its sidecar."""
        print(f"{printable(str(errand.output))}: {summary(record)}", flush=True)
        self._line(errand, "done", written=str(errand.output), **record)

    def before(self, errands: list[Errand], total: int) -> None:
        """So many of all were done by an earlier run."""
        if errands:
            print(f"{len(errands)} of {total} were done before")
        for errand in errands:
            self._line(errand, "done before", written=str(errand.output))

    def plan(self, rows: list[Outlook]) -> None:
        """What would be done."""
        from jaxir.report import plain

        print(plain(rows) if rows else "nothing is left to do")
        if self._lines is not None:
            for row in rows:
                said = {"status": "planned", **dataclasses.asdict(row)}
                print(json.dumps(said), file=self._lines, flush=True)

    def fail(self, errand: Errand, error: Exception | str) -> None:
        """It was not restored."""
        self.failed += 1
        why = error if isinstance(error, str) else one_line(error)
        if str(errand.source) not in why and str(errand.output) not in why:
            why = f"{errand.source}: {why}"
        print(f"jaxir: {printable(why)}", file=sys.stderr)
        self._line(errand, "failed", error=why)

    def _line(self, errand: Errand, status: str, **more: Any) -> None:
        if self._lines is not None:
            said = {"source": str(errand.source), "page": errand.page, "status": status, **more}
            print(json.dumps(said), file=self._lines, flush=True)


def summary(record: dict[str, Any]) -> str:
    """What a record says of a restoration, in a line."""
    fit, noise = record["residual"], record["noise"]
    said = f"{record['seconds']:.1f} s"
    if fit is not None:
        measured, expected = fit["measured"], f"{fit['expected']:.4f}"
        expected += f", {noise}" if isinstance(noise, str) else ""
        said += f", residual {measured:.4f} of [0, 1] ({2 * measured:.4f} of [-1, 1]) for a noise of {expected}"
    did, asked = record["settings"], record["asked"]
    if (did["steps"], did["samples"]) != (asked["steps"], asked["samples"]):
        said += (
            f", {did['steps']} steps and {did['samples']} samples to stay within {asked['budget']}"
        )
    if (largest := record["scales"].get("uncertainty")) is not None:
        said += f", deviation up to {largest / 255:.3f} of [0, 1]"
    return said
