"""The pictures that a sidecar names, as far as they may be shown.

A report is sent to people, so a sidecar written by somebody else must not decide which images of this machine get into
it. What was written beside it is named by a bare name. The photo before it may lie anywhere, and is shown if its
bytes are those of which the sidecar knows the hash.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from jaxir.cli.errands import digest
from jaxir.cli.errors import one_line
from jaxir.cli.untrusted import at, mapping_at, number_at, text_at
from jaxir.report import Detail, Scaled
from jaxir.report.pictures import PIECE, Pixels, data_url, places, quantise, reduced, thinned

MOST = 64
"""Files of a kind that are shown."""

STRIP, MAP = 320, 640
"""Longest sides of an estimate on the way and of a map, in pixels."""


class Pictures:
    """The pictures of a sidecar, and in `problems` what is wrong with them.

    Args:
        folder: where the sidecar lies.
        record: what it says.
        side: longest side of a picture, in pixels.
    """

    def __init__(self, folder: Path, record: dict[str, Any], side: int) -> None:
        self.folder, self.record, self.side = folder, record, side
        self.problems: list[str] = []

    def after(self) -> Float[np.ndarray, "h w c"] | None:
        """The restoration; that its bytes changed is a problem, but it is shown."""
        path = self._beside(at(self.record, "output", "file"))
        image = self.image(path, "the restoration")
        if path is not None and image is not None:
            self._same(path, "output")
        return image

    def before(self) -> Float[np.ndarray, "h w c"] | None:
        """The photo as it came, if it is the one that was restored."""
        name, page = text_at(self.record, "input", "file"), at(self.record, "input", "page")
        path = None if name is None else self.folder / name
        if path is not None and _is_file(path) and not self._same(path, "input"):
            return None
        return self.image(path, "the photo before it", page if isinstance(page, int) else None)

    def image(
        self, path: Path | None, what: str, page: int | None = None
    ) -> Float[np.ndarray, "h w c"] | None:
        """The image in a file; why there is none becomes a problem."""
        from jaxir.data import read_photo

        if path is None or not _is_file(path):
            self.problems.append(f"{what} is not there" + (f": {path}" if path else ""))
            return None
        try:  # what a page does not show is no news
            return np.asarray(read_photo(path, page=page, note=lambda words: None).image)
        except (OSError, ValueError) as error:
            self.problems.append(f"{what} cannot be shown: {one_line(error)}")
            return None

    def url(self, pixels: Pixels) -> str:
        """A picture of the page's size."""
        return data_url(reduced(pixels, self.side))

    def samples(self) -> list[str]:
        """What the restoration was made of."""
        return [self.url(sample) for sample in self._several("samples")]

    def trajectory(self) -> list[str]:
        """The estimates on the way."""
        return [data_url(reduced(step, STRIP)) for step in self._several("trajectory")]

    def uncertainty(self) -> Scaled | None:
        """The map of the samples' deviation."""
        for pixels in self._several("uncertainty"):
            return Scaled(data_url(reduced(pixels, min(self.side, MAP))), self._end("uncertainty"))
        return None

    def residual(self) -> Scaled | None:
        """The map of what is left unexplained."""
        for pixels in self._several("residual"):
            url = data_url(thinned(pixels, min(self.side, MAP)), quality=90)
            return Scaled(url, self._end("residual"))
        return None

    def pieces(self, before: Pixels | None, after: Pixels) -> Iterator[Detail]:
        """True pixels where the samples differ most, or where the photo was changed most."""
        height, width = after.shape[:2]
        if min(height, width) < PIECE:
            return
        std = next((self.image(path, path.name) for path in self._files("std")), None)
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

    def kernel(self) -> Iterator[Detail]:
        """The blur that a blind method found, enlarged."""
        for pixels in self._several("kernel"):
            times = max(1, PIECE // max(pixels.shape[:2]))
            url = data_url(pixels.repeat(times, 0).repeat(times, 1))
            yield Detail("The blur that was found", None, url)

    def omitted(self) -> str | None:
        """A sentence if there are more files of some kind than are shown."""
        found = mapping_at(self.record, "files").items()
        kinds = [kind for kind, names in found if isinstance(names, list) and len(names) > MOST]
        return f"Only the first {MOST} are shown of: {', '.join(kinds)}." if kinds else None

    def _beside(self, name: Any) -> Path | None:
        """The file of a bare name in the sidecar's folder."""
        bare = isinstance(name, str) and name not in ("", "..") and Path(name).name == name
        return self.folder / name if bare else None

    def _files(self, kind: str) -> Iterator[Path]:
        """The files of a kind that are there; those that are not are left out."""
        names = at(self.record, "files", kind)
        for name in (names if isinstance(names, list) else [names])[:MOST]:
            if (path := self._beside(name)) is not None and _is_file(path):
                yield path

    def _several(self, kind: str) -> Iterator[Pixels]:
        for path in self._files(kind):
            if (image := self.image(path, path.name)) is not None:
                yield quantise(image)

    def _same(self, path: Path, part: str) -> bool:
        """Whether a file is the one that was read or written."""
        try:
            if digest(path) == at(self.record, part, "sha256"):
                return True
            why = "its bytes changed"
        except OSError as error:
            why = one_line(error)
        self.problems.append(f"{path.name} is not the {part} that the sidecar describes: {why}")
        return False

    def _end(self, kind: str) -> float | None:
        """The end of a scale in levels of 255."""
        end = number_at(self.record, "scales", kind)
        return float(end) if end is not None and end > 0 else None


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # such as a name that no file can have
        return False
