"""The application: its parts joined. It is given what restores, and knows nothing of how that is done."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Protocol

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp

from jaxir.server import pages
from jaxir.server.access import Access
from jaxir.server.job_requests import Check, JobRequests
from jaxir.server.jobs import Job, Outcome
from jaxir.server.limits import Limits
from jaxir.server.photo_requests import PhotoRequests
from jaxir.server.pictures import jpeg
from jaxir.server.refusal import HANDLERS
from jaxir.server.uploads import Uploads
from jaxir.server.worker import Worker

PREVIEW = 512
"""Longest side, in pixels, of the estimates on the way."""


class Restore(Protocol):
    """Restores a photo, in whatever way."""

    def __call__(
        self,
        job: Job,
        *,
        callback: Callable[[int, int], None],
        watch: Callable[[Any], None],
        say: Callable[[str], None],
    ) -> Outcome:
        """Restore the photo of a job by its settings, and leave what comes of it in its folder.

        Args:
            job: what is asked for.
            callback: gets (done, total); it raises to cancel.
            watch: gets estimates on the way.
            say: gets a line about what was found out.
        """


def create_app(
    restore: Restore,
    check: Check,
    *,
    folder: Path,
    token: str,
    host: str = "127.0.0.1",
    expected: tuple[type[Exception], ...] = (ValueError, TypeError),
    limits: Limits = Limits(),
) -> ASGIApp:
    """The application, behind its door.

    Args:
        restore: does the work.
        check: raises an error of one line if a photo cannot be restored by settings.
        folder: nobody else's; photos and what becomes of them lie there, and are left there at the end.
        token: what a browser must know.
        host: what the server is called in the address that is printed.
        expected: what `restore` and `check` raise when something does not fit; all else is a mistake of ours.
        limits: what it bears.
    """

    def work(job: Job) -> Outcome:
        return restore(
            job,
            callback=job.advance,
            watch=lambda image: job.show(jpeg(image, PREVIEW)),
            say=job.say,
        )

    photos = Uploads(folder, keep=limits.keep, pixels=limits.pixels)
    masks = Uploads(folder, keep=limits.waiting, pixels=limits.pixels)
    worker = Worker(work, expected=expected, waiting=limits.waiting, keep=limits.keep)

    @contextlib.asynccontextmanager
    async def life(_: Starlette) -> AsyncIterator[None]:
        worker.start()
        yield
        await run_in_threadpool(worker.close)

    handing_in = PhotoRequests(photos, masks, limits)
    jobs = JobRequests(worker, photos, masks, check=check, expected=expected, folder=folder)
    app = Starlette(
        routes=[*pages.ROUTES, *handing_in.routes, *jobs.routes],
        exception_handlers=HANDLERS,
        lifespan=life,
    )
    return Access(app, token, host)  # around everything, so that a failure has its headers as well
