"""The log alone, with a clock of its own: speeds are those between two lines, without what pictures take."""

import json

import pytest

import jaxir.training.log
from jaxir.training.log import Log


@pytest.fixture
def clock(monkeypatch):
    """[now], which a test moves."""
    now = [0.0]
    monkeypatch.setattr(jaxir.training.log.time, "perf_counter", lambda: now[0])
    return now


def make(path, **changes):
    settings = {"name": "run", "steps": 20, "batch": 8, "first": 0, "skipped": 0}
    return Log(path, **settings | changes)


def line(path):
    return json.loads(path.read_text().splitlines()[-1])


QUIET = {"loss": 1.0, "gradient": 1.0, "skipped": 0, "by_time": [1.0] * 4, "memory": None}


def test_speed_is_per_second_of_training_and_the_share_of_the_peak_that_of_all_devices(
    tmp_path, clock
):
    """10 steps of 8 images in 4 s, 1 s of which is waiting; the 6 s of a picture count for nothing."""
    log = make(tmp_path / "log")
    log.compiled(3.0, operations=10**12, devices=2, kind="TPU v4")

    def batches():
        clock[0] += 1.0
        yield 0

    assert list(log.waiting(batches())) == [0]
    clock[0] += 3.0
    with log.pause():
        clock[0] += 6.0
    log.step(10, **QUIET | {"memory": 5 * 10**9})
    found = line(tmp_path / "log")
    assert found["images_per_s"] == 20.0
    assert found["images_per_s_per_device"] == 10.0
    assert found["tflop_per_s"] == 2.5
    assert found["mfu"] == pytest.approx(2.5 / (2 * 275), rel=1e-5)
    assert found["data_wait"] == 0.25
    assert found["peak_gb"] == 5.0
    assert found["compile_s"] == 3.0
    clock[0] += 1.0
    log.step(12, **QUIET)
    assert line(tmp_path / "log")["images_per_s"] == 16.0
    assert "compile_s" not in line(tmp_path / "log")
    log.close()


def test_a_device_of_unknown_peak_has_no_share_of_it(tmp_path, clock):
    log = make(tmp_path / "log")
    log.compiled(1.0, operations=10**9, devices=1, kind="cpu")
    clock[0] += 1.0
    log.step(1, **QUIET | {"by_time": [1.0, float("nan"), 2.0, 3.0]})
    assert "mfu" not in line(tmp_path / "log")
    assert "loss_t2" not in line(tmp_path / "log")
    log.close()


def test_tensorboard_gets_the_same_figures(tmp_path):
    pytest.importorskip("tensorboardX")
    log = make(tmp_path / "log", tensorboard=tmp_path / "board")
    log.write(1, loss=0.5)
    log.close()
    events = b"".join(path.read_bytes() for path in (tmp_path / "board").iterdir())
    assert b"loss" in events
