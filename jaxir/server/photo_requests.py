"""Requests about photos: hand one in, see it small."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from jaxir.server.bodies import receive
from jaxir.server.limits import Limits
from jaxir.server.uploads import Uploads


class PhotoRequests:
    """Hands photos in.

    Args:
        uploads: where they go.
        limits: of a file.
    """

    def __init__(self, uploads: Uploads, limits: Limits) -> None:
        self._uploads, self._limits = uploads, limits
        self.routes = [
            Route("/limits", self._told_limits),
            Route("/photos", self._add, methods=["POST"]),
            Route("/photos/{id}/thumbnail", self._thumbnail),
        ]

    async def _told_limits(self, _: Request) -> Response:
        return JSONResponse({"bytes": self._limits.bytes, "pixels": self._limits.pixels})

    async def _add(self, request: Request) -> Response:
        """The body is the file; its name, which is only shown, is in the query."""
        limits = self._limits
        with self._uploads.room() as part:
            with part.open("wb") as file:
                await receive(request, file.write, limit=limits.bytes, seconds=limits.seconds)
            name = request.query_params.get("name", "")
            photo = await run_in_threadpool(self._uploads.admit, part, name)
        return JSONResponse(photo.told(), 201)

    async def _thumbnail(self, request: Request) -> Response:
        photo = self._uploads.photo(request.path_params["id"])
        return Response(photo.thumbnail, media_type="image/jpeg")
