"""What a sidecar says of a restoration, in words and figures for a page."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import Any

import numpy as np
from jaxtyping import Float

from jaxir.cli.sidecar import ENDING
from jaxir.cli.untrusted import at, mapping_at, number_at

UNEXPLAINED = 3
"""A residual of so many times the noise is not that of the degradation which was undone."""

LEVEL = 1 / 255
"""No file of 8 bits has less noise than about this."""


def replay(title: str) -> str:
    """The command that makes a photograph of this name again."""
    name = title + ENDING
    return f"jaxir replay {shlex.quote('./' + name if name.startswith('-') else name)}"


def unexplained(record: dict[str, Any]) -> str | None:
    """A sentence if what the restoration leaves over is far more than noise."""
    measured, expected = (
        number_at(record, "residual", which) for which in ("measured", "expected")
    )
    if measured is None or expected is None or measured <= UNEXPLAINED * max(expected, LEVEL):
        return None
    return (
        f"The restoration does not explain the photo: between them there are {255 * measured:.1f} of 255 levels, "
        f"where noise would be {255 * expected:.1f}. The degradation is probably another one."
    )


def reduction(height: int, width: int, side: int, *, pieces: bool) -> str | None:
    """A sentence if the pictures of a photo of some size are smaller than it, with pieces at true pixels or not."""
    if max(height, width) <= side:
        return None
    more = " The pieces below are true pixels." if pieces else ""
    return f"Shown at {side} of {max(height, width)} pixels on the long side.{more}"


def figures(record: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Names and values of what was measured."""
    expected = number_at(record, "residual", "expected")
    if (measured := number_at(record, "residual", "measured")) is not None:
        noise = "" if expected is None else f", noise {255 * expected:.2f}"
        yield "Residual, in levels of 255", f"{255 * measured:.2f}{noise}"
    if (evaluations := number_at(record, "evaluations")) is not None:
        yield "Network evaluations", f"{evaluations:,}"
    if (seconds := number_at(record, "seconds")) is not None:
        yield "Time", f"{seconds:.1f} s"


def against(
    clean: Float[np.ndarray, "h w c"],
    before: Float[np.ndarray, "h w c"] | None,
    after: Float[np.ndarray, "h w c"],
) -> Iterator[tuple[str, str]]:
    """PSNR and SSIM of the restoration and, where it has the same shape, of the photo before it."""
    from jaxir.metrics import psnr, ssim

    comparable = before is not None and before.shape == clean.shape
    images = [before, after] if comparable else [after]
    yield "PSNR, dB", " → ".join(f"{float(psnr(image, clean)):.2f}" for image in images)
    if min(clean.shape[:2]) >= 11:  # its window
        values = (float(ssim(image, clean)) for image in images)
        yield "SSIM", " → ".join(f"{value:.3f}" for value in values)


def settings(record: dict[str, Any]) -> list[tuple[str, str]]:
    """Names and values of how it was made."""
    asked = dict(mapping_at(record, "settings"))
    degradation = asked.pop("degradation", None)
    noise = record.get("noise")
    if isinstance(noise, dict):
        noise = f"{noise.get('sigma')} of {noise.get('units')}"
    rows = {
        "degradation": record.get("degradation", degradation),
        "noise": noise,
        **asked,
        "weights": at(record, "weights", "name"),
        "SHA-256 of the weights": at(record, "weights", "sha256"),
        "jaxir": record.get("jaxir"),
        **mapping_at(record, "provenance"),
        "papers": record.get("citations"),
        "input": at(record, "input", "file"),
        "SHA-256 of the input": at(record, "input", "sha256"),
        "SHA-256 of the output": at(record, "output", "sha256"),
    }
    return [
        (_title(name), _words(value)) for name, value in rows.items() if value not in (None, "", [])
    ]


def _title(name: str) -> str:
    """A name of the record as the page writes it."""
    text = name.replace("_", " ")
    return text[:1].upper() + text[1:] if text not in ("jax", "jaxir") else text


def _words(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
