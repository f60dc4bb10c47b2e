"""Tables of results, for a terminal and for a page; a row is any dataclass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def column(heading: str, form: str = "") -> Any:
    """A dataclass field with the heading of its column and the format of its values."""
    return field(metadata={"heading": heading, "form": form})


@dataclass(frozen=True)
class Result:
    """One method on one task; None is what was not measured.

    Attributes:
        task: the photograph and how it was spoiled.
        method: what restored it.
        psnr: in dB, range 2 of [-1, 1]; of the mean where there are several samples.
        single: PSNR of one sample, the mean over samples.
        over_input: PSNR over that of the degraded input, in dB.
        over_baseline: PSNR over that of the classical baseline, in dB.
        ssim: structural similarity.
        evaluations: of the network, for each sample.
        seconds: of wall clock.
    """

    task: str = column("task")
    method: str = column("method")
    psnr: float | None = column("PSNR dB", ".2f")
    single: float | None = column("one sample", ".2f")
    over_input: float | None = column("over input", "+.2f")
    over_baseline: float | None = column("over baseline", "+.2f")
    ssim: float | None = column("SSIM", ".3f")
    evaluations: int | None = column("evaluations", "d")
    seconds: float | None = column("seconds", ".1f")


def plain(rows: Sequence[DataclassInstance]) -> str:
    """Columns in line, numbers to the right; what a row repeats of the first column, or no row has, is left out.

    Args:
        rows: dataclasses of one type, whose fields may carry the metadata of `column`.
    """
    cells, right = _cells(rows)
    body = cells[1:]
    shown = [
        ["" if i and row[0] == body[i - 1][0] else row[0], *row[1:]] for i, row in enumerate(body)
    ]
    widths = _widths(cells)
    rule = "  ".join("-" * width for width in widths)
    lines = ["  ".join(_aligned(row, widths, right)).rstrip() for row in [cells[0], *shown]]
    return "\n".join([lines[0], rule, *lines[1:]])


def markdown(rows: Sequence[DataclassInstance]) -> str:
    """The same as a Markdown table; arguments as `plain`."""
    cells, right = _cells([*rows])
    cells = [[text.replace("|", "\\|") for text in row] for row in cells]
    widths = [max(3, width) for width in _widths(cells)]
    rule = [
        "-" * (width - 1) + (":" if flush else "-")
        for width, flush in zip(widths, right, strict=True)
    ]
    lines = [_aligned(row, widths, right) for row in cells]
    return "\n".join(f"| {' | '.join(line)} |" for line in [lines[0], rule, *lines[1:]])


def _cells(rows: Sequence[DataclassInstance]) -> tuple[list[list[str]], list[bool]]:
    """The texts, headings first, and which columns hold numbers."""
    if not rows:
        raise ValueError("a table needs at least one row, got none")
    columns = [c for c in fields(rows[0]) if any(getattr(row, c.name) is not None for row in rows)]
    texts = [[c.metadata.get("heading", c.name) for c in columns]]
    for row in rows:
        values = [getattr(row, c.name) for c in columns]
        forms = [c.metadata.get("form", "") for c in columns]
        texts.append(
            ["-" if v is None else format(v, form) for v, form in zip(values, forms, strict=True)]
        )
    right = [all(not isinstance(getattr(row, c.name), str) for row in rows) for c in columns]
    return texts, right


def _widths(cells: list[list[str]]) -> list[int]:
    return [max(map(len, column)) for column in zip(*cells, strict=True)]


def _aligned(row: list[str], widths: list[int], right: list[bool]) -> list[str]:
    return [
        text.rjust(width) if flush else text.ljust(width)
        for text, width, flush in zip(row, widths, right, strict=True)
    ]
