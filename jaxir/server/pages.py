"""The page and the files that it is made of: named here one by one, so that no other file can be asked for."""

from __future__ import annotations

from importlib import resources

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from jaxir.server.refusal import Refusal

STYLE, PROGRAM = "text/css", "text/javascript"

ASSETS = {
    "builder.js": ("jaxir.server", PROGRAM),
    "connection.js": ("jaxir.server", PROGRAM),
    "mask.js": ("jaxir.server", PROGRAM),
    "page.css": ("jaxir.server", STYLE),
    "page.js": ("jaxir.server", PROGRAM),
    "progress.js": ("jaxir.server", PROGRAM),
    "server.js": ("jaxir.server", PROGRAM),
    "session.js": ("jaxir.server", PROGRAM),
    "viewer.css": ("jaxir.report", STYLE),
    "viewer.js": ("jaxir.report", PROGRAM),
}
"""The package whose asset each is, and its type; the viewer is that of the report."""


async def _page(_: Request) -> Response:
    return _asset("page.html", "jaxir.server", "text/html")


async def _named(request: Request) -> Response:
    name = request.path_params["name"]
    if name not in ASSETS:
        raise Refusal(404, "there is nothing here")
    return _asset(name, *ASSETS[name])


def _asset(name: str, package: str, kind: str) -> Response:
    text = resources.files(package).joinpath("assets", name).read_text("utf-8")
    return Response(text, media_type=kind)


ROUTES = [Route("/", _page), Route("/assets/{name}", _named)]
