"""restore() draws from the posterior it promises, with the prior and the method that it is given."""

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxir import methods
from jaxir.degradations import Degradation, GaussianNoise, Identity, area_downsample
from jaxir.denoisers import Denoiser
from jaxir.guidance import MMPS
from jaxir.pretrained import WeightsError, load, store
from jaxir.processes import VP
from jaxir.restoration import restore
from jaxir.samplers import Discrete, Sampler
from jaxir.testbeds import LinearGaussian, stationary_covariance
from jaxir.transitions import Renoise

pytestmark = pytest.mark.usefixtures("quick_compile")

SIDE = 4
SHAPE = (SIDE, SIDE, 1)


@pytest.fixture(scope="module")
def problem():
    """16 pixels, 4 measurements: 4 iterations of conjugate gradients are exact."""
    degradation = Degradation(area_downsample(SHAPE, 2), GaussianNoise(0.1))
    return LinearGaussian(jnp.full(SHAPE, 0.3), stationary_covariance(SIDE), degradation)


def test_mmps_with_an_exact_prior_draws_from_the_exact_posterior(problem, key):
    draws = 2000
    y = problem.degradation(jnp.linspace(-1, 1, SIDE**2).reshape(SHAPE))
    restored = restore(
        y,
        problem.degradation,
        prior=problem.denoiser(VP()),
        method=functools.partial(methods.mmps, steps=4),
        steps=200,
        samples=draws,
        key=key,
    )
    found = problem.calibration(restored.images, y)
    assert found.mean_error < 2 / np.sqrt(draws)
    # the deviation converges with the steps, DDIM's first order: 0.946, 0.971, 0.986, 0.989 at 50, 100, 200, 400
    np.testing.assert_allclose(found.std_ratio, 1, atol=0.05)
    np.testing.assert_allclose(found.coverage, 0.9, atol=0.02)
    assert restored.diagnostics["residual"] < 1e-3
    assert restored.diagnostics["evaluations"] == 200
    np.testing.assert_array_equal(restored.mean, jnp.mean(restored.images, axis=0))


def test_the_prior_alone_would_fail_that(problem, key):
    """So the test above tests the guidance: what it asserts is far from what the prior gives."""
    y = problem.degradation(jnp.linspace(-1, 1, SIDE**2).reshape(SHAPE))
    unguided = restore(
        y,
        problem.degradation,
        prior=problem.denoiser(VP()),
        method=lambda denoiser, degradation: (denoiser, Discrete()),
        steps=20,
        samples=200,
        key=key,
    )
    assert problem.calibration(unguided.images, y).mean_error > 0.5


def quickly(problem, y, **settings):
    defaults = {"prior": problem.denoiser(VP()), "steps": 2, "samples": 1}
    return restore(y, problem.degradation, **defaults | settings)


def test_a_measurement_of_another_shape(problem):
    line = (
        r"y has shape \(4, 4, 1\) but the degradation's output is \(2, 2, 1\): "
        r"pass the low-resolution image$"
    )
    with pytest.raises(ValueError, match=line):
        quickly(problem, jnp.zeros(SHAPE))
    with pytest.raises(ValueError, match=r"y has shape \(2, 2\) but .* pass what this"):
        quickly(problem, jnp.zeros((2, 2)))


@pytest.mark.parametrize("value", [np.nan, -np.inf])
def test_a_measurement_that_is_not_finite(problem, value):
    y = np.zeros((2, 2, 1), np.float32)
    y[0, 1] = value
    with pytest.raises(ValueError, match=r"^y holds 1 values that are not finite: fill them in"):
        quickly(problem, y)


@pytest.mark.parametrize("name", ["samples", "chunk", "steps"])
def test_counts_below_1(problem, name):
    with pytest.raises(ValueError, match=r"0.*expected"):
        quickly(problem, jnp.zeros((2, 2, 1)), **{name: 0})


def test_the_prior_may_be_a_name_a_folder_or_a_denoiser(tiny_prior, monkeypatch):
    monkeypatch.setattr(store, "SHIPPED", tiny_prior.parent)
    degradation = Degradation(Identity((8, 8, 3)), GaussianNoise(0.1))
    found = [
        restore(jnp.zeros((8, 8, 3)), degradation, prior=prior, steps=2, samples=1).images
        for prior in (tiny_prior.name, tiny_prior, str(tiny_prior), load(tiny_prior))
    ]
    for other in found[1:]:
        chex.assert_trees_all_equal(found[0], other)
    with pytest.raises(WeightsError, match="no weights called 'faces'"):
        restore(jnp.zeros((8, 8, 3)), degradation, prior="faces")


def test_the_key_alone_decides(problem):
    y = jnp.zeros((2, 2, 1))
    first = quickly(problem, y).images
    chex.assert_trees_all_equal(first, quickly(problem, y, key=jax.random.key(0)).images)
    assert not np.allclose(first, quickly(problem, y, key=jax.random.key(1)).images)


@pytest.mark.parametrize("name", ["ddnm", "diffpir", "dps", "mmps", "pigdm"])
def test_a_method_is_a_denoiser_and_a_sampler(problem, name):
    denoiser, sampler = getattr(methods, name)(problem.denoiser(VP()), problem.degradation)
    assert isinstance(denoiser, Denoiser)
    assert isinstance(sampler, Sampler)


def test_partial_sets_a_hyper_parameter(problem):
    prior = problem.denoiser(VP())
    denoiser, _ = functools.partial(methods.mmps, steps=7)(prior, problem.degradation)
    assert isinstance(denoiser, MMPS)
    assert denoiser.steps == 7
    _, sampler = functools.partial(methods.diffpir, zeta=0.5)(prior, problem.degradation)
    assert sampler.transition == Renoise(0.5)
