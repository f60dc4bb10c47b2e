"""Forward–backward bridging: the resampling has the conditional law, the sweep leaves the posterior alone."""

import itertools
from collections import Counter

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxir.denoisers import MixtureDenoiser, gaussian_denoiser
from jaxir.processes import VP, brownian_bridge, log_snr_times
from jaxir.samplers import (
    ParticleGibbs,
    conditional_killing,
    conditional_systematic,
    effective_sample_size,
    run_chains,
    sample,
)
from jaxir.transitions import Ancestral

OBSERVED = jnp.array([False, True])
"""The second channel is y = x0 + n/2, the first is x0 ~ N(0, 1): x0 | y ~ N(0.8 y, 0.2)."""
COVARIANCE = jnp.array([[1.0, 1.0], [1.0, 1.25]])
Y = jnp.array([[[np.nan, 1.0]]])  # what is not observed is not read
MEAN, VARIANCE = 0.8, 0.2
WEIGHTS = np.array([0.2, 0.05, 0.6, 0.15])


def model(process=VP()):
    return gaussian_denoiser(process, jnp.zeros((1, 1, 2)), COVARIANCE)


def grid(levels=50):
    """σ/a from 20 times the data's deviation, where it is lost, to 0.05, which adds 1 % to the variance of 0.2.

    The bias is of the order of a step in log-SNR, so none is spent where the data have no detail.
    """
    return log_snr_times(VP(), levels + 1, sigma_max=20.0, sigma_min=0.05)


def posterior(key, chains):
    x = MEAN + VARIANCE**0.5 * jax.random.normal(key, (chains, 1, 1, 1))
    return jnp.concatenate([x, jnp.ones_like(x)], axis=-1)


def killing_slots(weights):
    """(probability, parents) of every outcome of killing, independent in the slots."""
    n, lives = len(weights), weights / weights.max()
    slot = [np.where(np.arange(n) == i, lives[i], 0) + (1 - lives[i]) * weights for i in range(n)]
    for parents in itertools.product(range(n), repeat=n):
        yield np.prod([slot[i][parent] for i, parent in enumerate(parents)]), parents


def systematic_slots(weights, points=20_000):
    """The same of systematic resampling: one shift, which is put on a fine grid."""
    n = len(weights)
    for shift in (np.arange(points) + 0.5) / points:
        quantiles = (np.arange(n) + shift) / n
        yield 1 / points, tuple(np.searchsorted(np.cumsum(weights), quantiles, side="right"))


def given_reference(outcomes, n):
    """The law of the other slots' parents, given that a slot chosen at random has parent 0."""
    law = Counter()
    for probability, parents in outcomes:
        for slot in range(n):
            if parents[slot] == 0:
                law[tuple(sorted(parents[:slot] + parents[slot + 1 :]))] += probability / n
    total = sum(law.values())
    return {others: probability / total for others, probability in law.items()}


@pytest.fixture(scope="module")
def draw():
    def many(scheme, weights, count=40_000):
        keys = jax.random.split(jax.random.key(1), count)
        return np.asarray(jax.jit(jax.vmap(scheme, (0, None)))(keys, jnp.log(jnp.asarray(weights))))

    return many


@pytest.mark.parametrize(
    ("scheme", "slots"),
    [(conditional_killing, killing_slots), (conditional_systematic, systematic_slots)],
)
def test_resampling_has_the_law_of_the_scheme_given_the_reference(draw, scheme, slots):
    parents = draw(scheme, WEIGHTS)
    assert (parents[:, 0] == 0).all()
    seen = Counter(map(tuple, np.sort(parents[:, 1:], axis=1).tolist()))
    expected = given_reference(slots(WEIGHTS), len(WEIGHTS))
    assert set(seen) <= set(expected)
    for others, p in expected.items():
        # 4.5 standard errors of a frequency: one false alarm in 3000 runs over these 30 outcomes; 1e-3: the grid
        slack = 4.5 * np.sqrt(p * (1 - p) / len(parents)) + 1e-3
        assert abs(seen[others] / len(parents) - p) < slack, others


@pytest.mark.parametrize("scheme", [conditional_killing, conditional_systematic])
def test_resampling_is_unbiased_over_references(draw, scheme):
    n, expected = len(WEIGHTS), np.zeros(len(WEIGHTS))
    for reference in range(n):
        order = np.roll(np.arange(n), -reference)
        counts = np.bincount(order[draw(scheme, WEIGHTS[order])].ravel(), minlength=n) / 40_000
        expected += WEIGHTS[reference] * counts
    # a count is at most 4, so its mean over 40 000 draws has a standard error below 0.01
    np.testing.assert_allclose(expected, n * WEIGHTS, atol=0.03)


def test_effective_sample_size_of_an_autoregression_is_its_closed_form(key):
    def step(x, z):
        x = 0.8 * x + 0.6 * z
        return x, x

    start, noise = jax.random.split(key)
    z = jax.random.normal(noise, (20_000, 4, 1, 1, 1))
    _, chains = jax.lax.scan(step, jax.random.normal(start, (4, 1, 1, 1)), z)
    size = effective_sample_size(jnp.swapaxes(chains, 0, 1))
    np.testing.assert_allclose(size, 80_000 * (1 - 0.8) / (1 + 0.8), rtol=0.1)  # over-cut by noise


def test_chains_that_disagree_are_worth_little(key):
    chains = (
        jax.random.normal(key, (2, 500, 1, 1, 1)) + jnp.array([0, 9.0])[:, None, None, None, None]
    )
    assert effective_sample_size(chains) < 10


