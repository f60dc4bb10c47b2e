"""One photo on its way: what is known of it, at any moment and from any thread.

A job has no history of events: whoever asked is told that something changed and reads the whole state, so that a page
that was closed and opened again is up to date with the first thing it reads.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

from jaxir.server.uploads import Upload


class Status(StrEnum):
    """Where a job stands."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


UNFINISHED = (Status.QUEUED, Status.RUNNING)


class Cancelled(Exception):
    """Somebody asked a job to stop."""


class Outcome(NamedTuple):
    """What a job has made.

    Attributes:
        entry: the file of what the viewer shows, as JSON.
        files: those to save, by what they are: their place, and the name to save them under.
    """

    entry: Path
    files: Mapping[str, tuple[Path, str]]


class Job:
    """One photo, the settings to restore it by, and how far that has come.

    Args:
        id: random, and the only name it has in a path.
        photo: what is restored; its file is `photo` in the job's folder, where that of a mask is `mask`.
        settings: plain values, as the page sent them.
        folder: its own, for what it makes.
        changed: called after every change, from whatever thread.
    """

    def __init__(
        self,
        id: str,
        photo: Upload,
        settings: Mapping[str, Any],
        folder: Path,
        changed: Callable[[], object] = lambda: None,
    ) -> None:
        self.id, self.settings, self.folder = id, settings, folder
        self.photo = photo._replace(path=folder / "photo")
        self.mask = folder / "mask"
        self._changed = changed
        self.preview: bytes | None = None
        self.outcome: Outcome | None = None
        self._status, self._error, self._said = Status.QUEUED, "", ""
        self._done = self._total = self._previews = 0
        self._stop = False
        self._began = self._ended = 0.0
        self._first: tuple[int, float] | None = None
        self._latest = (0, 0.0)
        self._lock = Lock()

    @property
    def status(self) -> Status:
        """Where it stands."""
        return self._status

    def state(self) -> dict[str, Any]:
        """All that the page shows, as plain values."""
        with self._lock:
            now = self._ended or time.monotonic()
            return {
                "id": self.id,
                "photo": self.photo.told(),
                "settings": dict(self.settings),
                "status": self._status,
                "stopping": self._stop,
                "done": self._done,
                "total": self._total,
                "seconds": round(now - self._began, 1) if self._began else 0.0,
                "left": self._left(now),
                "preview": self._previews,
                "error": self._error,
                "said": self._said,
                "mask": self.mask.exists(),
                "files": {what: name for what, (_, name) in self.outcome.files.items()}
                if self.outcome
                else {},
            }

    def start(self) -> bool:
        """Begin, unless it was cancelled while it waited."""
        with self._changing():
            starts = self._status is Status.QUEUED
            if starts:
                self._status, self._began = Status.RUNNING, time.monotonic()
        return starts

    def advance(self, done: int, total: int) -> None:
        """Note the progress.

        Raises:
            Cancelled: if somebody asked for it.
        """
        with self._changing():
            self._done, self._total = int(done), int(total)
            self._latest = self._done, time.monotonic()
            # the first step compiles the program, so the pace is counted from its end
            self._first = self._first or self._latest
        if self._stop:
            raise Cancelled

    def show(self, picture: bytes) -> None:
        """Note what the estimate looks like now, as the bytes of a small JPEG."""
        with self._changing():
            self.preview, self._previews = picture, self._previews + 1

    def say(self, line: str) -> None:
        """Note what was found out about the photo."""
        with self._changing():
            self._said = line

    def cancel(self) -> None:
        """Stop it: at once if it waits, at the next step if it runs, and not at all if it has ended."""
        with self._changing():
            self._stop = True
            if self._status is Status.QUEUED:
                self._status = Status.CANCELLED

    def succeed(self, outcome: Outcome) -> None:
        """End with something to look at."""
        self._end(Status.DONE, outcome=outcome)

    def fail(self, error: str) -> None:
        """End with a line that says why."""
        self._end(Status.FAILED, error=error)

    def stop(self) -> None:
        """End because somebody asked for it."""
        self._end(Status.CANCELLED)

    def _end(self, status: Status, *, error: str = "", outcome: Outcome | None = None) -> None:
        with self._changing():
            self._status, self._error, self.outcome = status, error, outcome
            self._ended = time.monotonic()

    def _left(self, now: float) -> float | None:
        """Seconds until the last step at the pace so far; None before there is one."""
        if self._status is not Status.RUNNING or self._first is None:
            return None
        (done, since), (latest, until) = self._first, self._latest
        if latest <= done:
            return None
        pace = (until - since) / (latest - done)
        return round(max(pace * (self._total - latest) - (now - until), 0.0), 1)

    @contextmanager
    def _changing(self) -> Iterator[None]:
        with self._lock:
            yield
        self._changed()
