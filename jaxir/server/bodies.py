"""What a request brings, never more than was allowed and never for longer."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

from starlette.requests import Request

from jaxir.server.refusal import Refusal

LARGEST_JSON = 64 * 1024
"""Bytes of settings."""


async def receive(
    request: Request, write: Callable[[bytes], object], *, limit: int, seconds: float
) -> int:
    """Hand the body to `write` piece by piece, and return its size.

    Args:
        request: whose body is read.
        write: takes each piece.
        limit: bytes allowed; the first byte beyond them ends it, whatever the header had promised.
        seconds: for all of it.

    Raises:
        Refusal: 413 if it is too large, 408 if it takes too long.
        starlette.requests.ClientDisconnect: if the sender goes away before the end.
    """
    large = Refusal(413, f"this is larger than the {limit / 2**20:g} MB that this server takes")
    promised = request.headers.get("content-length", "")
    if promised.isdecimal() and int(promised) > limit:
        raise large
    size = 0
    try:
        async with asyncio.timeout(seconds):
            async for piece in request.stream():
                size += len(piece)
                if size > limit:
                    raise large
                write(piece)
    except TimeoutError:
        raise Refusal(408, f"the upload took longer than {seconds:g} seconds") from None
    return size


async def receive_json(request: Request, *, seconds: float) -> dict[str, Any]:
    """The body as a JSON object.

    Raises:
        Refusal: 415 if it does not say that it is JSON, 400 if it is none, and as `receive`.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip()
    if kind != "application/json":
        raise Refusal(415, "the settings must come as application/json")
    body = bytearray()
    await receive(request, body.extend, limit=LARGEST_JSON, seconds=seconds)
    try:
        value = json.loads(body)
        # no infinity and no half of a character, which no answer could repeat
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError):
        raise Refusal(400, "the settings are no JSON") from None
    if not isinstance(value, dict):
        raise Refusal(400, "the settings are no JSON object")
    return value
