"""The command line in this process, and small files to give it."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image

from jaxir.cli import main


class Outcome(NamedTuple):
    """What a command did."""

    code: int
    out: str
    err: str


@pytest.fixture
def jaxir(capsys: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    """`jaxir("degrade", path, ...)` runs a command and returns its exit code and what it printed."""

    def run(*arguments: object) -> Outcome:
        capsys.readouterr()
        try:
            main([str(argument) for argument in arguments])
            code = 0
        except SystemExit as stop:
            code = int(stop.code or 0)
        return Outcome(code, *capsys.readouterr())

    return run


@pytest.fixture
def picture() -> Callable[..., Path]:
    """`picture(path, (16, 12), seed=1)` writes smooth colours to a file; a third size of 1 is grey."""

    def write(path: Path, shape: tuple[int, ...] = (16, 16, 3), seed: int = 0) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        steps = np.random.default_rng(seed).normal(size=shape).cumsum(0).cumsum(1)
        pixels = np.uint8(127.5 * (1 + np.sin(steps / 4)))
        Image.fromarray(pixels[..., 0] if shape[-1] == 1 else pixels).save(path)
        return path

    return write
