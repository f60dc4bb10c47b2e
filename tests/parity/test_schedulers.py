"""Our steps against the trajectories of diffusers' schedulers, state by state, under one analytic model.

Each pixel is N(0.3, 0.25), so the model is the exact denoiser of a Gaussian. The comparison ends where diffusers' rule
is another: DDIM's previous step there is 1000/N earlier whatever the spacing, so "linspace" is left out; of "trailing"
DDPM's last step, which draws noise on the way to the clean image; a clipped estimate; and an end that is not the clean
image ("offset", "sigma_min", "second_order_final").
"""

import itertools
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from parity.parity import FIXTURES

from jaxir.denoisers import gaussian_denoiser
from jaxir.pretrained.families.schedulers import schedule
from jaxir.processes import EDM, VP
from jaxir.samplers import EDMSampler
from jaxir.transitions import DDIM, Ancestral, DPMSolver

pytestmark = pytest.mark.usefixtures("x64", "quick_compile")
TOLERANCE = 1e-4
"""Of the largest number of a state; diffusers computes in float32."""


def runs(name):
    """(case, its configuration, its arrays), states as (N + 1, 4, 4, 1)."""
    with np.load(FIXTURES / f"scheduler_{name}.npz") as file:
        arrays = dict(file)
    for case, config in json.loads(str(arrays.pop("config"))).items():
        of = {
            key.split("/")[1]: value for key, value in arrays.items() if key.split("/")[0] == case
        }
        for key in ("states", "noise"):
            if key in of:
                of[key] = jnp.asarray(of[key].reshape(-1, 4, 4, 1), float)
        yield case, config, of


def denoiser_of(process):
    return gaussian_denoiser(process, 0.3 * jnp.ones((4, 4, 1)), 0.25 * jnp.eye(16))


@jax.jit
def states(transition, denoiser, x, times, noise):
    """All states, and the estimate at the last time in the place of the one without noise."""

    def step(state, now):
        x, carry = state
        t, s, fresh = now
        law, carry, estimate = transition.step(denoiser, carry, x, t, s)
        x = law.mean + law.scale * fresh
        return (x, carry), (x, estimate.x0_hat)

    following = jnp.append(times[1:], times[-1])
    _, (after, estimates) = jax.lax.scan(step, (x, transition.init(x)), (times, following, noise))
    return jnp.concatenate([x[None], after[:-1], estimates[-1:]])


def expect_equal(found, expected, case):
    largest = [jnp.max(jnp.abs(of), axis=(1, 2, 3)) for of in (found - expected, expected)]
    difference = float(jnp.max(largest[0] / largest[1]))
    assert difference < TOLERANCE, f"{case} differs by {difference:.2g}"


def table(config):
    return schedule({"beta_schedule": config["beta_schedule"], **config}).process


@pytest.mark.parametrize("name", ["linear", "scaled", "cosine", "velocity", "clean", "offset"])
def test_ddim_takes_the_same_steps(name):
    for case, config, of in runs("ddim"):
        if case.startswith(name) and "linspace" not in case:
            process = table(config)
            times = (jnp.asarray(of["timesteps"]) + 1) / 1000
            found = states(
                DDIM(config["eta"]), denoiser_of(process), of["states"][0], times, of["noise"]
            )
            whole = len(found) - (case == "offset")
            expect_equal(found[:whole], of["states"][:whole], case)


@pytest.mark.parametrize("name", ["linear", "scaled", "cosine", "velocity"])
def test_ddpm_takes_the_same_steps_with_either_variance(name):
    for case, config, of in runs("ddpm"):
        if case.startswith(name):
            mix = {"fixed_small": 0.0, "fixed_large": 1.0}[config["variance_type"]]
            process = table(config)
            times = (jnp.asarray(of["timesteps"]) + 1) / 1000
            found = states(
                Ancestral(mix), denoiser_of(process), of["states"][0], times, of["noise"]
            )
            whole = len(found) - ("trailing" in case)
            expect_equal(found[:whole], of["states"][:whole], case)


def test_euler_takes_the_same_steps_in_the_noisy_image():
    process = EDM(1e3)
    for case, _, of in runs("euler"):
        times = process.time(-jnp.log(jnp.asarray(of["sigmas"][:-1], float)))
        none = jnp.zeros((len(times), 4, 4, 1))
        found = states(DDIM(), denoiser_of(process), of["states"][0], times, none)
        expect_equal(found, of["states"], case)


def test_heun_takes_the_same_steps_in_the_noisy_image():
    """diffusers lists the first guess of a step too, as a state of its own; the last step is Euler's."""
    process, sampler = EDM(1e3), EDMSampler()
    denoiser = denoiser_of(process)

    @jax.jit
    def moved(x, times):
        return sampler.move(jax.random.key(0), denoiser, None, x, times, 0, None).x

    for case, _, of in runs("heun"):
        sigmas = np.append(of["sigmas"][:1], of["sigmas"][1:-1:2]).astype(float)
        x, found = of["states"][0], [of["states"][0]]
        for pair in itertools.pairwise(sigmas):
            x = moved(x, process.time(-jnp.log(jnp.asarray(pair))))
            found.append(x)
        found.append(denoiser(x, process.time(-jnp.log(sigmas[-1]))))
        expected = [*of["states"][:-1:2], of["states"][-1]]
        expect_equal(jnp.stack(found), jnp.stack(expected), case)


def test_dpm_solver_takes_the_same_steps():
    process = VP()
    for case, config, of in runs("dpmpp"):
        if config["final_sigmas_type"] == "zero":
            times = process.time(-jnp.log(jnp.asarray(of["sigmas"][:-1], float)))
            none = jnp.zeros((len(times), 4, 4, 1))
            found = states(
                DPMSolver(config["solver_order"]),
                denoiser_of(process),
                of["states"][0],
                times,
                none,
            )
            expect_equal(found, of["states"], case)


def test_every_recorded_run_is_one_of_those_compared_or_left_out_for_a_reason():
    left = {
        "ddim": {"clipped", "zero_snr"},
        "ddpm": {"clipped"},
        "dpmpp": {"sigma_min", "second_order_final"},
    }
    for name, cases in left.items():
        known = {"linear", "scaled", "cosine", "velocity", "clean", "offset", "first"} | cases
        assert all(any(case.startswith(k) for k in known) for case, *_ in runs(name))
        assert cases <= {case for case, *_ in runs(name)}


def test_a_table_that_is_rescaled_to_no_signal_is_refused():
    config = next(config for case, config, _ in runs("ddim") if case == "zero_snr")
    with pytest.raises(ValueError, match="rescale_betas_zero_snr is True"):
        schedule(config)


def test_a_scheduler_that_has_no_table_is_refused():
    with pytest.raises(ValueError, match="CMStochasticIterativeScheduler, which has no beta_sch"):
        schedule({"_class_name": "CMStochasticIterativeScheduler", "sigma_min": 0.002})
