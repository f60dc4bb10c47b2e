"""Requests about jobs: check settings, begin, follow, cancel, look, save."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from jaxir.server.bodies import receive_json
from jaxir.server.events import events
from jaxir.server.jobs import Job, Outcome
from jaxir.server.refusal import Refusal
from jaxir.server.uploads import Uploads, lend, new_id
from jaxir.server.worker import Worker

SECONDS = 10.0
"""That settings may take to arrive."""

Check = Callable[[Mapping[str, Any]], object]
"""Raises a ValueError or TypeError of one line if settings cannot be restored by."""


class JobRequests:
    """Begins jobs and says how they are.

    Args:
        worker: that does them.
        uploads: the photos they are about.
        check: of their settings.
        folder: where each has one of its own.
    """

    def __init__(self, worker: Worker, uploads: Uploads, check: Check, folder: Path) -> None:
        self._worker, self._uploads, self._check, self._folder = worker, uploads, check, folder
        self.routes = [
            Route("/check", self._try, methods=["POST"]),
            Route("/events", self._events),
            Route("/jobs", self._add, methods=["POST"]),
            Route("/jobs/{id}", self._state),
            Route("/jobs/{id}/cancel", self._cancel, methods=["POST"]),
            Route("/jobs/{id}/thumbnail", self._thumbnail),
            Route("/jobs/{id}/preview", self._preview),
            Route("/jobs/{id}/entry", self._entry),
            Route("/jobs/{id}/files/{what}", self._file),
        ]

    async def _try(self, request: Request) -> Response:
        settings = await receive_json(request, seconds=SECONDS)
        # what is wrong is the answer, not a failure: a browser would log the latter as an error
        return JSONResponse({"error": await run_in_threadpool(self._wrong, settings)})

    async def _events(self, _: Request) -> Response:
        return StreamingResponse(events(self._worker), media_type="text/event-stream")

    async def _add(self, request: Request) -> Response:
        """A job for {"photo": id, "mask": id or null, "settings": {...}}."""
        asked = await receive_json(request, seconds=SECONDS)
        settings = asked.get("settings")
        if not isinstance(settings, dict):
            raise Refusal(400, "the settings are no JSON object")
        lent = {"photo": self._uploads.photo(asked.get("photo"))}
        if asked.get("mask") is not None:
            lent["mask"] = self._uploads.photo(asked["mask"])
        if error := await run_in_threadpool(self._wrong, settings):
            raise Refusal(422, error)
        id = new_id()
        own = self._folder / f"job-{id}"
        own.mkdir(mode=0o700)
        job = Job(id, lent["photo"], settings, own, self._worker.tell)
        try:
            for name, upload in lent.items():
                lend(upload, own, name)
            self._worker.submit(job)
        except BaseException:
            shutil.rmtree(own, ignore_errors=True)
            raise
        return JSONResponse(job.state(), 201)

    async def _state(self, request: Request) -> Response:
        return JSONResponse(self._job(request).state())

    async def _cancel(self, request: Request) -> Response:
        job = self._job(request)
        job.cancel()
        return JSONResponse(job.state())

    async def _thumbnail(self, request: Request) -> Response:
        return Response(self._job(request).photo.thumbnail, media_type="image/jpeg")

    async def _preview(self, request: Request) -> Response:
        preview = self._job(request).preview
        if preview is None:
            raise Refusal(404, "there is no preview yet")
        return Response(preview, media_type="image/jpeg")

    async def _entry(self, request: Request) -> Response:
        return Response(self._outcome(request).entry, media_type="application/json")

    async def _file(self, request: Request) -> Response:
        files, what = self._outcome(request).files, request.path_params["what"]
        if what not in files:
            raise Refusal(404, "there is no such file")
        path, name = files[what]
        # never shown in place: it is somebody's file, and this is an origin with a cookie
        return FileResponse(path, filename=name, media_type="application/octet-stream")

    def _job(self, request: Request) -> Job:
        return self._worker.job(request.path_params["id"])

    def _outcome(self, request: Request) -> Outcome:
        outcome = self._job(request).outcome
        if outcome is None:
            raise Refusal(404, "this photo is not restored")
        return outcome

    def _wrong(self, settings: Mapping[str, Any]) -> str:
        """What is wrong with settings, in a line; nothing if they are fine."""
        try:
            self._check(settings)
        except (ValueError, TypeError, RecursionError, MemoryError) as error:
            return " ".join(str(error).split())[:500] or "these settings cannot be used"
        return ""
