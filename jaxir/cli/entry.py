"""A restored photograph and the files beside it as an entry of a page.

Nothing in a sidecar is believed: it may be damaged, moved, or written by somebody with ideas. What cannot be read is
left out, and the entry says in one line what is wrong.
"""

from __future__ import annotations

import hashlib
import math
import shlex
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from jaxir.cli.errors import UsageError, one_line
from jaxir.cli.sidecar import ENDING, read_sidecar
from jaxir.report import Detail, Entry, Scaled
from jaxir.report.pictures import (
    PIECE,
    Pixels,
    aligned,
    data_url,
    places,
    quantise,
    reduced,
    thinned,
)

STRIP, THUMBNAIL, MAP = 320, 240, 640
"""Longest sides of an estimate on the way, of a picture in the list of contents and of a map, in pixels."""


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
    return _Record(sidecar, record, side).entry(title, truth)


class _Record:
    """A sidecar that was read, and the problems on the way."""

    def __init__(self, sidecar: Path, record: dict[str, Any], side: int) -> None:
        self.sidecar, self.record, self.side = sidecar, record, side
        self.problems: list[str] = []

    def entry(self, title: str, truth: Path | None) -> Entry:
        out, came = self._named("output"), self._named("input")
        after = self._image(out, "the restoration")
        page = _mapping(self.record.get("input")).get("page")
        before = self._image(came, "the photo before it", page if isinstance(page, int) else None)
        if after is None:
            return Entry(title, problem="; ".join(self.problems), settings=self._settings())
        self._expect_same(out, "output")
        if before is not None:
            self._expect_same(came, "input")
        pixels = quantise(after)
        height, width = pixels.shape[:2]
        below = None if before is None else aligned(quantise(before), (height, width))
        large = max(height, width) > self.side
        details = list(self._details(below, pixels)) if large else []
        return Entry(
            title,
            before=None if below is None else self._url(below),
            after=self._url(pixels),
            width=width,
            height=height,
            samples=[self._url(sample) for sample in self._several("samples")],
            uncertainty=self._uncertainty(),
            residual=self._residual(),
            trajectory=[data_url(reduced(step, STRIP)) for step in self._several("trajectory")],
            metrics=[*self._against(truth, before, after), *self._metrics()],
            settings=[("Size", f"{width} × {height} pixels"), *self._settings()],
            replay=f"jaxir replay {shlex.quote(title + ENDING)}",
            thumbnail=data_url(reduced(pixels, THUMBNAIL), quality=80),
            details=[*details, *self._kernel()],
            problem="; ".join(self.problems) or None,
            note=self._note(width, height, bool(details)),
        )

    # -- pictures

    def _named(self, part: str) -> Path | None:
        name = _mapping(self.record.get(part)).get("file")
        return self.sidecar.parent / name if isinstance(name, str) and name else None

    def _image(
        self, path: Path | None, what: str, page: int | None = None
    ) -> Float[np.ndarray, "h w c"] | None:
        from jaxir.data import read_photo

        if path is None or not _is_file(path):
            self.problems.append(f"{what} is not there" + (f": {path}" if path else ""))
            return None
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # what a page does not show is no news
                return np.asarray(read_photo(path, page=page).image)
        except (OSError, ValueError) as error:
            self.problems.append(f"{what} cannot be shown: {one_line(error)}")
            return None

    def _expect_same(self, path: Path, part: str) -> None:
        expected = _mapping(self.record.get(part)).get("sha256")
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != expected:
            self.problems.append(
                f"{path.name} is not the {part} that the sidecar describes: its bytes changed"
            )

    def _beside(self, kind: str) -> Iterator[Path]:
        """The files of a kind that are there; those that are not are left out."""
        names = _mapping(self.record.get("files")).get(kind)
        for name in names if isinstance(names, list) else [names]:
            if isinstance(name, str) and name and _is_file(path := self.sidecar.parent / name):
                yield path

    def _url(self, pixels: Pixels) -> str:
        return data_url(reduced(pixels, self.side))

    def _several(self, kind: str) -> Iterator[Pixels]:
        for path in self._beside(kind):
            if (image := self._image(path, path.name)) is not None:
                yield quantise(image)

    def _uncertainty(self) -> Scaled | None:
        for pixels in self._several("uncertainty"):
            return Scaled(data_url(reduced(pixels, min(self.side, MAP))), self._end("uncertainty"))
        return None

    def _residual(self) -> Scaled | None:
        for pixels in self._several("residual"):
            url = data_url(thinned(pixels, min(self.side, MAP)), quality=90)
            return Scaled(url, self._end("residual"))
        return None

    def _end(self, kind: str) -> float | None:
        """The end of a scale in levels of 255."""
        end = _mapping(self.record.get("scales")).get(kind)
        return float(end) if _number(end) and end > 0 else None

    def _details(self, before: Pixels | None, after: Pixels) -> Iterator[Detail]:
        """True pixels where the samples differ most, or where the photo was changed most."""
        height, width = after.shape[:2]
        if min(height, width) < PIECE:
            return
        std = next((self._image(path, path.name) for path in self._beside("std")), None)
        same = before is not None and before.shape == after.shape
        if std is not None and std.shape[:2] == (height, width):
            interest, why = np.mean(std, axis=-1) + 1, "the samples differ most"
        elif same:
            interest = np.mean(np.abs(after.astype(np.float32) - before), axis=-1)
            why = "it was changed most"
        else:
            return
        for top, left in places(interest):
            piece = slice(top, top + PIECE), slice(left, left + PIECE)
            yield Detail(
                f"Where {why}: {left} pixels from the left, {top} from the top",
                data_url(before[piece]) if same else None,
                data_url(after[piece]),
            )

    def _kernel(self) -> Iterator[Detail]:
        """The blur that a blind method found, enlarged."""
        for pixels in self._several("kernel"):
            times = max(1, PIECE // max(pixels.shape[:2]))
            url = data_url(pixels.repeat(times, 0).repeat(times, 1))
            yield Detail("The blur that was found", None, url)

    def _note(self, width: int, height: int, pieces: bool) -> str | None:
        if max(width, height) <= self.side:
            return None
        more = " The pieces below are true pixels." if pieces else ""
        return f"Shown at {self.side} of {max(width, height)} pixels on the long side.{more}"

    # -- words and figures

    def _metrics(self) -> Iterator[tuple[str, str]]:
        residual, record = _mapping(self.record.get("residual")), self.record
        measured, expected = residual.get("measured"), residual.get("expected")
        if _number(measured):
            noise = f", noise {255 * expected:.2f}" if _number(expected) else ""
            yield "Residual, in levels of 255", f"{255 * measured:.2f}{noise}"
        if _number(evaluations := record.get("evaluations")):
            yield "Network evaluations", f"{evaluations:,}"
        if _number(seconds := record.get("seconds")):
            yield "Time", f"{seconds:.1f} s"

    def _against(
        self,
        truth: Path | None,
        before: Float[np.ndarray, "h w c"] | None,
        after: Float[np.ndarray, "h w c"],
    ) -> Iterator[tuple[str, str]]:
        if truth is None:
            return
        from jaxir.metrics import psnr, ssim

        clean = self._image(truth, "the truth")
        if clean is None:
            return
        if clean.shape != after.shape:
            self.problems.append(
                f"{truth.name} has shape {clean.shape} and the restoration {after.shape}: not compared"
            )
            return
        comparable = before is not None and before.shape == clean.shape
        images = [before, after] if comparable else [after]
        yield "PSNR, dB", " → ".join(f"{float(psnr(image, clean)):.2f}" for image in images)
        if min(clean.shape[:2]) >= 11:  # its window
            values = (float(ssim(image, clean)) for image in images)
            yield "SSIM", " → ".join(f"{value:.3f}" for value in values)

    def _settings(self) -> list[tuple[str, str]]:
        record = self.record
        settings = dict(_mapping(record.get("settings")))
        settings["degradation"] = record.get("degradation", settings.get("degradation"))
        noise, weights = record.get("noise"), _mapping(record.get("weights"))
        if isinstance(noise, dict):
            noise = f"{noise.get('sigma')} of {noise.get('units')}"
        rows = {
            "degradation": settings.pop("degradation"),
            "noise": noise,
            **settings,
            "weights": weights.get("name"),
            "SHA-256 of the weights": weights.get("sha256"),
            "jaxir": record.get("jaxir"),
            **_mapping(record.get("provenance")),
            "papers": record.get("citations"),
            "input": _mapping(record.get("input")).get("file"),
            "SHA-256 of the input": _mapping(record.get("input")).get("sha256"),
            "SHA-256 of the output": _mapping(record.get("output")).get("sha256"),
        }
        return [
            (_title(name), _words(value))
            for name, value in rows.items()
            if value not in (None, "", [])
        ]


def _title(name: str) -> str:
    """A name of the record as the page writes it."""
    text = str(name).replace("_", " ")
    return text[:1].upper() + text[1:] if text not in ("jax", "jaxir") else text


def _words(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # such as a name that no file can have
        return False


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
