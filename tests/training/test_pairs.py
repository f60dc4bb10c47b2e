"""Training on pairs: the degraded image reaches the network, parts of a batch change nothing, and the run is judged."""

import dataclasses
import json

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tiny_training import tiny

from jaxir.cli import main
from jaxir.data import Synthetic, write_image
from jaxir.denoisers import CleanImage
from jaxir.losses import mean_matching_loss, stepwise
from jaxir.networks import Concatenation, UNet
from jaxir.pretrained import load
from jaxir.processes import IRSDE, VP
from jaxir.training import Restored, initial_state, stacked, train, train_step

pytestmark = pytest.mark.usefixtures("quick_compile")


def darker(key, crop):
    """Half of the light."""
    return crop, (crop + 1) / 2 - 1


def paired(**changes):
    """`tiny` on pairs: a mean-reverting process whose network sees y beside x."""
    settings = {
        "name": "paired",
        "network": UNet(widths=(8, 8), blocks=(1, 1), embedding=8, conditioning=Concatenation(3)),
        "process": IRSDE(),
        "prediction": CleanImage(),
        "pairing": darker,
        "objective": stepwise(mean_matching_loss, 20),
        "validation": lambda: Synthetic(3, 24, seed=1),
        "preview": Restored(darker, steps=4),
    }
    return tiny(**settings | changes)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("paired")
    train(paired(steps=60), folder, log_every=20)
    return folder


def test_a_run_on_pairs_shows_how_it_restores_and_leaves_weights_that_see_y(run):
    last = json.loads((run / "metrics.jsonl").read_text().splitlines()[-1])
    assert {"psnr_degraded", "psnr_restored"} < set(last)
    assert (run / "preview-60.png").is_file()
    denoiser = load(run / "model")
    assert denoiser.sees_y
    assert denoiser.process == IRSDE()


def test_stacked_channels_are_the_clean_and_the_degraded_image(key):
    crop = jax.random.normal(key, (4, 4, 6))
    x0, y = stacked(key, crop)
    np.testing.assert_array_equal(x0, crop[..., :3])
    np.testing.assert_array_equal(y, crop[..., 3:])


def test_a_batch_in_parts_is_the_same_step(key):
    """The mean of the gradients of parts is the gradient of the mean; every image keeps its time and its noise."""
    whole = paired()
    images = jax.random.randint(key, (8, 16, 16, 3), 0, 256).astype(jnp.uint8)

    def step(experiment):
        transform = experiment.optimizer(10)
        state = initial_state(experiment, transform)
        return jax.jit(lambda s, i: train_step(experiment, transform, s, i))(state, images)

    one, four = step(whole), step(dataclasses.replace(whole, parts=4))
    chex.assert_trees_all_close(one[1], four[1], rtol=1e-5)
    chex.assert_trees_all_close(one[0].params, four[0].params, atol=1e-5)


def test_a_step_goes_against_what_the_experiment_says(key):
    """Against nothing: the weights stay, and the loss under another pairing is the one that is reported."""

    def nothing(key, loss, params, batch):
        return loss(params, batch, lambda key, crop: (crop, crop)), jax.tree.map(
            jnp.zeros_like, params
        )

    experiment = paired(gradient=nothing)
    transform = experiment.optimizer(10)
    state = initial_state(experiment, transform)
    images = jax.random.randint(key, (8, 16, 16, 3), 0, 256).astype(jnp.uint8)
    step = jax.jit(lambda s, i: train_step(experiment, transform, s, i))
    after, metrics = step(state, images)
    chex.assert_trees_all_equal(after.params, state.params)
    assert metrics.gradient_norm == 0
    assert metrics.loss > 0


