"""A restored photograph and the files beside it as an entry of a page.

Nothing in a sidecar is believed: it may be damaged, moved, or written by somebody with ideas. What cannot be read is
left out, and the entry says in one line what is wrong.
"""

from __future__ import annotations

from pathlib import Path

from jaxir.cli import entry_words as words
from jaxir.cli.entry_pictures import Pictures
from jaxir.cli.errors import UsageError, one_line
from jaxir.cli.sidecar import read_sidecar
from jaxir.report import Entry
from jaxir.report.pictures import aligned, data_url, quantise, reduced

THUMBNAIL = 240
"""Longest side of a picture in the list of contents, in pixels."""


def read_entry(sidecar: Path, *, title: str, side: int = 1600, truth: Path | None = None) -> Entry:
    """What there is to see of one photograph.

    Args:
        sidecar: the file that was written beside it; what it names is looked for from its folder.
        title: what the photograph is called on the page.
        side: longest side of its pictures, in pixels.
        truth: an image that it should have become, for PSNR and SSIM.
    """
    try:
        record = read_sidecar(sidecar)
    except UsageError as error:
        return Entry(title, problem=one_line(error))
    pictures = Pictures(sidecar.parent, record, side)
    after, before = pictures.after(), pictures.before()
    if after is None:
        problem = "; ".join(pictures.problems)
        return Entry(title, problem=problem, settings=words.settings(record))
    metrics = list(words.figures(record))
    clean = None if truth is None else pictures.image(truth, "the truth")
    if clean is not None and clean.shape == after.shape:
        metrics = [*words.against(clean, before, after), *metrics]
    elif clean is not None:
        pictures.problems.append(
            f"the truth has shape {clean.shape} and the restoration {after.shape}: not compared"
        )
    pixels = quantise(after)
    height, width = pixels.shape[:2]
    below = None if before is None else aligned(quantise(before), (height, width))
    pieces = list(pictures.pieces(below, pixels)) if max(height, width) > side else []
    notes = [
        words.unexplained(record),
        words.reduction(height, width, side, pieces=bool(pieces)),
        pictures.omitted(),
    ]
    return Entry(
        title,
        before=None if below is None else pictures.url(below),
        after=pictures.url(pixels),
        width=width,
        height=height,
        samples=pictures.samples(),
        uncertainty=pictures.uncertainty(),
        residual=pictures.residual(),
        trajectory=pictures.trajectory(),
        metrics=metrics,
        settings=[("Size", f"{width} × {height} pixels"), *words.settings(record)],
        replay=words.replay(title),
        thumbnail=data_url(reduced(pixels, THUMBNAIL), quality=80),
        details=[*pieces, *pictures.kernel()],
        problem="; ".join(pictures.problems) or None,
        note=" ".join(filter(None, notes)) or None,
    )
