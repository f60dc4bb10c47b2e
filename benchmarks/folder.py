"""What `jaxir restore` costs beside its sampler: a folder of photographs, and the same samples drawn without files.

    python benchmarks/folder.py [--photographs 12] [--side 96] [--steps 40] [--rounds 3]

The photographs that ship are turned and mirrored into as many as are asked for and spoiled by noise. Both ways are run
once to be compiled, then in turns: the command on the folder (reading, hashing, restoring, writing, the sidecars), and
`jaxir.restore` on the same arrays with the same keys. Every process is this one, so the start of Python is in neither.
"""

import argparse
import contextlib
import io
import json
import shlex
import statistics
import sys
import tempfile
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

import jaxir
from jaxir.cli import main as shell
from jaxir.cli.errands import digest, number
from jaxir.data import read_image, write_image
from jaxir.degradations import Degradation, GaussianNoise, Identity
from jaxir.photos import photo
from jaxir.provenance import provenance

RESULT = Path(__file__).parent / "results" / "folder.json"
NAMES = ("astronaut", "cat", "coffee")
SAMPLES = 2
ALLOWED = 1.1


def spoil(folder: Path, count: int, side: int) -> None:
    """Write that many photographs, no two alike."""
    for i in range(count):
        image = np.rot90(photo(NAMES[i % 3])[:side, :side], i // 3)
        noise = np.random.default_rng(i).normal(size=image.shape)
        write_image(folder / f"{i:02}.png", (image + 0.1 * noise).astype(np.float32))


def command(source: Path, output: Path, steps: int) -> float:
    """Seconds of the command."""
    arguments = ["restore", source, "-o", output, "--degradation", "noise(0.05)"]
    arguments += ["--steps", steps, "--samples", SAMPLES, "--force"]
    began = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()):
        shell([str(argument) for argument in arguments])
    return time.perf_counter() - began


def sampler(source: Path, steps: int) -> float:
    """Seconds of the same samples, of images that are in memory."""
    prior = jaxir.load("natural-prior")
    images = [
        (jnp.asarray(read_image(path)), number(digest(path))) for path in sorted(source.iterdir())
    ]
    began = time.perf_counter()
    for y, fold in images:
        key = jax.random.fold_in(jax.random.key(0), fold)
        degradation = Degradation(Identity(y.shape), GaussianNoise(0.1))
        drawn = jaxir.restore(y, degradation, prior=prior, steps=steps, samples=SAMPLES, key=key)
        jax.block_until_ready(drawn.mean)
    return time.perf_counter() - began


def main() -> None:
    """Measure, print, store, and say whether it is within what is allowed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photographs", type=int, default=12)
    parser.add_argument("--side", type=int, default=96)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        source, output = Path(folder) / "in", Path(folder) / "out"
        source.mkdir()
        spoil(source, arguments.photographs, arguments.side)
        command(source, output, arguments.steps), sampler(source, arguments.steps)
        rounds = [
            (command(source, output, arguments.steps), sampler(source, arguments.steps))
            for _ in range(arguments.rounds)
        ]
    ratios = [with_files / without for with_files, without in rounds]
    result = {
        "photographs": arguments.photographs,
        "side": arguments.side,
        "steps": arguments.steps,
        "samples": SAMPLES,
        "seconds_of_the_command": [both[0] for both in rounds],
        "seconds_of_the_sampler": [both[1] for both in rounds],
        "ratio": statistics.median(ratios),
        "ratios": ratios,
        "allowed": ALLOWED,
    }
    print(json.dumps(result, indent=2))
    record = {"command": shlex.join(["python", *sys.argv]), **result, "provenance": provenance()}
    RESULT.write_text(json.dumps(record, indent=2) + "\n")
    assert result["ratio"] <= ALLOWED


if __name__ == "__main__":
    main()
