"""The server as it runs: at a port of its own, over a real connection, with progress while it happens."""

import http.client
import json
import socket
import time
from contextlib import ExitStack, closing, suppress

import pytest
from server.stand_in import TOKEN, Restoration, picture

from jaxir.server import address


@pytest.fixture
def ask(port):
    """One request; its status and JSON."""

    def request(method, path, body=None, **headers):
        if isinstance(body, dict):
            body, headers = (
                json.dumps(body).encode(),
                headers | {"Content-Type": "application/json"},
            )
        bearer = {"Authorization": f"Bearer {TOKEN}"}
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=20)) as connection:
            connection.request(method, path, body, bearer | headers)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())

    return request


class Events:
    """The stream of progress, as a browser reads it."""

    def __init__(self, port):
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        self._connection.request("GET", "/events", headers={"Authorization": f"Bearer {TOKEN}"})
        self._answer = self._connection.getresponse()
        assert self._answer.headers["content-type"].startswith("text/event-stream")

    def close(self):
        self._answer.close()
        self._connection.close()

    def until(self, true):
        """The jobs of the first event of which `true(jobs)` holds."""
        while True:
            line = self._answer.readline().decode()
            assert line, "the stream ended"
            if line.startswith("data: ") and true(jobs := json.loads(line[6:])):
                return jobs


@pytest.fixture
def listener(port):
    """A new stream, which the test need not close."""
    with ExitStack() as stack:
        yield lambda: stack.enter_context(closing(Events(port)))


def test_progress_comes_as_it_happens_and_again_after_a_lost_connection(ask, restoration, listener):
    before = listener()
    assert before.until(lambda jobs: True) == []
    status, photo = ask("POST", "/photos?name=a.png", picture())
    assert status == 201
    restoration.gate.clear()
    _, job = ask("POST", "/jobs", {"photo": photo["id"], "settings": {"degradation": "auto"}})
    assert before.until(lambda jobs: jobs and jobs[0]["status"] == "running")[0]["done"] == 0
    restoration.gate.set()
    (done,) = before.until(lambda jobs: jobs[0]["status"] == "done")
    assert (done["id"], done["done"], done["total"], done["preview"]) == (job["id"], 4, 4, 4)
    assert listener().until(lambda jobs: True) == [done]  # the state comes first


def test_a_running_job_is_cancelled_over_the_wire(ask, restoration, listener):
    restoration.gate.clear()
    _, photo = ask("POST", "/photos?name=a.png", picture())
    _, job = ask("POST", "/jobs", {"photo": photo["id"], "settings": {}})
    assert restoration.begun.wait(10)
    status, state = ask("POST", f"/jobs/{job['id']}/cancel")
    assert (status, state["status"], state["stopping"]) == (200, "running", True)
    restoration.gate.set()
    (ended,) = listener().until(lambda jobs: jobs[0]["status"] != "running")
    assert (ended["status"], ended["done"]) == ("cancelled", 1)


def test_the_time_that_is_left_is_told_after_the_first_steps(ask, listener):
    _, photo = ask("POST", "/photos?name=a.png", picture())
    ask("POST", "/jobs", {"photo": photo["id"], "settings": {"method": "slow"}})
    jobs = listener().until(lambda jobs: jobs[0]["done"] >= 2)
    if jobs[0]["status"] == "running":
        assert jobs[0]["left"] == pytest.approx(Restoration.SLOW * (4 - jobs[0]["done"]), abs=0.2)


def raw(port, *pieces, pause=0.0):
    """Bytes over a socket, and what comes back."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as line:
        for piece in pieces:
            line.sendall(piece)
            time.sleep(pause)
        line.shutdown(socket.SHUT_WR)
        received = b""
        while piece := line.recv(65536):
            received += piece
    return received


def post(port, length, token=TOKEN):
    return (
        f"POST /photos?name=a.png HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
        f"Authorization: Bearer {token}\r\nContent-Length: {length}\r\n\r\n"
    ).encode()


@pytest.mark.parametrize("limits", [0.3], indirect=True)
def test_a_body_that_comes_slowly_is_not_waited_for(port, ask, tmp_path, limits):
    with socket.create_connection(("127.0.0.1", port), timeout=20) as line:
        line.sendall(post(port, 1000) + b"\x89PNG")
        began = time.monotonic()
        answer = line.recv(65536)
    assert answer.startswith(b"HTTP/1.1 408")
    assert limits.seconds <= time.monotonic() - began < limits.seconds + 3
    assert list(tmp_path.iterdir()) == []
    assert ask("POST", "/photos?name=a.png", picture())[0] == 201


def test_an_upload_that_breaks_off_leaves_nothing(port, ask, tmp_path):
    raw(port, post(port, 1000), b"\x89PNG")
    for _ in range(100):
        if not list(tmp_path.iterdir()):
            break
        time.sleep(0.02)
    assert list(tmp_path.iterdir()) == []
    assert ask("GET", "/limits")[0] == 200


def test_a_body_too_large_is_refused_before_it_has_come(port, limits):
    assert raw(port, post(port, limits.bytes + 1)).startswith(b"HTTP/1.1 413")


def test_nothing_is_read_of_a_stranger(port):
    assert raw(port, post(port, 1000, "wrong")).startswith(b"HTTP/1.1 403")


NOT_HTTP = [
    b"\x16\x03\x01\x02\x00",
    b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    b"\0" * 100_000,
]


@pytest.mark.parametrize("sent", NOT_HTTP)
def test_noise_does_not_stop_it(port, ask, sent):
    with suppress(OSError):  # it may hang up
        assert b" 200 " not in raw(port, sent)
    assert ask("GET", "/limits")[0] == 200


def test_it_does_not_say_what_it_is(port):
    answer = raw(
        port, f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n".encode()
    )
    assert b"\r\nserver:" not in answer.lower()


def test_the_address_names_the_port_that_was_found(bound):
    found = bound.getsockname()[1]
    assert found > 0
    assert address(bound, "127.0.0.1", "x") == f"http://127.0.0.1:{found}/?token=x"
    assert address(bound, "::1", "x") == f"http://[::1]:{found}/?token=x"
