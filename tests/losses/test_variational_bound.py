"""The variational bound: its weights are the published ones, its value is exact for an exact denoiser."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats
from affine import BASIS, EVERY, MEAN, VARIANCES, Y, gaussian

from jaxir.losses import (
    GaussianDecoder,
    IntegerDecoder,
    continuous_bound,
    step_weight,
    variational_bound,
)
from jaxir.processes import VP, log_snr_times

pytestmark = pytest.mark.usefixtures("quick_compile", "x64")
X0 = np.array([[[0.7, -0.2, 1.5]]])
TABLE = np.cumprod(1 - np.linspace(1e-4, 0.02, 1000))
"""ᾱ of DDPM, [ho2020ddpm] Sec. 4."""


def test_the_weights_are_those_of_ddpm():
    """On the noise: β_t/(2 α_t (1 − ᾱ_{t−1})), Eq. 11 of the review, with β̃ for the variance."""
    times = VP().time(jnp.asarray(0.5 * np.log(TABLE / (1 - TABLE))))
    found = jax.vmap(lambda t, s: step_weight(VP(), t, s) * jnp.exp(-2 * VP().log_snr(t)))(
        times[1:], times[:-1]
    )
    alpha = TABLE[1:] / TABLE[:-1]
    expected = (1 - alpha) / (2 * alpha * (1 - TABLE[:-1]))
    np.testing.assert_allclose(found, expected, rtol=1e-7)


def expected_error(ell):
    """E‖x0 − D(x̂)‖² over x̂ = x0 + σ̂ ε along each axis: bias ((x0 − m) σ̂²/(p + σ̂²))² and variance (p/(p + σ̂²))² σ̂²."""
    level = np.exp(-2 * np.asarray(ell))[..., None]
    z = BASIS.T @ (X0.ravel() - MEAN)
    return np.sum(((z * level) ** 2 + VARIANCES**2 * level) / (VARIANCES + level) ** 2, axis=-1)


def expected_bound(process, times):
    """The bound of Eq. 7 in closed form, with the Gaussian decoder."""
    ells = np.asarray(jax.vmap(process.log_snr)(times))
    snr = np.exp(2 * ells)
    prior = 0.5 * snr[0] * np.sum(X0**2)
    steps = np.sum(0.5 * np.diff(snr) * expected_error(ells[:-1]))
    std = float(process.coefficients(times[-1]).sigma)
    left = 0.5 * (expected_error(ells[-1]) / std**2 + 3 * np.log(2 * np.pi * std**2))
    return prior + steps + left


def drawn(bound, process, times, count=400):
    """Mean of the totals of many draws, and its standard error."""
    denoiser, y = gaussian(process), jnp.asarray(Y)
    keys = jax.random.split(jax.random.key(0), count)
    run = jax.jit(jax.vmap(lambda key: bound(key, denoiser, jnp.asarray(X0), times, y).total))
    totals = run(keys)
    return totals.mean(), totals.std() / np.sqrt(count)


@pytest.mark.parametrize("label", ["VP", "EDM", "IRSDE", "I2SB"])
def test_the_bound_of_an_exact_denoiser_is_the_closed_form(label):
    """Within 4 standard errors, on every kind of process; given y where it moves towards y."""
    process = EVERY[label]
    times = log_snr_times(process, 40)
    mean, error = drawn(variational_bound, process, times)
    assert abs(mean - expected_bound(process, times)) < 4 * error


def negative_log_density():
    z = BASIS.T @ (X0.ravel() - MEAN)
    return 0.5 * np.sum(z**2 / VARIANCES + np.log(2 * np.pi * VARIANCES))


def test_the_bound_is_above_and_comes_down_to_the_negative_log_density():
    """The chain's gap is of order 1/N; in the limit what is left is of the ends, (a/σ)² of them."""
    process, gaps = VP(), []
    for steps in (400, 800, 1600):
        times = log_snr_times(process, steps + 1)
        gaps.append(expected_bound(process, times) - negative_log_density())
    assert gaps[0] > gaps[1] > gaps[2] > 0
    limit = 2 * gaps[2] - gaps[1]
    assert abs(limit) < 0.01
    np.testing.assert_allclose((gaps[0] - gaps[1]) / (gaps[1] - gaps[2]), 2.0, atol=0.3)


def test_the_continuous_bound_is_the_limit_of_many_steps():
    """Richardson of the closed form at 800 and 1600 steps; within 4 standard errors, without a grid."""
    process = VP()
    coarse, fine = (
        expected_bound(process, log_snr_times(process, steps + 1)) for steps in (800, 1600)
    )
    mean, error = drawn(continuous_bound, process, log_snr_times(process, 2))
    assert error < 0.2
    assert abs(mean - (2 * fine - coarse)) < 4 * error


def test_the_integer_decoder_is_the_mass_of_each_bin():
    """Ho et al. 2020, Eq. 13, by scipy's distribution function; all levels together have mass 1."""
    levels = np.linspace(-1, 1, 256)
    mean, std = 0.113, 0.02
    decoder = IntegerDecoder()
    found = jax.vmap(lambda x: decoder.log_prob(x, jnp.asarray(mean), jnp.asarray(std)))(
        jnp.asarray(levels)
    )
    edges = np.concatenate([[-np.inf], levels[:-1] + 1 / 255, [np.inf]])
    mass = np.diff(scipy.stats.norm.cdf(edges, mean, std))
    near = np.abs(levels - mean) < 6 * std
    np.testing.assert_allclose(np.exp(found)[near], mass[near], rtol=1e-6, atol=1e-14)
    np.testing.assert_allclose(np.exp(found).sum(), 1.0, rtol=1e-9)
    assert np.isfinite(found).all()


def test_a_fine_bin_is_the_density_times_its_width():
    mean, std = jnp.asarray(X0) + 0.1, jnp.asarray(0.3)
    x0 = 0.5 * jnp.asarray(X0)
    density = GaussianDecoder().log_prob(x0, mean, std) + 3 * np.log(2 / 65535)
    chex.assert_trees_all_close(IntegerDecoder(65536).log_prob(x0, mean, std), density, atol=1e-6)
