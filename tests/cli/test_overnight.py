"""Left alone overnight: killed at any moment, gone on with, and the same in the morning as if nothing had happened."""

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from jaxir.cli.errands import digest
from jaxir.data import read_image

JAXIR = Path(sys.executable).with_name("jaxir")
COUNT = 50


def outputs(folder):
    """The photographs that are there, without what is on its way and their samples."""
    return sorted(path for path in folder.rglob("[!.]*.png") if ".sample-" not in path.name)


def described(folder):
    """What the sidecars say, but for the time it took."""
    found = {}
    for path in sorted(folder.rglob("*.jaxir.json")):
        record = json.loads(path.read_text())
        del record["seconds"]
        found[path.name] = record
    return found


@pytest.fixture
def command(tmp_path, picture, tiny_prior):
    sizes = [(16, 16, 3), (12, 20, 1)]
    for i in range(COUNT):
        picture(tmp_path / "in" / str(i % 3) / f"{i:02}.png", sizes[i % 2], seed=i)
    options = ["--degradation", "noise(0.05)", "--prior", tiny_prior, "--steps", 2, "--samples", 2]
    options.append("--save-samples")  # so that there is much to be killed between

    def line(output, *more):
        given = [JAXIR, "restore", tmp_path / "in", "-o", tmp_path / output, *options, *more]
        return [str(part) for part in given]

    return line


@pytest.mark.slow
@pytest.mark.parametrize("jobs", [1, 3])
def test_kill_9_at_random_moments_and_resume_gives_the_same_files(tmp_path, command, jobs):
    jobs = ["--jobs", str(jobs)]
    subprocess.run(command("whole"), check=True, capture_output=True)
    out, chance = tmp_path / "out", random.Random(0)
    (tmp_path / "out").mkdir()
    for target in (1, 9, 24, 38):
        process = subprocess.Popen(
            command("out", "--resume", *jobs), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        while len(outputs(out)) < target and process.poll() is None:
            time.sleep(0.002)
        time.sleep(chance.uniform(0, 0.05))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert process.returncode == -signal.SIGKILL, "it had nothing left to do"
        before = {path: (digest(path), path.stat().st_mtime_ns) for path in outputs(out)}
        for path in before:
            read_image(path)  # it is whole
    assert len(before) < COUNT
    done = subprocess.run(
        command("out", "--resume", *jobs), check=True, capture_output=True, text=True
    )
    assert f"{len(before)} of {COUNT} were done before" in done.stdout
    for path, (content, when) in before.items():
        assert (digest(path), path.stat().st_mtime_ns) == (content, when), "it was written again"
    whole = tmp_path / "whole"
    assert [p.relative_to(out) for p in outputs(out)] == [
        p.relative_to(whole) for p in outputs(whole)
    ]
    for path in outputs(out):
        assert path.read_bytes() == (whole / path.relative_to(out)).read_bytes()
    assert described(out) == described(whole)
    again = subprocess.run(command("out", "--resume"), check=True, capture_output=True, text=True)
    assert again.stdout == f"{COUNT} of {COUNT} were done before\n"


@pytest.mark.slow
def test_an_interrupt_leaves_whole_files_and_nothing_else(tmp_path, command):
    process = subprocess.Popen(
        command("out"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    while len(outputs(tmp_path / "out")) < 5:
        time.sleep(0.002)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert said == "jaxir: interrupted, what is written is whole: --resume goes on\n"
    left = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert not [path for path in left if path.name.startswith(".")]
    for path in outputs(tmp_path / "out"):
        read_image(path)
        assert json.loads(path.with_name(f"{path.name}.jaxir.json").read_text())["output"][
            "sha256"
        ] == digest(path)
