"""The application, in this process and as it runs, with something that restores as a test wants."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from server.stand_in import Restoration
    from starlette.testclient import TestClient

    from jaxir.server import Limits


@pytest.fixture
def restoration() -> Iterator[Restoration]:
    """The one that `client` restores with."""
    from server.stand_in import Restoration

    value = Restoration()
    yield value
    value.gate.set()


@pytest.fixture
def limits(request: pytest.FixtureRequest) -> Limits:
    """Small ones; a parameter is the seconds that an upload may take."""
    from jaxir.server import Limits

    seconds = getattr(request, "param", 5.0)
    return Limits(bytes=20_000, pixels=10_000, seconds=seconds, waiting=2, keep=3)


@pytest.fixture
def bound() -> Iterator[socket.socket]:
    """A free port."""
    from jaxir.server import listen

    with listen("127.0.0.1", 0) as found:
        yield found


@pytest.fixture
def port(
    bound: socket.socket, tmp_path: Path, restoration: Restoration, limits: Limits
) -> Iterator[int]:
    """Where the server answers, as it really runs; it ends with the test."""
    from server.stand_in import TOKEN, check, running

    from jaxir.server import create_app

    app = create_app(restoration, check, folder=tmp_path, token=TOKEN, limits=limits)
    with running(app, bound):
        yield bound.getsockname()[1]
        restoration.gate.set()


@pytest.fixture
def stranger(tmp_path: Path, restoration: Restoration, limits: Limits) -> Iterator[TestClient]:
    """Somebody on this machine who does not know the token."""
    from server.stand_in import ORIGIN, TOKEN, check
    from starlette.testclient import TestClient

    from jaxir.server import create_app

    app = create_app(restoration, check, folder=tmp_path, token=TOKEN, limits=limits)
    with TestClient(app, base_url=ORIGIN, raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def client(stranger: TestClient) -> TestClient:
    """The page in a browser that has opened the address with the token."""
    from server.stand_in import ORIGIN, TOKEN

    assert stranger.get("/", params={"token": TOKEN}).status_code == 200
    own = {"Origin": ORIGIN, "Sec-Fetch-Site": "same-origin", "Authorization": f"Bearer {TOKEN}"}
    stranger.headers.update(own)
    return stranger
