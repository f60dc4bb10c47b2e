"""One restoration at a time: a thread, the jobs that wait for it, and those that are kept to be looked at."""

from __future__ import annotations

import os
import shutil
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Condition, Thread

from jaxir.server.jobs import UNFINISHED, Cancelled, Job, Outcome, Status
from jaxir.server.refusal import Refusal


class Worker:
    """Does one job after another, in a thread of its own.

    Args:
        work: what it does with a job. It calls `job.advance`, which raises `Cancelled`.
        expected: what it raises when a photo and settings do not fit; all else is a mistake of ours.
        waiting: jobs that may wait.
        keep: jobs that are remembered; the oldest that has ended goes first, with its files.
    """

    def __init__(
        self,
        work: Callable[[Job], Outcome],
        *,
        expected: tuple[type[Exception], ...],
        waiting: int,
        keep: int,
    ) -> None:
        self._work, self._expected = work, expected
        self._waiting, self._keep = waiting, keep
        self._jobs: dict[str, Job] = {}
        self._changed = Condition()
        self._closed = False
        self._listeners: list[Callable[[], object]] = []
        self._thread = Thread(target=self._run, name="jaxir-restoration", daemon=True)

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    @property
    def jobs(self) -> list[Job]:
        """All that are remembered, the oldest first."""
        with self._changed:
            return list(self._jobs.values())

    def job(self, id: object) -> Job:
        """The job of that id.

        Raises:
            Refusal: 404 if there is none.
        """
        with self._changed:
            if not isinstance(id, str) or id not in self._jobs:
                raise Refusal(404, "there is no such job here any more")
            return self._jobs[id]

    def submit(self, job: Job) -> None:
        """Put a job at the end of the queue.

        Raises:
            Refusal: 429 if as many wait as may.
        """
        with self._changed:
            waiting = sum(each.status is Status.QUEUED for each in self._jobs.values())
            if waiting >= self._waiting:
                raise Refusal(429, f"{waiting} photos wait already: let one finish, or cancel one")
            self._jobs[job.id] = job
            ended = [each for each in self._jobs.values() if each.status not in UNFINISHED]
            old = ended[: max(len(self._jobs) - self._keep, 0)]
            for each in old:
                del self._jobs[each.id]
            self._changed.notify()
        for each in old:
            shutil.rmtree(each.folder, ignore_errors=True)
        self.tell()

    @contextmanager
    def listening(self, listener: Callable[[], object]) -> Iterator[None]:
        """Call `listener`, from whatever thread, when something has changed."""
        self._listeners.append(listener)
        try:
            yield
        finally:
            self._listeners.remove(listener)

    def tell(self) -> None:
        """Say to those who listen that something has changed."""
        for listener in tuple(self._listeners):
            listener()

    def close(self, seconds: float = 3.0) -> None:
        """Cancel everything and wait until the job that runs has come to its next step, but not for ever."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        for job in self.jobs:
            job.cancel()
        self._thread.join(seconds)

    def _run(self) -> None:
        while (job := self._next()) is not None:
            if not job.start():
                continue
            try:
                job.succeed(self._work(job))
            except Cancelled:
                job.stop()
            except self._expected as error:
                job.fail(_one_line(error, job))
            except Exception as error:  # the next job is begun in any case
                traceback.print_exception(error, file=sys.stderr)
                job.fail("a mistake of jaxir: see where it runs")

    def _next(self) -> Job | None:
        """The job that waits longest; None when there will be none."""
        with self._changed:
            while not self._closed:
                for job in self._jobs.values():
                    if job.status is Status.QUEUED:
                        return job
                self._changed.wait()
            return None


def _one_line(error: Exception, job: Job) -> str:
    """What went wrong, without the folder, which is nothing to a page."""
    said = " ".join(str(error).replace(f"{job.folder}{os.sep}", "").split())
    return said or type(error).__name__
