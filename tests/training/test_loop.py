"""A run learns, logs, stops cleanly, and goes on bit for bit."""

import json
import os
import shutil
import signal
from types import SimpleNamespace

import chex
import jax
import numpy as np
import optax
import pytest
from tiny_training import Tripwire, tiny

import jaxir.training.loop
from jaxir.data import Synthetic
from jaxir.networks import UNet
from jaxir.pretrained import load
from jaxir.processes import uniform_law
from jaxir.training import (
    CheckpointError,
    Checkpoints,
    initial_state,
    train,
    train_step,
    warmup_stable_decay,
)

pytestmark = pytest.mark.usefixtures("quick_compile")


@pytest.fixture(scope="module")
def whole(tmp_path_factory, quick_compile):
    """(folder, state) of the uninterrupted run of 40 steps."""
    folder = tmp_path_factory.mktemp("whole")
    return folder, train(tiny(), folder, log_every=1)


def lines(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def losses(folder):
    return [line["loss"] for line in lines(folder)]


def steps_saved(folder):
    return sorted(int(p.name) for p in (folder / "checkpoints").iterdir() if p.name.isdigit())


def test_the_loss_falls(whole):
    values = losses(whole[0])
    assert np.mean(values[-8:]) < 0.9 * np.mean(values[:4])


def test_the_log_has_a_line_a_step_with_speed_and_operations(whole):
    found = lines(whole[0])
    assert [line["step"] for line in found] == list(range(1, 41))
    assert found[0].pop("compile_s") > 0
    parts = {f"loss_t{i}" for i in range(1, 5)}
    for line in found:
        assert set(line) - parts == {
            *("step", "loss", "gradient", "images_per_s", "images_per_s_per_device"),
            *("tflop_per_s", "data_wait"),
        }
        assert 0 <= line["data_wait"] < 1
        assert all(value > 0 for name, value in line.items() if name != "data_wait")
    assert len({name for line in found for name in parts & set(line)}) > 1


def test_the_loss_of_each_quarter_of_the_time_adds_up_to_the_loss(whole):
    """Of a uniform and stratified law of 8 times each quarter has two, also in parts."""
    experiment = tiny(times=uniform_law, parts=2)
    transform = experiment.optimizer(1)
    images = np.random.default_rng(0).integers(0, 256, (8, 16, 16, 3)).astype(np.uint8)
    step = jax.jit(lambda s, i: train_step(experiment, transform, s, i)[1])
    metrics = step(initial_state(experiment, transform), images)
    np.testing.assert_allclose(np.mean(metrics.by_time), metrics.loss, rtol=1e-5)


def test_the_model_folder_holds_the_averaged_weights(whole, key):
    folder, state = whole
    denoiser = load(folder / "model")
    chex.assert_trees_all_equal((denoiser.params,), state.ema)
    assert denoiser.process == tiny().process
    assert not np.allclose(jax.tree.leaves(state.ema)[0], jax.tree.leaves(state.params)[0])


def test_a_shorter_run_made_longer_equals_the_uninterrupted_one(whole, tmp_path):
    assert int(train(tiny(steps=15), tmp_path, log_every=1).step) == 15
    state = train(tiny(), tmp_path, log_every=1)
    chex.assert_trees_all_equal(state, whole[1])
    assert losses(tmp_path) == losses(whole[0])


def test_a_run_that_died_goes_on_from_its_last_checkpoint(whole, tmp_path):
    def fail():
        raise OSError("the disk is gone")

    source = Tripwire(after=8 * 20, action=fail)
    with pytest.raises(OSError, match="the disk is gone"):
        train(tiny(source=lambda: source), tmp_path, log_every=1, save_every=6)
    assert steps_saved(tmp_path) == [12, 18]
    assert lines(tmp_path)[-1]["step"] == 19
    with (tmp_path / "metrics.jsonl").open("a") as log:
        log.write('{"step": 20, "lo')  # the line that it was writing
    chex.assert_trees_all_equal(train(tiny(), tmp_path, log_every=1), whole[1])
    assert losses(tmp_path) == losses(whole[0])


def test_a_finished_run_started_again_changes_nothing(whole, tmp_path):
    shutil.copytree(whole[0], tmp_path, dirs_exist_ok=True)
    chex.assert_trees_all_equal(train(tiny(), tmp_path), whole[1])
    assert lines(tmp_path) == lines(whole[0])


def test_sigterm_saves_ends_with_exit_code_0_and_the_run_goes_on(whole, tmp_path, run_python):
    code = f"""
import os, signal
from tiny_training import Tripwire, tiny
from jaxir.training import train
source = Tripwire(8 * 9, lambda: os.kill(os.getpid(), signal.SIGTERM))
state = train(tiny(source=lambda: source), {str(tmp_path)!r}, log_every=1)
print("stopped", int(state.step))
"""
    printed = run_python(code, JAX_DISABLE_MOST_OPTIMIZATIONS="1")
    stopped = int(printed.split("stopped")[-1])
    assert 5 <= stopped < 40  # the images come up to three steps early
    assert steps_saved(tmp_path) == [stopped]
    load(tmp_path / "model")
    chex.assert_trees_all_equal(train(tiny(), tmp_path, log_every=1), whole[1])


def test_ctrl_c_saves_the_step_in_hand_and_then_interrupts(tmp_path):
    before = signal.getsignal(signal.SIGINT)
    source = Tripwire(8 * 9, lambda: os.kill(os.getpid(), signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        train(tiny(source=lambda: source), tmp_path, log_every=1)
    assert steps_saved(tmp_path) == [lines(tmp_path)[-1]["step"]]
    assert (tmp_path / "model" / "config.json").is_file()
    assert signal.getsignal(signal.SIGINT) is before


def test_what_is_not_finite_is_skipped_and_counted_and_ends_a_run_that_has_nothing_else(tmp_path):
    def breaks(steps):
        return optax.sgd(lambda step: np.inf * (step >= 7) + 1e-3)

    with pytest.raises(FloatingPointError, match=r"none of the last 5 .*: lower the learning rate"):
        train(tiny(optimizer=breaks), tmp_path, log_every=100, save_every=5)
    assert [line.get("skipped") for line in lines(tmp_path)] == [None, 3]
    assert steps_saved(tmp_path) == [5, 10]
    with Checkpoints(tmp_path / "checkpoints") as checkpoints:
        state = checkpoints.restore(start(tiny(optimizer=breaks)))
    chex.assert_tree_all_finite(state)
    assert int(state.skipped) == 3
    assert not (tmp_path / "model").exists()


def start(experiment):
    transform = experiment.optimizer(experiment.steps)
    return jax.jit(lambda: initial_state(experiment, transform))()


def truncate(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)


@pytest.mark.parametrize("damage", [truncate, flip, lambda path: path.unlink()])
def test_a_damaged_checkpoint_is_one_clear_line(whole, tmp_path, damage, capfd):
    """Orbax itself reads flipped bits as other weights, and answers a short file with pages of traceback."""
    shutil.copytree(whole[0], tmp_path, dirs_exist_ok=True)
    arrays = (tmp_path / "checkpoints" / "40").glob("default/ocdbt.process_0/d/*")
    damage(max(arrays, key=lambda path: path.stat().st_size))
    with pytest.raises(CheckpointError, match=r"is damaged.*: delete the folder .*/40") as error:
        train(tiny(), tmp_path)
    assert "\n" not in str(error.value)
    assert not capfd.readouterr().err


@pytest.mark.parametrize(
    "change",
    [
        {"network": UNet(widths=(8, 16), blocks=(1, 1), embedding=8)},
        {"network": UNet(widths=(8, 8), blocks=(1, 2), embedding=8)},
        {"optimizer": lambda steps: optax.sgd(1e-3)},
    ],
)
def test_a_checkpoint_of_another_network_is_one_clear_line(whole, tmp_path, change, capfd):
    shutil.copytree(whole[0], tmp_path, dirs_exist_ok=True)
    other = tiny(**change)
    with pytest.raises(
        CheckpointError, match=r"belongs to another network|^network is UNet"
    ) as error:
        train(other, tmp_path)
    assert "\n" not in str(error.value)
    assert not capfd.readouterr().err


def test_a_batch_that_does_not_divide_is_refused_before_anything_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr(jaxir.training.loop, "data_mesh", lambda _: SimpleNamespace(size=3))
    with pytest.raises(ValueError, match="batch is 8, expected a multiple of 3, the 3 devices"):
        train(tiny(), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_smoke_run_needs_no_data_and_leaves_pictures_and_weights(tmp_path):
    def missing():
        raise OSError("no data here")

    experiment = tiny(source=missing, crop=512).smoke()
    assert int(train(experiment, tmp_path).step) == 4
    assert (tmp_path / "preview-4.png").is_file()
    assert {"psnr_15", "psnr_25", "psnr_50"} < set(lines(tmp_path)[-1])
    load(tmp_path / "model")


@pytest.mark.parametrize("field", ["steps", "batch", "crop"])
def test_a_run_of_nothing_is_refused(field):
    with pytest.raises(ValueError, match=f"{field} is 0, expected at least 1"):
        tiny(**{field: 0})


def test_an_average_that_never_moves_is_refused():
    with pytest.raises(ValueError, match=r"ema is 1.0, expected a decay in \[0, 1\)"):
        tiny(ema=1.0)


def test_the_rate_rises_stays_and_falls_as_one_minus_a_square_root():
    rate = warmup_stable_decay(2.0, 1000, warmup=100, decay=0.3)
    found = [float(rate(step)) for step in (0, 49, 99, 500, 700, 775, 1000)]
    np.testing.assert_allclose(found, [0.02, 1.0, 2.0, 2.0, 2.0, 1.0, 0.0], atol=1e-6)


def test_the_plateau_does_not_know_the_number_of_steps():
    short, long = warmup_stable_decay(1.0, 1000), warmup_stable_decay(1.0, 9000)
    for step in range(0, 700, 7):
        assert float(short(step)) == float(long(step))


def test_each_decay_has_its_average_and_the_best_weights_are_kept(whole, tmp_path):
    """The longer average lags behind; the figure that the second picture loses is that of the kept weights."""
    figures = iter([2.0, 3.0, 1.0])

    def preview(path, denoiser, validation):
        return {"score": next(figures)}

    several = tiny(
        ema=(0.9, 0.99), validation=lambda: Synthetic(1, 16), preview=preview, best="score", steps=6
    )
    state = train(several, tmp_path, preview_every=2)
    chex.assert_trees_all_equal(load(tmp_path / "model").params, state.ema[0])
    chex.assert_trees_all_equal(load(tmp_path / "model-0.99").params, state.ema[1])
    assert json.loads((tmp_path / "best" / "best.json").read_text()) == {"step": 4, "score": 3.0}
    best = jax.tree.leaves(load(tmp_path / "best").params)
    assert not np.allclose(best[0], jax.tree.leaves(state.ema[0])[0])


@pytest.mark.slow
def test_a_best_that_is_no_figure_is_one_clear_line(tmp_path):
    wrong = tiny(
        validation=lambda: Synthetic(1, 16), preview=lambda *_: {"score": 1.0}, best="psnr", steps=1
    )
    with pytest.raises(
        ValueError, match="best is 'psnr', expected one of the preview's figures: score"
    ):
        train(wrong, tmp_path)


def test_the_host_waits_for_the_device_only_where_the_log_has_a_line(tmp_path, monkeypatch):
    """Of 35 steps 10, 20, 30 and the last have one; the step is compiled ahead of time, so none compiles again."""
    fetched, fetch = [], jax.device_get
    monkeypatch.setattr(jax, "device_get", lambda x: fetched.append(x) or fetch(x))
    train(tiny(steps=35), tmp_path, log_every=10, save_every=100)
    assert [line["step"] for line in lines(tmp_path)] == [10, 20, 30, 35]
    assert len(fetched) == 4


@pytest.mark.slow
def test_a_network_of_ones_own_is_trained_with_a_warning(tmp_path):
    class Mine(UNet):
        """A class that no file can name."""

    mine = tiny(network=Mine(widths=(8, 8), blocks=(1, 1), embedding=8), steps=1)
    with pytest.warns(
        UserWarning, match=r"no model/: .*Mine\(.* cannot be written into config.json"
    ):
        train(mine, tmp_path)
    assert steps_saved(tmp_path) == [1]
    assert not (tmp_path / "model").exists()


@pytest.mark.slow
def test_some_steps_are_traced(tmp_path):
    train(tiny(steps=3), tmp_path, profile=range(2, 3))
    assert list((tmp_path / "profile").rglob("*.xplane.pb"))


def test_a_new_run_may_start_from_other_weights(whole, tmp_path):
    """Adam's first step moves every weight by its rate at most, here 0.01: they are still the given ones."""
    given = tiny().denoiser(whole[1].ema[0])
    state = train(tiny(steps=1), tmp_path, initial=given)
    moved = jax.tree.map(lambda a, b: float(abs(a - b).max()), state.params, given.params)
    assert max(jax.tree.leaves(moved)) < 0.0101


def test_a_run_does_not_go_on_as_another(whole, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(whole[0], folder)
    record = json.loads((folder / "run.json").read_text())
    assert record["settings"] == tiny().settings()
    assert set(record["provenance"]) >= {"jax", "python", "hardware", "revision"}
    with pytest.raises(CheckpointError, match=r"^batch is 16 but the run in .* has 8: give it"):
        train(tiny(batch=16, steps=50), folder)
