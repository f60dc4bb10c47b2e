"""Guided diffusion's networks and tables against the original's own outputs."""

import functools

import jax.numpy as jnp
import numpy as np
import pytest
from parity.parity import FIXTURES, case, expect_parity

from jaxir.denoisers import NetworkDenoiser, Noise, Times
from jaxir.pretrained.families import ADM
from jaxir.processes import CosineTable, LinearTable
from jaxir.transitions import LearnedAncestral

pytestmark = pytest.mark.usefixtures("quick_compile")


@pytest.mark.parametrize("name", ["adm_plain", "adm_updown", "adm_classes", "adm_pool"])
def test_a_converted_network_is_the_original(name):
    of = case(name)
    denoiser, network = ADM().convert(of.config, of.tensors)
    extra = [jnp.asarray(of.arrays["label"])] if "label" in of.arrays else []
    apply = functools.partial(network.apply, denoiser.params)
    expect_parity(apply, of, jnp.asarray(of.arrays["t"]), *extra)


@pytest.mark.parametrize(
    ("schedule", "process"), [("linear", LinearTable()), ("cosine", CosineTable())]
)
def test_a_table_is_the_originals_and_so_is_a_respaced_step_with_learnt_variance(
    schedule, process, x64
):
    """The step is exact whatever the spacing, since β of a respaced chain follows from ᾱ at its two ends."""
    with np.load(FIXTURES / "adm_tables.npz") as file:
        of = {key.removeprefix(f"{schedule}/"): value for key, value in file.items()}
    rounding = 1e-16 / of["betas"].min()  # the original's cosine table is a difference from 1
    np.testing.assert_allclose(process.betas(), of["betas"], rtol=4 * rounding)
    kept = np.cumprod(1 - of["betas"])
    steps = (np.arange(1000) + 1) / 1000
    np.testing.assert_allclose(process.coefficients(jnp.asarray(steps)).a ** 2, kept, rtol=1e-10)
    np.testing.assert_allclose(process.time(process.log_snr(steps)), steps, rtol=1e-12)
    for i, k in enumerate(of["t"]):
        if k == 0:
            continue
        t, s = ((of["spaced/timesteps"][j] + 1) / 1000 for j in (k, k - 1))
        raw = jnp.asarray(of["raw"][i].transpose(1, 2, 0), float)
        denoiser = NetworkDenoiser(process, raw, lambda raw, x, c: raw, Noise(), inlet=Times())
        x = jnp.asarray(of["x"][i].transpose(1, 2, 0), float)
        law, _, estimate = LearnedAncestral().step(
            denoiser, None, x, jnp.asarray(t), jnp.asarray(s)
        )
        for found, name in (
            (law.mean, "free/mean"),
            (2 * jnp.log(law.std), "free/log_variance"),
            (estimate.x0_hat, "free/pred_xstart"),
        ):
            expected = of[name][i].transpose(1, 2, 0)
            np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4 * abs(expected).max())


def test_what_the_scripts_are_told_of_time_and_target_is_heeded():
    of = case("adm_plain")
    rescaled = {"diffusion_steps": 4000, "noise_schedule": "cosine", "rescale_timesteps": True}
    denoiser, _ = ADM().convert(of.config | rescaled, of.tensors)
    asked = denoiser.inlet.c_noise(denoiser.process, jnp.asarray([1 / 4000, 1.0]))
    np.testing.assert_allclose(asked, [0, 999.75], atol=1e-3)
    with pytest.raises(ValueError, match="predict_xstart is True"):
        ADM().convert(of.config | {"predict_xstart": True}, of.tensors)
