"""IR-SDE's and Refusion's networks, noise tables and first answers against the original's own."""

import dataclasses
import functools

import jax.numpy as jnp
import numpy as np
import pytest
from parity.parity import FIXTURES, case, expect_parity

from jaxir.pretrained.families import IRSDE
from jaxir.pretrained.families.irsde import rate

pytestmark = pytest.mark.usefixtures("quick_compile")

SCHEDULE = {"max_sigma": 50, "T": 100, "schedule": "cosine", "eps": 0.005}
"""That of the fixture of tables."""


def options(config):
    """The two sections of the original's options that tell the network and its noise."""
    setting = {key: value for key, value in config.items() if key != "which_model"}
    return {
        "network_G": {"which_model_G": config["which_model"], "setting": setting},
        "sde": SCHEDULE,
    }


@functools.cache
def converted(name):
    of = case(name)
    return of, IRSDE().convert(options(of.config), of.tensors).denoiser


@functools.cache
def tables():
    with np.load(FIXTURES / "irsde_tables.npz") as file:
        return dict(file)


@pytest.mark.parametrize(
    "name",
    ["irsde_nafnet", "irsde_unet"]
    + [
        pytest.param(name, marks=pytest.mark.slow)
        for name in ("irsde_nafnet_odd", "irsde_unet_odd")
    ],
)
def test_a_converted_network_asked_by_its_denoiser_is_the_original(name):
    """The original's images are in [0, 1] and ours in [-1, 1]; its steps are hundredths of our time."""
    of, denoiser = converted(name)

    def eps(x, y, step):
        return denoiser.output(2 * x - 1, step / 100, 2 * y - 1)

    expect_parity(eps, of, of.images("cond"), jnp.asarray(of.arrays["t"]))


def test_its_estimate_is_the_originals_formula():
    """x̂0 = μ + (x_t − μ − σ̄ ε)/B with the original's ε and tables, at its steps 3 and 87, to 2e-4 of the largest."""
    of, denoiser = converted("irsde_unet")
    for step, x, mu, eps in zip(
        of.arrays["t"], of.images("x"), of.images("cond"), of.images("out"), strict=True
    ):
        kept = np.exp(-tables()["cosine/thetas_cumsum"][step] * tables()["cosine/dt"])
        expected = mu + (x - mu - tables()["cosine/sigma_bars"][step] * eps) / kept
        told = dataclasses.replace(denoiser, apply=lambda *_, eps=eps: eps)
        found = (told(2 * x - 1, jnp.asarray(step / 100), 2 * mu - 1) + 1) / 2
        np.testing.assert_allclose(found, expected, rtol=0, atol=2e-4 * np.abs(expected).max())


@pytest.mark.parametrize("schedule", ["cosine", "linear", "constant"])
def test_the_process_has_the_originals_noise_at_its_steps(schedule):
    """1e-6 of 1: the original adds its table up in float32, so its own last digits are worth 3e-7."""
    _, denoiser = converted("irsde_unet")
    process = dataclasses.replace(denoiser.process, rate=rate(schedule, 100))
    a, b, sigma = process.coefficients(jnp.arange(1, 101) / 100)
    theirs = {key: tables()[f"{schedule}/{key}"][1:] for key in ("thetas_cumsum", "sigma_bars")} | {
        "dt": tables()[f"{schedule}/dt"]
    }
    np.testing.assert_allclose(sigma / 2, theirs["sigma_bars"], rtol=0, atol=1e-6)
    np.testing.assert_allclose(a, np.exp(-theirs["thetas_cumsum"] * theirs["dt"]), atol=1e-6)
    np.testing.assert_allclose(a + b, 1, rtol=1e-6)


@pytest.mark.parametrize(
    ("section", "change", "text"),
    [
        ("network_G", {"which_model_G": "UNet"}, "which_model_G is 'UNet', expected 'Conditional"),
        ("sde", {"schedule": "sine"}, "schedule is 'sine', expected one of cosine, linear"),
    ],
)
def test_another_configuration_is_refused(section, change, text):
    config = options(
        {"which_model": "ConditionalUNet", "in_nc": 3, "out_nc": 3, "nf": 8, "depth": 1}
    )
    config[section] = config[section] | change
    with pytest.raises(ValueError, match=text):
        IRSDE().convert(config, {})
