"""How the photographs of a page are restored: by the engine of `jaxir restore`, shown by that of `jaxir report`.

What a page gets back names no place of this machine: neither the folder of a job nor that of the weights.
"""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jaxir
from jaxir.cli.entry import read_entry
from jaxir.cli.errands import Errand, digest, number
from jaxir.cli.errors import UsageError
from jaxir.cli.page_choices import chosen, is_painted, with_mask
from jaxir.cli.photograph import Restorer
from jaxir.cli.results import Keep, write_results
from jaxir.data import read_photo
from jaxir.data.photo import SUFFIXES
from jaxir.report import page
from jaxir.server import Outcome
from jaxir.server.names import renamed

if TYPE_CHECKING:
    from jaxir.cli.settings import Settings
    from jaxir.server import Job
    from jaxir.server.uploads import Upload

MASK = "mask.png"
"""What a mask is saved as."""

ROOM = 4
"""How many times the pixels of the largest photo a scene may have."""


class Restoration:
    """Restores the photographs of a page as `jaxir restore --report` would.

    Args:
        prior: weights, by name or folder.
        pixels: of the largest photo.

    Attributes:
        busy: whether it does so now.

    Raises:
        UsageError: if the weights are of a network that no page can use.
        WeightsError: if there are none.
    """

    def __init__(self, prior: str, pixels: int) -> None:
        denoiser = jaxir.load(prior)
        if denoiser.sees_y:
            raise UsageError(
                f"{prior} was trained on pairs and knows what spoiled a photograph: use jaxir restore"
            )
        self.busy = False
        self._prior, self._pixels = prior, ROOM * pixels
        # the next photo often has the same settings, and its programs are compiled then
        self._restorer = functools.lru_cache(maxsize=1)(
            lambda settings: Restorer(settings, prior=denoiser)
        )

    def check(self, values: Mapping[str, Any], photo: Upload) -> Settings:
        """The settings that a page has chosen for a photo.

        Raises:
            UsageError: if it cannot be restored by them.
        """
        shape = photo.height, photo.width, 3
        return chosen(values, shape, prior=self._prior, pixels=self._pixels)

    def __call__(
        self,
        job: Job,
        *,
        callback: Callable[[int, int], None],
        watch: Callable[[Any], None],
        say: Callable[[str], None],
    ) -> Outcome:
        """Restore a photograph into the folder of its job."""
        made: list[Path] = []
        self.busy = True
        try:
            outcome = self._restored(job, callback, watch, say)
            made = [outcome.entry, *(path for path, _ in outcome.files.values())]
            return outcome
        finally:
            self.busy = False
            _keep_only(job.folder, [job.photo.path, job.mask, *made])

    def _restored(
        self,
        job: Job,
        callback: Callable[[int, int], None],
        watch: Callable[[Any], None],
        say: Callable[[str], None],
    ) -> Outcome:
        settings, photo = self.check(job.settings, job.photo), job.photo
        painted = is_painted(settings)
        if painted and not job.mask.exists():
            raise UsageError("nothing is painted: paint over what is broken")
        told = dataclasses.replace(settings, prior=_last_part(self._prior))
        if painted:
            settings, told = with_mask(settings, str(job.mask)), with_mask(told, MASK)
        opened, sha256 = read_photo(photo.path, page=1), digest(photo.path)
        restored = self._restorer(settings)(
            opened, number(sha256), callback=callback, watch=watch, say=say
        )
        errand = Errand(photo.path, job.folder / f"restored{_suffix(opened.format)}")
        saved = renamed(photo.name, "restored", errand.output.suffix)
        source = {
            "file": photo.path.name,
            "sha256": sha256,
            "page": 1 if photo.pages > 1 else None,
            "height": photo.height,
            "width": photo.width,
            "format": opened.format,
            "depth": opened.depth,
        }
        write_results(
            errand,
            opened,
            restored._replace(record=_told(restored.record, told, job)),
            Keep(report=True, kernel=True),
            source=source,
            asked=dataclasses.asdict(told),
        )
        found = read_entry(errand.sidecar, title=saved)
        shown = dataclasses.replace(
            found,
            settings=[
                (title, photo.name if words == photo.path.name else words)
                for title, words in found.settings
            ],
        )
        entry, sidecar = job.folder / "entry.json", job.folder / "sidecar.json"
        report = job.folder / "report.html"
        entry.write_text(shown.as_json(), "utf-8")
        sidecar.write_text(_to_save(errand.sidecar, photo.name, saved), "utf-8")
        report.write_text(page([shown], title=saved), "utf-8")
        files = {
            "photo": (errand.output, saved),
            "report": (report, f"{Path(saved).stem}.html"),
            "sidecar": (sidecar, f"{saved}.jaxir.json"),
        }
        if painted:
            files["mask"] = (job.mask, MASK)
        return Outcome(entry, files)


def _suffix(form: str) -> str:
    """The ending of a file of the same format, or of PNG where that cannot be written."""
    return next((suffix for suffix, name in SUFFIXES.items() if name == form), ".png")


def _last_part(prior: str) -> str:
    """What weights in a folder are called elsewhere; a name of weights is itself."""
    return Path(prior).resolve().name if Path(prior).is_dir() else prior


def _told(record: dict[str, Any], told: Settings, job: Job) -> dict[str, Any]:
    """A record without the places of weights and mask."""
    mask = str(job.mask)
    return record | {
        "settings": record["settings"] | {"prior": told.prior, "degradation": told.degradation},
        "degradation": record["degradation"].replace(mask, MASK),
        "weights": record["weights"] | {"name": told.prior},
        "reads": {path.replace(mask, MASK): sha for path, sha in record["reads"].items()},
    }


def _to_save(sidecar: Path, photo: str, saved: str) -> str:
    """A sidecar for somebody who saves it beside the photograph and the mask."""
    record = json.loads(sidecar.read_text("utf-8"))
    record["input"]["file"], record["output"]["file"] = photo, saved
    record |= {"files": {}, "scales": {}, "kept": []}  # those pictures are in the report
    return json.dumps(record, indent=2, ensure_ascii=False) + "\n"


def _keep_only(folder: Path, paths: Iterable[Path]) -> None:
    """Remove what nobody asks for any more."""
    kept = set(paths)
    for path in folder.glob("*"):
        if path not in kept:
            path.unlink(missing_ok=True)
