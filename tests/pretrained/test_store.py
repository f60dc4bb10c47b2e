"""Weights come back bit for bit with their process, or one line says why not."""

import dataclasses
import json

import chex
import jax
import jax.numpy as jnp
import pytest

from jaxir.denoisers import NetworkDenoiser, Preconditioned, Velocity
from jaxir.networks import UNet
from jaxir.pretrained import WeightsError, load, save_denoiser, shipped, store
from jaxir.processes import VE, VP, Flow

pytestmark = pytest.mark.usefixtures("quick_compile")

NETWORK = UNet(widths=(8,), blocks=(1,), embedding=4)


@pytest.fixture(scope="module")
def params(quick_compile):
    params = NETWORK.init(jax.random.key(1))
    return jax.tree.map(lambda p: p + 0.1, params)


@pytest.fixture
def saved(params, tmp_path):
    folder = tmp_path / "model"
    save_denoiser(folder, NetworkDenoiser(VP(), params, NETWORK.apply), NETWORK)
    return folder


def fails(folder) -> str:
    """The one line that loading `folder` fails with."""
    with pytest.raises(WeightsError) as error:
        load(folder)
    text = str(error.value)
    assert "\n" not in text
    return text


@pytest.mark.parametrize(
    ("process", "prediction", "data_std"),
    [
        (VP(beta_max=18.0), Preconditioned(0.4), 0.4),
        (VE(sigma_max=20.0), Velocity(), 0.5),
        (Flow(span=(0.01, 0.99)), Velocity(), 0.5),
    ],
)
def test_a_round_trip_is_exact(params, key, tmp_path, process, prediction, data_std):
    denoiser = NetworkDenoiser(process, params, NETWORK.apply, prediction, data_std)
    save_denoiser(tmp_path, denoiser, NETWORK)
    loaded = load(tmp_path)
    chex.assert_trees_all_equal(loaded.params, params)
    assert loaded.process == process
    assert loaded.process.span == process.span
    assert loaded.prediction == prediction
    assert loaded.data_std == data_std
    x, t = jax.random.normal(key, (6, 7, 3)), jnp.asarray(0.4)
    call = jax.jit(lambda d: d(x, t))
    chex.assert_trees_all_equal(call(loaded), call(denoiser))


def test_what_was_traced_for_one_load_serves_the_next(saved):
    @chex.assert_max_traces(n=1)
    def call(denoiser):
        return denoiser(jnp.zeros((4, 4, 3)), jnp.asarray(0.5))

    call = jax.jit(call)
    chex.assert_trees_all_equal(call(load(saved)), call(load(saved)))


def test_a_denoiser_that_went_through_jit_is_saved_too(params, tmp_path):
    denoiser = jax.jit(lambda d: d)(NetworkDenoiser(VP(), params, NETWORK.apply))
    save_denoiser(tmp_path, denoiser, NETWORK)
    assert load(tmp_path).process.beta_max == 20.0


def test_saving_again_replaces_the_files_and_leaves_no_others(saved, params):
    other = jax.tree.map(lambda p: p + 1, params)
    save_denoiser(saved, NetworkDenoiser(VP(), other, NETWORK.apply), NETWORK)
    chex.assert_trees_all_equal(load(saved).params, other)
    assert sorted(p.name for p in saved.iterdir()) == ["config.json", "model.safetensors"]
    assert len({p.stat().st_mode for p in saved.iterdir()}) == 1  # whoever may read one reads both


@pytest.mark.parametrize(
    "damage", [lambda data: data[:-9], lambda data: data[:-1] + b"\xff", lambda data: b""]
)
def test_damaged_weights(saved, damage):
    path = saved / "model.safetensors"
    path.write_bytes(damage(path.read_bytes()))
    assert "model.safetensors is damaged: its SHA-256 differs" in fails(saved)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_missing_file(saved, name):
    (saved / name).unlink()
    assert f"{name} is missing" in fails(saved)


def edit(folder, change):
    path = folder / "config.json"
    config = json.loads(path.read_text())
    change(config)
    path.write_text(json.dumps(config))


def test_the_configuration_of_another_network(saved):
    edit(saved, lambda config: config["network"].update(widths=[16]))
    assert "does not fit the network in config.json" in fails(saved)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda c: c.pop("process"), "process"),
        (lambda c: c["process"].update({"class": "Popen"}), "'Popen' is not one of "),
        (lambda c: c["process"].update({"class": "UNet"}), "TypeError"),
        (lambda c: c["process"].update(beta_min=-1.0), "beta_min is -1.0"),
        (lambda c: c["network"].update(dtype="float8"), "dtype is 'float8'"),
        (lambda c: c["network"].update(colour=True), "colour"),
        (lambda c: c.update(network="UNet"), "AttributeError|TypeError"),
    ],
)
def test_a_configuration_that_means_nothing_says_what_is_wrong_with_it(saved, change, text):
    edit(saved, change)
    message = fails(saved)
    assert "config.json is not a configuration of jaxir" in message
    assert any(part in message for part in text.split("|"))


def test_a_configuration_that_is_not_json(saved):
    (saved / "config.json").write_text('{"network": ')
    assert "config.json is not a configuration of jaxir (JSONDecodeError" in fails(saved)


def test_an_unknown_name_lists_the_shipped_ones(params, tmp_path, monkeypatch):
    monkeypatch.setattr(store, "SHIPPED", tmp_path)
    assert "no weights called 'faces'" in fails("faces")
    assert "none shipped" in fails("faces")
    for name in ("second", "first"):
        save_denoiser(tmp_path / name, NetworkDenoiser(VP(), params, NETWORK.apply), NETWORK)
    assert shipped() == ["first", "second"]
    assert "or one of first, second" in fails("faces")
    chex.assert_trees_all_equal(load("first").params, params)


def test_every_shipped_name_loads(key):
    for name in shipped():
        denoiser = load(name)
        image = denoiser(jax.random.normal(key, (8, 8, 3)), jnp.asarray(0.5))
        chex.assert_tree_all_finite(image)


def test_the_number_of_channels_is_part_of_the_network(saved):
    edit(saved, lambda config: config["network"].update(in_channels=1))
    assert "does not fit" in fails(saved)
    assert dataclasses.replace(NETWORK, in_channels=1).size() < NETWORK.size()