def within(chains, slack=3.0):
    """Mean and variance of x0 within 3 standard errors, which count effective draws."""
    size = float(chains.effective_sample_size[0, 0, 0])
    mean, variance = float(chains.mean[0, 0, 0]), float(chains.std[0, 0, 0]) ** 2
    assert abs(mean - MEAN) < slack * np.sqrt(VARIANCE / size)
    assert abs(variance / VARIANCE - 1) < slack * np.sqrt(2 / size)
    return size


@pytest.mark.parametrize(
    ("particles", "scheme"), [(2, conditional_killing), (10, conditional_systematic)]
)
def test_one_sweep_leaves_the_exact_posterior_as_it_is(key, particles, scheme):
    sampler = ParticleGibbs(OBSERVED, particles=particles, sweeps=1, resample=scheme)
    start = posterior(key, 1000)
    chains = run_chains(jax.random.key(5), model(), start, grid(), Y, sampler=sampler)
    moved = chains.images[:, 0, 0, 0, 0]
    # independent chains: 1000 draws
    assert abs(moved.mean() - MEAN) < 3 * np.sqrt(VARIANCE / 1000)
    assert abs(moved.var() / VARIANCE - 1) < 3 * np.sqrt(2 / 1000)
    assert (moved != start[:, 0, 0, 0]).all()
    np.testing.assert_array_equal(chains.images[..., 1], 1.0)


def test_chains_from_noise_reach_the_posterior(key):
    sampler = ParticleGibbs(OBSERVED, particles=10, sweeps=20)
    start = jax.random.normal(key, (32, 1, 1, 2))
    chains = run_chains(key, model(), start, grid(), Y, sampler=sampler, discard=10)
    assert within(chains) > 100
    assert ((chains.particle_ess >= 1) & (chains.particle_ess <= 10)).all()
    samples = chains.samples
    np.testing.assert_array_equal(samples.chains, chains.images)
    assert samples.r_hat[0, 0, 0] < 1.1
    assert samples.r_hat[0, 0, 1] == 1  # what is observed


@pytest.mark.slow
def test_two_thousand_sweeps_with_fifty_particles_have_the_posterior_mean_and_variance(key):
    sampler = ParticleGibbs(OBSERVED, particles=50, sweeps=2000)
    chains = run_chains(key, model(), posterior(key, 1), grid(), Y, sampler=sampler)
    assert within(chains) > 1000


@pytest.mark.slow
@pytest.mark.parametrize("mix", [0.0, 1.0])
def test_the_bias_of_either_variance_vanishes_with_the_steps(key, mix):
    sampler = ParticleGibbs(OBSERVED, Ancestral(mix=mix), particles=20, sweeps=40)
    found = []
    for levels in (50, 200):
        start = posterior(key, 256)
        chains = run_chains(key, model(), start, grid(levels), Y, sampler=sampler, discard=5)
        size = float(chains.effective_sample_size[0, 0, 0])
        found.append((float(chains.std[0, 0, 0]) ** 2 / VARIANCE - 1, np.sqrt(2 / size)))
    (coarse, _), (fine, error) = found
    assert abs(fine) < abs(coarse) / 4 + 3 * error + 0.0125  # first order, and what σ/a = 0.05 adds


@pytest.mark.slow
def test_mode_weights_of_a_mixture_are_right(key):
    means = jnp.array([[-1.0, -0.15], [1.0, 0.15]]).reshape(2, 1, 1, 2)
    weights, variance, y = jnp.array([0.6, 0.4]), 0.1, 0.1
    likelihood = np.exp(-0.5 * (y - np.array([-0.15, 0.15])) ** 2 / variance)
    exact = 0.4 * likelihood[1] / (0.6 * likelihood[0] + 0.4 * likelihood[1])
    denoiser = MixtureDenoiser(VP(), weights, means, variance)
    sampler = ParticleGibbs(OBSERVED, particles=50, sweeps=125)
    start = jax.random.normal(key, (16, 1, 1, 2))
    measured = jnp.full((1, 1, 2), y)
    chains = run_chains(key, denoiser, start, grid(), measured, sampler=sampler, discard=5)
    share = (chains.images[..., 0] > 0).mean()
    assert abs(float(share) - exact) < 0.05  # 2000 draws: 0.011 is one standard error


def test_the_door_runs_chains_and_gives_their_ends(key):
    sampler = ParticleGibbs(OBSERVED, particles=4, sweeps=3)
    draws = sample(key, model(), Y, shape=(1, 1, 2), sampler=sampler, times=grid(10), samples=3)
    np.testing.assert_array_equal(draws.images[..., 1], 1.0)
    assert draws.diagnostics["evaluations"] == 1 + 3 * 4 * 10
    assert 1 <= draws.diagnostics["degeneracy"] <= 4
    alone = sample(key, model(), Y, shape=(1, 1, 2), sampler=sampler, times=grid(10), samples=1)
    np.testing.assert_allclose(alone.images[0], draws.images[0], atol=1e-5)


def test_what_it_cannot_do_is_refused(key):
    with pytest.raises(ValueError, match="particles is 1, expected at least 2"):
        ParticleGibbs(OBSERVED, particles=1)
    with pytest.raises(ValueError, match="sweeps is 0, expected at least 1"):
        ParticleGibbs(OBSERVED, sweeps=0)
    sampler, coupled = ParticleGibbs(OBSERVED), model(brownian_bridge())
    with pytest.raises(ValueError, match="on a process with b = 0"):
        sampler.sweep(key, coupled, jnp.zeros((1, 1, 2)), grid(2), Y)