def test_the_stepwise_loss_is_that_of_the_step_that_starts_there(key):
    process, x0, y = VP(), jnp.zeros((4, 4, 3)), None

    def loss(key, denoiser, x0, t, s, y):
        return t - s

    low, high = process.span
    denoiser = paired(process=process).denoiser({})
    found = stepwise(loss, 10)(key, denoiser, x0, jnp.asarray(0.5), y)
    np.testing.assert_allclose(found, (high - low) / 10, rtol=1e-5)
    assert stepwise(loss, 10)(key, denoiser, x0, jnp.asarray(low), y) == 0


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two pairs, 24 × 24, as gt/ and lq/."""
    folder = tmp_path_factory.mktemp("pairs")
    images = Synthetic(2, 24, seed=2)
    for i in range(2):
        clean = images[i].astype(np.float32) / 127.5 - 1
        for name, image in (("gt", clean), ("lq", np.asarray(darker(None, clean)[1]))):
            (folder / name).mkdir(exist_ok=True)
            write_image(folder / name / f"{i}.png", image)
    return folder


def test_evaluate_prints_a_table_with_its_protocol_and_stores_it(run, folder, tmp_path, capsys):
    stored = tmp_path / "found.json"
    main(
        [
            *("evaluate", str(run), "--data", str(folder), "--steps", "4", "--tile", "16:8"),
            *("-o", str(stored), "--pictures", str(tmp_path / "pictures")),
        ]
    )
    printed = capsys.readouterr().out
    assert "degraded PSNR" in printed
    assert "2 images of" in printed
    assert "in tiles of 16:8" in printed
    record = json.loads(stored.read_text())
    assert [row["image"] for row in record["rows"]] == ["0.png", "1.png"]
    means = [np.mean([row[name] for row in record["rows"]]) for name in ("psnr", "degraded")]
    np.testing.assert_allclose(means, [record["mean"]["psnr"], record["mean"]["degraded"]])
    assert sorted(path.name for path in (tmp_path / "pictures").iterdir()) == ["0.png", "1.png"]


def test_evaluate_spoils_clean_images_itself(run, folder, capsys):
    main(
        [
            *("evaluate", str(run), "--data", str(folder / "gt"), "--degradation", "noise(0.1)"),
            *("--steps", "4", "--count", "1", "--size", "16"),
        ]
    )
    assert "1 images of" in capsys.readouterr().out


@pytest.mark.slow
def test_evaluate_measures_lpips_where_it_is_given_weights(run, folder, data, capsys):
    lpips = f"squeeze:{data / 'weights'}"
    main(
        [
            *("evaluate", str(run), "--data", str(folder), "--lpips", lpips),
            *("--steps", "1", "--count", "1"),
        ]
    )
    printed = capsys.readouterr().out
    assert "degraded LPIPS  LPIPS" in printed
    assert "LPIPS 0.1 of squeezenet on RGB" in printed


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["natural-prior", "--data", "FOLDER"], "natural-prior is a prior"),
        (["RUN", "--data", "FOLDER", "--tile", "16:16"], "--tile is '16:16', expected size and a"),
        (["RUN", "--data", "FOLDER", "--steps", "0"], "--steps is 0, expected at least 1"),
        (["RUN", "--data", "FOLDER/gt"], "gt"),
        (["RUN", "--data", "FOLDER", "--lpips", "vg:a.npz"], "'vg', did you mean 'vgg'?"),
        (["RUN", "--data", "FOLDER", "--lpips", "FOLDER/a.npz"], "a.npz is no file"),
        (["RUN", "--data", "FOLDER", "--lpips", "alex:FOLDER"], "found nothing, but LPIPS takes"),
    ],
)
def test_bad_input_to_evaluate_is_one_line(run, folder, capsys, arguments, text):
    given = [a.replace("RUN", str(run)).replace("FOLDER", str(folder)) for a in arguments]
    with pytest.raises(SystemExit) as stopped:
        main(["evaluate", *given])
    printed = capsys.readouterr().err
    assert stopped.value.code == 2
    assert printed.count("\n") == 1
    assert text in printed
