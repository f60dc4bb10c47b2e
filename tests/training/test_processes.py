"""Two processes on one machine train as one does, as two hosts of a pod would."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import jax
import numpy as np
import pytest
from tiny_training import tiny

from jaxir.training import Checkpoints, initial_state, train

pytestmark = [pytest.mark.devices, pytest.mark.slow]

CODE = """
import sys
import jax
jax.distributed.initialize(sys.argv[1], 2, int(sys.argv[2]))
from tiny_training import tiny
from jaxir.mesh import FullyShard
from jaxir.training import train
train(tiny(steps=int(sys.argv[4])), sys.argv[3], log_every=1, save_every=2, rule=FullyShard(least=64))
assert jax.device_count() == 4 and len(jax.local_devices()) == 2
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        return probe.getsockname()[1]


def begin(folder, steps):
    """Two processes with two devices each, weights and optimiser split over all four."""
    address = f"localhost:{free_port()}"
    flags = {
        "XLA_FLAGS": "--xla_force_host_platform_device_count=2",
        "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",
    }
    return [
        subprocess.Popen(
            [sys.executable, "-c", CODE, address, str(i), str(folder), str(steps)],
            cwd=Path(__file__).parents[1],
            env={**os.environ, **flags},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for i in range(2)
    ]


def end(started):
    printed = [process.communicate(timeout=240)[0] for process in started]
    assert [process.returncode for process in started] == [0, 0], "\n".join(printed)


@pytest.fixture(scope="module")
def together(tmp_path_factory):
    """The folder of a run of two processes."""
    folder = tmp_path_factory.mktemp("together")
    end(begin(folder, 4))
    return folder


def test_the_losses_are_those_of_one_process(together, tmp_path):
    train(tiny(steps=4), tmp_path, log_every=1)
    two, one = (
        [json.loads(line)["loss"] for line in (path / "metrics.jsonl").read_text().splitlines()]
        for path in (together, tmp_path)
    )
    assert len(set(one)) == 4
    np.testing.assert_allclose(two, one, rtol=1e-5)


def test_their_checkpoint_goes_on_in_one_process(together):
    experiment = tiny(steps=4)
    like = jax.jit(lambda: initial_state(experiment, experiment.optimizer(4)))()
    with Checkpoints(together / "checkpoints") as checkpoints:
        assert int(checkpoints.restore(like).step) == 4
    assert int(train(tiny(steps=6), together).step) == 6


def test_sigterm_to_one_of_them_stops_both_after_the_same_step(tmp_path):
    started = begin(tmp_path, 10**6)
    deadline = time.monotonic() + 200
    while not (tmp_path / "checkpoints" / "2").is_dir() and time.monotonic() < deadline:
        time.sleep(0.2)
    started[1].send_signal(signal.SIGTERM)
    end(started)
    steps = [
        json.loads((tmp_path / name).read_text().splitlines()[-1])["step"]
        for name in ("metrics.jsonl", "metrics-1.jsonl")
    ]
    assert steps[0] == steps[1] >= 2
    assert (tmp_path / "checkpoints" / str(steps[0])).is_dir()
