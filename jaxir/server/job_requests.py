"""Requests about jobs: check settings, begin, follow, cancel, look, save.

What is restored is a photo that was handed in, {"photo": id}, or that of a job, {"job": id}: other settings for a photo
need no second upload, and a mask that was painted goes along.
"""

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
from jaxir.server.uploads import Upload, Uploads, lend, new_id
from jaxir.server.worker import Worker

SECONDS = 10.0
"""That settings may take to arrive."""

Check = Callable[[Mapping[str, Any], Upload], object]
"""Raises an error of one line if a photo cannot be restored by settings."""


class JobRequests:
    """Begins jobs and says how they are.

    Args:
        worker: that does them.
        photos: they are about.
        masks: that go with them.
        check: of their settings.
        expected: what the check raises; all else is a mistake of ours.
        folder: where each has one of its own.
    """

    def __init__(
        self,
        worker: Worker,
        photos: Uploads,
        masks: Uploads,
        *,
        check: Check,
        expected: tuple[type[Exception], ...],
        folder: Path,
    ) -> None:
        self._worker, self._photos, self._masks = worker, photos, masks
        self._check, self._expected, self._folder = check, expected, folder
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
        """What is wrong with {"photo" or "job": id, "settings": {...}}."""
        asked = await receive_json(request, seconds=SECONDS)
        settings, (photo, _) = _settings(asked), self._source(asked)
        # what is wrong is the answer, not a failure: a browser would log the latter as an error
        return JSONResponse({"error": await run_in_threadpool(self._wrong, settings, photo)})

    async def _events(self, _: Request) -> Response:
        return StreamingResponse(events(self._worker), media_type="text/event-stream")

    async def _add(self, request: Request) -> Response:
        """A job for {"photo" or "job": id, "mask": id or null, "settings": {...}}."""
        asked = await receive_json(request, seconds=SECONDS)
        settings, (photo, mask) = _settings(asked), self._source(asked)
        painted = None if asked.get("mask") is None else self._masks.photo(asked["mask"])
        if painted is not None:
            _expect_same_size(painted, photo)
            mask = painted.path
        if error := await run_in_threadpool(self._wrong, settings, photo):
            raise Refusal(422, error)
        id = new_id()
        own = self._folder / f"job-{id}"
        own.mkdir(mode=0o700)
        job = Job(id, photo, settings, own, self._worker.tell)
        try:
            lend(photo.path, job.photo.path)
            if mask is not None:
                lend(mask, job.mask)
            self._worker.submit(job)
        except FileNotFoundError:  # it was pushed out just now
            shutil.rmtree(own, ignore_errors=True)
            raise Refusal(404, "this photo is not here any more: choose it again") from None
        except BaseException:
            shutil.rmtree(own, ignore_errors=True)
            raise
        if painted is not None:
            self._masks.forget(painted.id)  # the job has it
        return JSONResponse(job.state(), 201)

    def _source(self, asked: Mapping[str, Any]) -> tuple[Upload, Path | None]:
        """The photo that is asked for, and the mask that lies with it."""
        if asked.get("job") is None:
            return self._photos.photo(asked.get("photo")), None
        job = self._worker.job(asked["job"])
        return job.photo, job.mask if job.mask.exists() else None

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
        return FileResponse(self._outcome(request).entry, media_type="application/json")

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

    def _wrong(self, settings: Mapping[str, Any], photo: Upload) -> str:
        """What is wrong with settings for a photo, in a line; nothing if they are fine."""
        try:
            self._check(settings, photo)
        except self._expected as error:
            return " ".join(str(error).split())[:500] or "these settings cannot be used"
        return ""


def _settings(asked: Mapping[str, Any]) -> dict[str, Any]:
    settings = asked.get("settings")
    if not isinstance(settings, dict):
        raise Refusal(400, "the settings are no JSON object")
    return settings


def _expect_same_size(mask: Upload, photo: Upload) -> None:
    if (mask.width, mask.height) != (photo.width, photo.height):
        raise Refusal(
            422,
            f"the mask is {mask.width} × {mask.height} but the photo is {photo.width} × {photo.height}: "
            "give one of the photo's size",
        )
