"""A warm start is used by every sampler, and worth as much as the first time lets it be."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxir.degradations import Blur, Degradation, GaussianNoise, Mask
from jaxir.denoisers import GaussianDenoiser, MixtureDenoiser
from jaxir.guidance import MMPS
from jaxir.processes import VP, brownian_bridge, log_snr_times
from jaxir.samplers import (
    DAPS,
    FPS,
    BlindDPS,
    DiffusionEM,
    Discrete,
    EnKG,
    MCGDiff,
    REDDiff,
    Travel,
    Twisted,
    WarmStart,
    sample,
)
from jaxir.testbeds import LinearGaussian
from jaxir.transitions import DDIM, Ancestral

pytestmark = pytest.mark.usefixtures("quick_compile")

SHAPE = (1, 2, 1)
DEGRADATION = Degradation(Mask(jnp.array([[1, 0]]), SHAPE), GaussianNoise(0.3))
Y = jnp.array([2.3, 0.0]).reshape(SHAPE)
BLURRED = Degradation(DEGRADATION.operator @ Blur(jnp.ones((1, 1)), SHAPE), DEGRADATION.noise)
POINT = MixtureDenoiser(VP(), jnp.ones(1), jnp.ones((1, 1, 1, 1)), 0.0)
"""The only kernel of one pixel."""
SAMPLERS = {
    "Discrete": (Discrete(DDIM(1.0)), 1000),
    "Travel": (Travel(Ancestral(), length=2, repeats=2), 1000),
    "DAPS": (DAPS(DEGRADATION), 1000),
    "REDDiff": (REDDiff(DEGRADATION), 100),
    "Twisted": (Twisted(DEGRADATION, 32, 1.0), 64),
    "MCGDiff": (MCGDiff(DEGRADATION, 32, DDIM(1.0)), 64),
    "FPS": (FPS(DEGRADATION, 32, 1.0), 64),
    "EnKG": (EnKG(DEGRADATION, 64), 32),
    "BlindDPS": (BlindDPS(BLURRED, POINT, scale=0.1), 1000),
}
each_sampler = pytest.mark.parametrize("name", SAMPLERS)


def problem():
    """Two correlated pixels of which one is seen, and their posterior is far from 0."""
    covariance = jnp.array([[1.0, 0.6], [0.6, 0.8]])
    bed = LinearGaussian(jnp.array([2.0, 1.5]).reshape(SHAPE), covariance, DEGRADATION)
    mean, covariance = bed.posterior(Y)
    return bed, mean, jnp.sqrt(jnp.diagonal(covariance)).reshape(SHAPE)


@each_sampler
def test_a_few_times_from_an_image_that_is_nearly_right_reach_the_posterior_mean(key, name):
    """From 0.3 deviations away, in ten times from σ/a = 0.5; from 0 those are too few.

    The exact reverse law keeps the share C/(C + σ²/a²) of the distance, at most 0.65 for a deviation of 0.69: 0.2
    deviations, of which a thousand draws are sure to 0.03.
    """
    bed, mean, std = problem()
    prior, (sampler, samples) = bed.denoiser(VP()), SAMPLERS[name]
    guided = MMPS(prior, DEGRADATION, 2) if name in ("Discrete", "Travel") else prior
    times = log_snr_times(VP(), 10, sigma_max=0.5, sigma_min=0.03)

    def error(image):
        warm = WarmStart(sampler, image)
        found = sample(key, guided, Y, shape=SHAPE, sampler=warm, times=times, samples=samples)
        assert found.diagnostics["evaluations"] == sampler.report(times)["evaluations"]
        return float(jnp.max(jnp.abs(found.mean - mean) / std))

    near = error(mean + 0.3 * std)
    assert near < 0.25
    assert error(jnp.zeros(SHAPE)) > 2 * near


@each_sampler
def test_the_first_state_is_around_that_of_the_image(x64, name):
    bed, _, _ = problem()
    sampler, image = SAMPLERS[name][0], jnp.array([0.4, -0.7]).reshape(SHAPE)
    times = log_snr_times(VP(), 10, sigma_max=0.5)
    law = WarmStart(sampler, image).start(bed.denoiser(VP()), jnp.zeros(SHAPE), times, Y)
    expected = VP().marginal(image, times[0]).mean
    np.testing.assert_allclose(law.mean, jnp.broadcast_to(expected, law.mean.shape), rtol=1e-12)
    if name == "REDDiff":  # what it moves is the image itself
        np.testing.assert_allclose(
            sampler.init(bed.denoiser(VP()), law.sample(jax.random.key(0)), times, Y)[0], image
        )


@pytest.mark.slow
def test_the_degraded_latent_at_the_first_time_of_a_table_that_ends_early_is_worth_decibels(key):
    """At σ/a = 14.6 the state still tells the mean of 64 numbers, of deviation 6.4 along (1, ..., 1)/8, to 0.4 of it.

    For a truth at 1.5 deviations the flow's squared error there is 1.5² + 1 from noise and (1.5 − 0.6)² + 0.84 from
    the start around z, 2.9 dB less; z is wrong in everything but its mean.
    """
    basis = np.linalg.qr(
        np.hstack([np.ones((64, 1)), np.random.default_rng(0).normal(size=(64, 63))])
    )[0]
    variances = np.full(64, 1e-4)
    variances[0] = 6.4**2
    prior = GaussianDenoiser(
        VP(),
        jnp.zeros((8, 8, 1)),
        jnp.asarray(basis, jnp.float32),
        jnp.asarray(variances, jnp.float32),
    )
    truth, z = jnp.full((8, 8, 1), 1.5 * 6.4 / 8), 1.2 + 0.3 * jax.random.normal(key, (8, 8, 1))
    z += 1.2 - z.mean()
    times = log_snr_times(VP(), 10, sigma_max=14.6)

    def error(sampler):
        drawn = sample(key, prior, shape=truth.shape, sampler=sampler, times=times, samples=64)
        return float(jnp.mean((drawn.images - truth) ** 2))

    flow = Discrete(DDIM())
    assert 10 * np.log10(error(flow) / error(WarmStart(flow, z))) > 1.5


def test_a_sampler_that_would_not_look_at_the_image_is_refused_with_the_way_out():
    em = DiffusionEM(BLURRED, lambda denoiser, degradation: (denoiser, Discrete()))
    with pytest.raises(TypeError, match=r"starts its E-step anew .* returns WarmStart\(sampler"):
        WarmStart(em, jnp.zeros(SHAPE))


def test_red_diff_begins_in_a_damped_solve_without_one_and_not_where_nothing_is_left(x64, key):
    bed, _, _ = problem()
    sampler, prior, times = REDDiff(DEGRADATION), bed.denoiser(VP()), log_snr_times(VP(), 3)
    law = sampler.start(prior, jnp.zeros(SHAPE), times, Y)
    found, _ = sampler.init(prior, law.sample(key), times, Y)
    operator = DEGRADATION.operator
    unsolved = operator.adjoint(operator(found)) + 0.04 * found
    np.testing.assert_allclose(unsolved, operator.adjoint(Y), rtol=1e-6)  # Y is of float32
    pinned = bed.conditional(brownian_bridge())
    with pytest.raises(ValueError, match=r"times begin at 1\.0, where nothing is left of x0"):
        sample(key, pinned, Y, shape=SHAPE, sampler=sampler, times=jnp.array([1.0, 0.5]), samples=1)
