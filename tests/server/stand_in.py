"""What stands for a restoration, and what is handed in to it."""

from __future__ import annotations

import io
import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from jaxir.report import Entry
from jaxir.report.pictures import data_url, quantise

if TYPE_CHECKING:
    from jaxir.server import Job, Outcome

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
        photo: Path,
        *,
        callback: Callable[[int, int], None],
        watch: Callable[[Any], None],
    ) -> Outcome:
        from jaxir.server import Outcome

        self.begun.set()
        if job.settings.get("method") == "broken":
            raise ValueError(f"the method of\n{photo} is broken")
        with Image.open(photo) as file:
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
        return Outcome(entry.as_json(), files)


def check(settings: Any) -> None:
    """What the shell's settings would say."""
    if "bad" in str(settings.get("degradation")):
        raise ValueError("unknown degradation 'bad'")


def picture(width: int = 24, height: int = 16, form: str = "PNG") -> bytes:
    """A photo as the bytes of a file."""
    y, x = np.mgrid[:height, :width]
    pixels = np.stack([x * 255 // width, y * 255 // height, (x + y) % 256], axis=-1)
    file = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(file, form)
    return file.getvalue()
