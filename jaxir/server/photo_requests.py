"""Requests about photos and masks: hand one in, see it small."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from jaxir.server.bodies import receive
from jaxir.server.formats import readable
from jaxir.server.limits import Limits
from jaxir.server.uploads import Uploads


class PhotoRequests:
    """Hands photos and masks in.

    Args:
        photos: where the former go.
        masks: where the latter go, which do not push a photo out.
        limits: of a file.
    """

    def __init__(self, photos: Uploads, masks: Uploads, limits: Limits) -> None:
        self._photos, self._limits = photos, limits
        self.routes = [
            Route("/limits", self._told_limits),
            Route("/photos", self._adds_to(photos), methods=["POST"]),
            Route("/masks", self._adds_to(masks), methods=["POST"]),
            Route("/photos/{id}/thumbnail", self._thumbnail),
        ]

    async def _told_limits(self, _: Request) -> Response:
        limits = {"bytes": self._limits.bytes, "pixels": self._limits.pixels}
        return JSONResponse(limits | {"formats": readable()})

    def _adds_to(self, uploads: Uploads) -> Callable[[Request], Awaitable[Response]]:
        """What hands one in: the body is the file; its name, which is only shown, is in the query."""
        limits = self._limits

        async def add(request: Request) -> Response:
            with uploads.room() as part:
                with part.open("wb") as file:
                    await receive(request, file.write, limit=limits.bytes, seconds=limits.seconds)
                name = request.query_params.get("name", "")
                upload = await run_in_threadpool(uploads.admit, part, name)
            return JSONResponse(upload.told(), 201)

        return add

    async def _thumbnail(self, request: Request) -> Response:
        photo = self._photos.photo(request.path_params["id"])
        return Response(photo.thumbnail, media_type="image/jpeg")
