"""What stands for a restoration, and what is handed in to it."""

from __future__ import annotations

import io
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from jaxir.report import Entry
from jaxir.report.pictures import data_url, quantise

if TYPE_CHECKING:
    from jaxir.server import Job, Outcome
    from jaxir.server.uploads import Upload

for needed in ("starlette", "uvicorn", "httpx2"):
    pytest.importorskip(needed, reason="needs the extras web and test")

TOKEN = "a-secret-that-nobody-guesses"
ORIGIN = "http://127.0.0.1:8000"


class Restoration:
    """Stands for the one of the shell: so many steps, which may be held up.

    Attributes:
        gate: each step waits for it, but for the first `free` ones.
        begun: set when a photo is begun.
        steps: of a photo.
        SLOW: seconds of a step, for the method "slow".
    """

    SLOW = 0.15

    def __init__(self, steps: int = 4) -> None:
        self.gate, self.begun, self.steps = threading.Event(), threading.Event(), steps
        self.free = 0
        self.gate.set()

    def __call__(
        self,
        job: Job,
        *,
        callback: Callable[[int, int], None],
        watch: Callable[[Any], None],
        say: Callable[[str], None],
    ) -> Outcome:
        from jaxir.server import Outcome

        self.begun.set()
        if job.settings.get("method") == "broken":
            raise ValueError(f"the method of\n{job.photo.path} is broken")
        if job.settings.get("method") == "mistaken":
            raise KeyError("/home/somebody")
        say("auto: noise(0.1): found noise of 0.1")
        with Image.open(job.photo.path) as file:
            image = np.asarray(file.convert("RGB"), np.float32) / 127.5 - 1
        for step in range(self.steps):
            if step >= self.free:
                self.gate.wait(30)
            if job.settings.get("method") == "slow":
                time.sleep(self.SLOW)
            watch(image * step / self.steps)
            callback(step + 1, self.steps)
        out, sidecar = job.folder / "out.png", job.folder / "out.json"
        Image.fromarray(quantise(image)).save(out)
        sidecar.write_text(json.dumps({"settings": dict(job.settings)}))
        height, width = image.shape[:2]
        url = data_url(quantise(image))
        entry = Entry(job.photo.name, url, url, width, height, samples=[url, url])
        files = {"photo": (out, f"restored {job.photo.name}"), "sidecar": (sidecar, "how.json")}
        if job.mask.exists():
            files["mask"] = (job.mask, "mask.png")
        shown = job.folder / "entry.json"
        shown.write_text(entry.as_json())
        return Outcome(shown, files)


@contextmanager
def running(app: Any, bound: socket.socket) -> Iterator[None]:
    """The application at a socket, as it really runs."""
    from jaxir.server import server

    it = server(app)
    thread = threading.Thread(target=it.run, kwargs={"sockets": [bound]})
    thread.start()
    while not it.started:
        time.sleep(0.01)
    yield
    it.should_exit = True
    thread.join(20)
    assert not thread.is_alive()


def check(settings: Any, photo: Upload) -> None:
    """What the shell's settings would say."""
    assert photo.height > 0
    if settings.get("method") == "mistaken at once":
        raise KeyError("/home/somebody")
    if "bad" in str(settings.get("degradation")):
        raise ValueError("unknown degradation 'bad'")


def picture(width: int = 24, height: int = 16, form: str = "PNG") -> bytes:
    """A photo as the bytes of a file."""
    y, x = np.mgrid[:height, :width]
    pixels = np.stack([x * 255 // width, y * 255 // height, (x + y) % 256], axis=-1)
    file = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(file, form)
    return file.getvalue()
