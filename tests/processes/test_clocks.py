"""Grids end where the span ends and fall; laws of training times have the moments that they promise."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from affine import PROCESSES, name

from jaxir.processes import (
    EDM,
    VE,
    VP,
    DenoisingSDE,
    Flow,
    Interpolation,
    ResShift,
    cosine_times,
    karras_times,
    log_normal_law,
    log_snr_times,
    quadratic_times,
    respaced_times,
    uniform_law,
    uniform_times,
)


def test_one_time_below_the_noisy_end_is_the_first_of_its_grid():
    process = VP()
    (time,) = log_snr_times(process, 1, sigma_max=1.0)
    np.testing.assert_allclose(process.log_snr(time), 0, atol=1e-5)


GRIDS = [uniform_times, quadratic_times, cosine_times, log_snr_times, karras_times]
each_process = pytest.mark.parametrize("process", PROCESSES, ids=name)
each_grid = pytest.mark.parametrize("grid", GRIDS, ids=lambda grid: grid.__name__)


@each_process
@each_grid
def test_a_grid_falls_from_one_end_of_the_span_to_the_other(process, grid):
    low, high = (np.float32(end) for end in process.span)
    for steps in (2, 3, 1000):
        times = np.asarray(grid(process, steps))
        assert times.shape == (steps,)
        assert times[0] == high
        assert times[-1] == low
        assert np.all(np.diff(times) < 0)
    assert np.asarray(grid(process, 1)) == high


@each_process
def test_the_default_grid_is_uniform_in_log_snr(x64, process):
    gaps = np.diff(process.log_snr(log_snr_times(process, 50)))
    np.testing.assert_allclose(gaps, gaps[0], rtol=1e-10)
    assert gaps[0] > 0


@pytest.mark.parametrize("rho", [7.0, 1.0, 3.0])
def test_karras_times_are_equation_five(x64, rho):
    """σ_i = (σ_max^{1/ρ} + i/(N−1) (σ_min^{1/ρ} − σ_max^{1/ρ}))^ρ, Karras et al. 2022."""
    process, steps = VE(sigma_min=0.002, sigma_max=80.0), 18
    sigma = process.coefficients(karras_times(process, steps, rho=rho)).sigma
    i = np.arange(steps) / (steps - 1)
    expected = (80 ** (1 / rho) + i * (0.002 ** (1 / rho) - 80 ** (1 / rho))) ** rho
    np.testing.assert_allclose(sigma, expected, rtol=1e-10)


def test_karras_times_of_any_process_follow_sigma_over_a(x64):
    process, steps = VP(), 9
    sigma_hat = np.exp(-process.log_snr(karras_times(process, steps)))
    root = sigma_hat ** (1 / 7)
    np.testing.assert_allclose(np.diff(root), np.diff(root)[0], rtol=1e-9)


def test_quadratic_times_are_squares_of_evenly_spaced_numbers(x64):
    """τ_i ∝ i², Song et al. 2021 (DDIM), App. D.2, between the ends of the span."""
    times = np.asarray(quadratic_times(Flow(), 7))
    np.testing.assert_allclose(times**0.5, np.linspace(0.999**0.5, 1e-3**0.5, 7), rtol=1e-12)


def test_cosine_times_are_dense_at_both_ends(x64):
    times = np.asarray(cosine_times(Flow(), 9))
    expected = 1e-3 + 0.998 * 0.5 * (1 - np.cos(np.linspace(np.pi, 0, 9)))
    np.testing.assert_allclose(times, expected, rtol=1e-12)
    gaps = -np.diff(times)
    assert gaps[0] < 0.2 * gaps[4] > gaps[-1]


DDPM = np.cumprod(1 - np.linspace(1e-4, 0.02, 1000))
"""ᾱ of Ho et al. 2020, Sec. 4."""
MIDDLE = 1 / (1 + np.exp(-2 * np.linspace(3.0, 0.7, 40)))
"""Levels that every process reaches: ResShift begins at ℓ = 3.2, and DenoisingSDE ends at 0.6."""


@each_process
def test_respaced_levels_have_the_log_snr_of_the_table(x64, process):
    times = respaced_times(process, MIDDLE, 14)
    chosen = MIDDLE[::-3]  # 14 of 40 levels: every third
    expected = 0.5 * np.log(chosen / (1 - chosen))
    np.testing.assert_allclose(process.log_snr(times), expected, atol=1e-10)
    assert np.all(np.diff(times) < 0)


@pytest.mark.parametrize("process", [VP(), EDM(), Flow(), Interpolation()], ids=name)
@pytest.mark.parametrize("steps", [1000, 250, 20])
def test_the_levels_of_ddpm_are_found_on_other_processes(x64, process, steps):
    """Its noisiest and its cleanest level are among those chosen, and all come from the table."""
    ells = np.asarray(process.log_snr(respaced_times(process, DDPM, steps)))
    table = 0.5 * np.log(DDPM / (1 - DDPM))
    assert len(ells) == steps
    np.testing.assert_allclose(ells[[0, -1]], table[[-1, 0]], atol=1e-10)
    nearest = np.abs(ells[:, None] - table).min(axis=1)
    np.testing.assert_allclose(nearest, 0, atol=1e-10)


@pytest.mark.parametrize(
    ("process", "table", "steps", "text"),
    [
        (VP(), DDPM[::-1], 10, "alpha_bar does not decrease"),
        (VP(), np.array([1.0, 0.5]), 2, "alpha_bar does not decrease"),
        (VP(), np.array([0.5, 0.0]), 2, "alpha_bar does not decrease"),
        (VP(), np.array([0.5, np.nan]), 2, "alpha_bar does not decrease"),
        (VP(), DDPM, 1001, r"shape \(1000,\), expected a table of at least 1001 levels"),
        (VP(), DDPM[None], 1, r"shape \(1, 1000\)"),
        (VP(), DDPM, 0, "steps is 0"),
        (DenoisingSDE(), DDPM, 10, "levels that DenoisingSDE reaches"),
        (ResShift(), DDPM, 10, "levels that ResShift reaches"),
    ],
)
def test_a_table_that_cannot_be_followed_is_refused(process, table, steps, text):
    with pytest.raises(ValueError, match=text):
        respaced_times(process, table, steps)


@each_grid
@pytest.mark.parametrize("steps", [0, -3])
def test_fewer_than_one_step_is_refused(grid, steps):
    with pytest.raises(ValueError, match=f"steps is {steps}, expected at least 1"):
        grid(VP(), steps)


@pytest.mark.parametrize("count", [1, 7, 256])
def test_uniform_training_times_lie_one_in_each_stratum(key, count):
    low, high = VP().span
    times = np.asarray(uniform_law(key, VP(), count))
    share = (times - low) / (high - low)
    assert sorted(np.floor(share * count - 1e-5 * (share == 1)).astype(int)) == list(range(count))


def test_training_times_come_in_no_order_and_differ_with_the_key(key):
    times = [np.asarray(uniform_law(k, VP(), 64)) for k in jax.random.split(key)]
    ranks = np.argsort(np.argsort(times[0]))
    assert abs(np.corrcoef(ranks, np.arange(64))[0, 1]) < 0.5  # 4 standard errors
    assert not np.allclose(np.sort(times[0]), np.sort(times[1]))


def test_log_normal_training_times_have_their_moments(x64, key):
    """log σ̂ ~ N(−1.2, 1.2²): stratified, so the moments of 4096 times are far better than 1/√4096."""
    times = log_normal_law(key, VE(), 4096, mean=-1.2, std=1.2)
    log_sigma = -np.asarray(VE().log_snr(times))
    np.testing.assert_allclose(log_sigma.mean(), -1.2, atol=1e-3)
    np.testing.assert_allclose(log_sigma.std(), 1.2, atol=5e-3)
    quantiles = np.quantile((log_sigma + 1.2) / 1.2, [0.025, 0.5, 0.975])
    np.testing.assert_allclose(quantiles, [-1.96, 0.0, 1.96], atol=0.01)


@each_process
def test_log_normal_training_times_stay_inside_the_span(key, process):
    low, high = process.span
    times = log_normal_law(key, process, 512, mean=0.0, std=jnp.asarray(8.0))
    assert np.all((times >= low - 1e-6) & (times <= high + 1e-6))
    assert np.min(times) < low + 1e-4 * (high - low) + 1e-6
