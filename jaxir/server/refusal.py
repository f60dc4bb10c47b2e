"""What the server says when it will not do something: a status and one line, as JSON."""

from __future__ import annotations

import sys
import traceback

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response


class Refusal(Exception):
    """A request that is answered by `status` and {"error": message}.

    Args:
        status: of HTTP.
        message: one line for a person.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


async def _refused(_: Request, error: Exception) -> Response:
    return JSONResponse({"error": str(error)}, getattr(error, "status", 500))


async def _no_such_address(_: Request, error: Exception) -> Response:
    status = getattr(error, "status_code", 404)
    said = "this address takes other requests" if status == 405 else "there is nothing here"
    return JSONResponse({"error": said}, status)


async def _gone(_: Request, error: Exception) -> Response:
    return JSONResponse({"error": "the upload ended before the file did"}, 400)


async def _broken(_: Request, error: Exception) -> Response:
    traceback.print_exception(error, file=sys.stderr)
    return JSONResponse({"error": "a mistake of the server: see where it runs"}, 500)


HANDLERS = {
    Refusal: _refused,
    HTTPException: _no_such_address,
    ClientDisconnect: _gone,
    Exception: _broken,
}
"""How each kind of exception is answered."""
