"""How long a restoration takes to begin: what is imported, loaded, traced and found compiled before its first step."""

import os
import subprocess
import sys

import pytest

PROGRAM = """
import contextlib, sys, time

@contextlib.contextmanager
def progress(title):
    begun = []
    def moved(*_):
        if not begun:
            begun.append(True)
            print("begun", time.process_time())
    yield moved

import jaxir.cli.progress
jaxir.cli.progress.progress = progress
from jaxir.cli import main
main(sys.argv[1:])
"""


@pytest.mark.slow
def test_what_was_compiled_before_begins_within_five_seconds(tmp_path, picture):
    source = picture(tmp_path / "photo.png", (96, 96))
    words = ["restore", source, "-o", tmp_path / "out.png", "--force", "--steps", "20"]
    words += ["--samples", "2", "--degradation", "motion(11,30)|noise(0.05)"]
    environment = {name: value for name, value in os.environ.items() if "CACHE" not in name}
    environment |= {"JAXIR_CACHE": str(tmp_path / "cache")}

    def begun():
        """Seconds of this process's own, so that a busy machine makes no difference."""
        command = [sys.executable, "-c", PROGRAM, *map(str, words)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        assert done.stderr == ""
        return float(done.stdout.split("begun ")[1].split()[0])

    cold, warm = begun(), begun()
    assert warm < 5.0
    assert warm < 0.75 * cold
