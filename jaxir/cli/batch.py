"""Many photographs through one restorer: read, restored and written side by side, each failing alone."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from jaxir.cli.cost import cost, within
from jaxir.cli.duration import spoken
from jaxir.cli.errands import Errand, digest, number
from jaxir.cli.errors import EXPECTED, one_line
from jaxir.cli.flow import Stopped, flow
from jaxir.cli.photograph import Restored, Restorer
from jaxir.cli.progress import progress
from jaxir.cli.results import Keep, write_results
from jaxir.data.photo import read_photo
from jaxir.report.table import column

if TYPE_CHECKING:
    from jaxir.cli.automatic import Say
    from jaxir.data.photo import Depth, Photo


class Opened(NamedTuple):
    """A photograph, and the hash of the file that it was read from."""

    photo: Photo
    sha256: str


@dataclasses.dataclass(frozen=True)
class Outlook:
    """What the restoration of a photograph would take."""

    photograph: str = column("photograph")
    size: str = column("size, or what is wrong")
    tiles: int | None = column("tiles", "d")
    evaluations: int | None = column("evaluations", "d")
    time: str = column("about")


class Batch:
    """Photographs restored by the same settings.

    Args:
        restorer: with its settings and weights.
        keep: what is written beside each.
        asked: the settings as they were given, for the sidecar.
        seconds: for each photograph, to which steps and samples are fitted.
        depth: bits of a channel that are written; as they came by default.
    """

    def __init__(
        self,
        restorer: Restorer,
        keep: Keep,
        asked: dict[str, Any],
        *,
        seconds: float | None = None,
        depth: Depth | None = None,
    ) -> None:
        self.restorer = restorer
        self.keep, self.asked, self.seconds, self.depth = keep, asked, seconds, depth

    def run(
        self, errands: list[Errand], *, jobs: int = 1
    ) -> Iterator[tuple[Errand, dict[str, Any] | Exception]]:
        """Restore them; each with what its sidecar holds, or with what went wrong.

        Args:
            errands: what to do.
            jobs: photographs at a time.
        """
        stop, total = threading.Event(), len(errands)
        shares: dict[Errand, float] = {}
        with progress("restoring") as moved:

            def work(errand: Errand, opened: Opened) -> tuple[Opened, Restored]:
                restorer = self._restorer(opened.photo)

                def callback(done: int, of: int) -> None:
                    if stop.is_set():
                        raise Stopped
                    shares[errand] = done / of
                    title = f"{errand.name} ({len(shares)}/{total})"
                    moved(round(1000 * sum(shares.values())), 1000 * total, title)

                return opened, restorer(
                    opened.photo,
                    number(opened.sha256),
                    callback=callback,
                    say=_about(errand),
                )

            outcomes = flow(errands, _read, work, self._write, jobs=jobs, stop=stop)
            with contextlib.closing(outcomes):
                for errand, outcome in outcomes:
                    shares[errand] = 1.0
                    yield errand, outcome

    def outlook(self, errands: list[Errand]) -> Iterator[Outlook]:
        """What restoring them would take, a line each and one for all, the time measured on a small piece."""
        evaluations, seconds = 0, 0.0
        for errand in errands:
            try:
                photo = read_photo(errand.source, page=errand.page)
                taken = cost(self._restorer(photo), photo, say=_about(errand))
            except EXPECTED as error:
                yield Outlook(str(errand.source), one_line(error), None, None, "")
                continue
            evaluations, seconds = evaluations + taken.evaluations, seconds + taken.seconds
            height, width = photo.image.shape[:2]
            size = f"{width} × {height}"
            yield Outlook(
                str(errand.source), size, taken.tiles, taken.evaluations, spoken(taken.seconds)
            )
        if len(errands) > 1:
            yield Outlook(f"all {len(errands)}", "", None, evaluations, spoken(seconds))

    def _restorer(self, photo: Photo) -> Restorer:
        """The one for a photograph, if need be with less work."""
        if self.seconds is None:
            return self.restorer
        return within(self.restorer, self.seconds, photo, least=2 if self.keep.spread else 1)

    def _write(self, errand: Errand, done: tuple[Opened, Restored]) -> dict[str, Any]:
        opened, restored = done
        photo = opened.photo
        height, width = photo.image.shape[:2]
        source = {
            "file": _from(errand.output.parent, errand.source),
            "sha256": opened.sha256,
            "page": errand.page,
            "height": height,
            "width": width,
            "format": photo.format,
            "depth": photo.depth,
        }
        errand.output.parent.mkdir(parents=True, exist_ok=True)
        return write_results(
            errand, photo, restored, self.keep, source=source, asked=self.asked, depth=self.depth
        )


def _read(errand: Errand) -> Opened:
    return Opened(read_photo(errand.source, page=errand.page), digest(errand.source))


def _about(errand: Errand) -> Say:
    """Says what was found in one photograph."""
    return lambda said: print(f"{errand.source}: {said}")


def _from(folder: Path, path: Path) -> str:
    """A path as it is found from a folder, whatever links lead to either."""
    try:
        return os.path.relpath(path.resolve(), folder.resolve())
    except ValueError:  # on another drive
        return str(path.resolve())
