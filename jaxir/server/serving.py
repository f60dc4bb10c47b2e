"""The application behind a socket."""

from __future__ import annotations

import ipaddress
import socket

import uvicorn
from starlette.types import ASGIApp

CONNECTIONS = 64
"""At a time; beyond them the answer is 503."""


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens: its port is known, and whoever opens it at once waits for the server to begin.

    Args:
        host: a name or an address of this machine.
        port: 0 for any that is free.

    Raises:
        OSError: if it cannot be.
    """
    family, kind, _, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    found = socket.socket(family, kind)
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind(address)
        found.listen()
    except OSError:
        found.close()
        raise
    return found


def server(app: ASGIApp) -> uvicorn.Server:
    """What answers at a socket: `server(app).run(sockets=[listen(host, port)])`, until it is interrupted."""
    return uvicorn.Server(
        uvicorn.Config(
            app,
            http="h11",
            ws="none",
            lifespan="on",
            access_log=False,
            log_level="critical",  # the application says itself what went wrong
            server_header=False,
            proxy_headers=False,  # nobody says in whose name he asks
            limit_concurrency=CONNECTIONS,
            timeout_graceful_shutdown=1,  # pages that listen never hang up
        )
    )


def visible_name(bound: socket.socket, host: str) -> str:
    """What a browser calls the server that listens there: a name of this machine where every address of it does."""
    everywhere = ipaddress.ip_address(bound.getsockname()[0]).is_unspecified
    return socket.gethostname() if everywhere else host


def address(bound: socket.socket, name: str, token: str) -> str:
    """What to open in a browser, by the server's `visible_name`."""
    name = f"[{name}]" if ":" in name else name
    return f"http://{name}:{bound.getsockname()[1]}/?token={token}"
