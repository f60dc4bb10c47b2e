"""What a page may ask for, and how it is restored: by the engine of `jaxir restore`, shown by that of `jaxir report`.

A page is not the shell: it may not name files or weights of this machine, and what it gets back names none either.
"""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jaxir.cli.settings import Settings
    from jaxir.report import Entry
    from jaxir.server import Job, Outcome

OPEN = ("degradation", "method", "steps", "samples", "fidelity", "seed")
"""The settings that a page may choose: the prior is a path, and the rest is about this machine's memory."""

MOST = {"steps": 1000, "samples": 64}

LONGEST = 2000
"""Letters of a degradation or a method."""

READS_FILES = ("mask", "psf")
"""Stages whose argument is a file of this machine."""

PAINTED = "painted"
"""What stands for the mask that was painted on the page."""

MASK = "mask.png"
"""What that mask is saved as."""


def chosen(values: Mapping[str, Any], *, prior: str) -> Settings:
    """The settings that a page has chosen.

    Raises:
        UsageError: if they cannot be restored by, or name what a page may not.
    """
    from jaxir.cli.degradations import parse_degradation
    from jaxir.cli.errors import UsageError, unknown
    from jaxir.cli.methods import parse_method
    from jaxir.cli.settings import Settings

    for name in values:
        if name not in OPEN:
            raise unknown("setting", name, OPEN)
    settings = Settings.from_json({**values, "prior": prior})
    for name, most in MOST.items():
        if getattr(settings, name) > most:
            raise UsageError(f"{name} is {getattr(settings, name)}, expected at most {most}")
    text = settings.degradation or "auto"
    if max(len(text), len(settings.method)) > LONGEST:
        raise UsageError(f"the words are longer than {LONGEST} letters")
    parse_degradation(text)
    _expect_no_file(text)
    parse_method(settings.method)
    return settings


def _expect_no_file(degradation: str) -> None:
    from jaxir.cli.call import parse_call
    from jaxir.cli.errors import UsageError

    for call in map(parse_call, degradation.split("|")):
        if call.name in READS_FILES and (call.name, call.arguments) != ("mask", PAINTED):
            raise UsageError(
                f"{call.name}({call.arguments}) names a file, which a page cannot: paint what is broken, "
                f"mask({PAINTED}), or use jaxir restore"
            )


class Restoration:
    """Restores the photographs of a page as `jaxir restore --report` would.

    Args:
        prior: weights, by name or folder.
    """

    def __init__(self, prior: str) -> None:
        from jaxir.cli.photograph import Restorer

        self._prior = prior
        self._restorer = functools.lru_cache(maxsize=1)(
            Restorer
        )  # the next photo often has the same

    def __call__(
        self,
        job: Job,
        photo: Path,
        *,
        callback: Callable[[int, int], None],
        watch: Callable[[Any], None],
    ) -> Outcome:
        """Restore a photograph into the folder of its job."""
        from jaxir.cli.entry import read_entry
        from jaxir.cli.errands import Errand, digest, number
        from jaxir.cli.errors import UsageError
        from jaxir.cli.results import Keep, write_results
        from jaxir.data import read_photo
        from jaxir.report import page
        from jaxir.server import Outcome
        from jaxir.server.names import renamed

        settings, mask = chosen(job.settings, prior=self._prior), job.folder / "mask"
        if f"mask({PAINTED})" in (settings.degradation or ""):
            if not mask.exists():
                raise UsageError("nothing is painted: paint over what is broken")
            words = settings.degradation.replace(f"mask({PAINTED})", f"mask({mask})")
            settings = dataclasses.replace(settings, degradation=words)
        opened, sha256 = read_photo(photo, page=1), digest(photo)
        restored = self._restorer(settings)(opened, number(sha256), callback=callback, watch=watch)
        errand = Errand(photo, job.folder / f"restored{_suffix(opened.format)}")
        saved = renamed(job.photo.name, "restored", errand.output.suffix)
        source = {
            "file": photo.name,
            "sha256": sha256,
            "page": None,
            "height": job.photo.height,
            "width": job.photo.width,
            "format": opened.format,
            "depth": opened.depth,
        }
        asked = dataclasses.asdict(settings)
        write_results(errand, opened, restored, Keep(report=True), source=source, asked=asked)
        entry = _known(read_entry(errand.sidecar, title=saved), job, mask)
        sidecar, report = job.folder / "sidecar.json", job.folder / "report.html"
        sidecar.write_text(_told(errand.sidecar, job, saved, mask), "utf-8")
        report.write_text(page([entry], title=saved), "utf-8")
        files = {
            "photo": (errand.output, saved),
            "report": (report, f"{Path(saved).stem}.html"),
            "sidecar": (sidecar, f"{saved}.jaxir.json"),
        }
        if mask.exists():
            files["mask"] = (mask, MASK)
        return Outcome(entry.as_json(), files)


def _suffix(form: str) -> str:
    """The ending of a file of the same format, or of PNG where that cannot be written."""
    from jaxir.data.photo import SUFFIXES

    return next((suffix for suffix, name in SUFFIXES.items() if name == form), ".png")


def _known(entry: Entry, job: Job, mask: Path) -> Entry:
    """An entry with the names that the photograph and the mask have outside of the job's folder."""
    names = {"photo": job.photo.name}
    rows = [
        (title, names.get(words, words).replace(str(mask), MASK)) for title, words in entry.settings
    ]
    return dataclasses.replace(entry, settings=rows)


def _told(sidecar: Path, job: Job, saved: str, mask: Path) -> str:
    """A sidecar likewise, for somebody who saves it beside the photograph and the mask."""
    record = json.loads(sidecar.read_text("utf-8").replace(json.dumps(str(mask))[1:-1], MASK))
    record["input"]["file"], record["output"]["file"] = job.photo.name, saved
    record |= {"files": {}, "scales": {}}  # those pictures are in the report
    return json.dumps(record, indent=2, ensure_ascii=False) + "\n"
