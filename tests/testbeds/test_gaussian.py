"""The test bed is right itself: against dense algebra by another formula, and against its own exact draws."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import norm

from jaxir.degradations import Degradation, GaussianNoise, area_downsample
from jaxir.processes import VP
from jaxir.testbeds import LinearGaussian, stationary_covariance

SIDE, SIGMA = 6, 0.3
SHAPE = (SIDE, SIDE, 1)
MEAN = np.linspace(-0.5, 0.5, SIDE**2).reshape(SHAPE)


def problem() -> LinearGaussian:
    degradation = Degradation(area_downsample(SHAPE, 2), GaussianNoise(SIGMA))
    return LinearGaussian(jnp.asarray(MEAN), stationary_covariance(SIDE), degradation)


@pytest.fixture(scope="module")
def exact():
    """(problem, y, exact draws) in float32."""
    bed = problem()
    _, y = bed.draw(jax.random.key(1))
    mean, covariance = bed.posterior(y)
    draws = jax.random.multivariate_normal(
        jax.random.key(2), mean.ravel(), covariance, (2000,), method="svd"
    )
    return bed, y, draws.reshape(-1, *SHAPE)


def blocks() -> np.ndarray:
    """The mean over blocks of 2 × 2 pixels as a matrix, by hand."""
    matrix = np.zeros((SIDE // 2, SIDE // 2, SIDE, SIDE))
    for i in range(SIDE):
        for j in range(SIDE):
            matrix[i // 2, j // 2, i, j] = 0.25
    return matrix.reshape(-1, SIDE**2)


def test_the_posterior_equals_that_of_the_information_form(x64):
    """P = (C⁻¹ + AᵀA/σ²)⁻¹, μ = P (C⁻¹ m + Aᵀy/σ²): no formula of the code."""
    bed = problem()
    y = jnp.asarray(np.random.default_rng(0).normal(size=(3, 3, 1)))
    mean, covariance = bed.posterior(y)
    assert mean.dtype == covariance.dtype == np.float64
    a, precision = blocks(), np.linalg.inv(np.asarray(bed.covariance))
    expected = np.linalg.inv(precision + a.T @ a / SIGMA**2)
    np.testing.assert_allclose(covariance, expected, atol=1e-12)
    information = precision @ MEAN.ravel() + a.T @ np.ravel(y) / SIGMA**2
    np.testing.assert_allclose(mean.ravel(), expected @ information, atol=1e-11)


def test_draws_are_of_the_joint_law(x64):
    """(x0 − μ(y))ᵀ P⁻¹ (x0 − μ(y)) is χ² with d degrees of freedom, and x0 has the prior's mean."""
    bed, count = problem(), 1000
    x0, y = jax.vmap(bed.draw)(jax.random.split(jax.random.key(3), count))
    mean = jax.vmap(lambda y: bed.posterior(y)[0])(y)
    _, covariance = bed.posterior(y[0])
    error = np.asarray(x0 - mean).reshape(count, -1)
    distance = np.einsum("ni,ij,nj->n", error, np.linalg.inv(covariance), error)
    d = SIDE**2
    assert abs(distance.mean() - d) < 4 * np.sqrt(2 * d / count)
    assert abs(distance.var() / (2 * d) - 1) < 0.3
    np.testing.assert_allclose(x0.mean(axis=0), MEAN, atol=4.5 / np.sqrt(count))


def test_the_denoiser_is_the_posterior_of_an_unblurred_measurement(x64):
    """E[x0 | x_t] is the posterior mean with A = a(t), σ_y = σ(t)."""
    bed, t = problem(), jnp.asarray(0.4)
    a, _, sigma = VP().coefficients(t)
    x = jnp.asarray(np.random.default_rng(1).normal(size=SHAPE))
    c = np.asarray(bed.covariance)
    gain = a * c @ np.linalg.inv(a**2 * c + sigma**2 * np.eye(len(c)))
    expected = MEAN + (gain @ np.ravel(x - a * MEAN)).reshape(SHAPE)
    np.testing.assert_allclose(bed.denoiser(VP())(x, t), expected, atol=1e-11)


@pytest.mark.parametrize("count", [100, 2000])
def test_exact_draws_are_calibrated(exact, count):
    bed, y, draws = exact
    found = bed.calibration(draws[:count], y)
    assert 0.5 / np.sqrt(count) < found.mean_error < 2 / np.sqrt(count)
    # of one pixel: 1/√(2n), and √(p (1 − p)/n) with p = 0.1; pixels are correlated
    assert abs(found.std_ratio - 1) < 2.5 / np.sqrt(2 * count)
    expected = 0.9 * (count - 1) / (count + 1)  # (n + 1) quantiles have equal mass between them
    assert abs(found.coverage - expected) < 2.5 * 0.3 / np.sqrt(count)


def test_over_confident_and_biased_draws_are_told_apart(exact):
    bed, y, draws = exact
    mean, covariance = bed.posterior(y)
    std = jnp.sqrt(jnp.diagonal(covariance)).reshape(SHAPE)
    narrow = bed.calibration(mean + 0.5 * (draws - mean), y)
    np.testing.assert_allclose(narrow.std_ratio, 0.5, atol=0.02)
    np.testing.assert_allclose(narrow.coverage, 1 - 2 * norm.cdf(-0.5 * 1.645), atol=0.02)
    shifted = bed.calibration(draws + 2 * std, y)
    np.testing.assert_allclose(shifted.mean_error, 2, atol=0.05)
    np.testing.assert_allclose(shifted.std_ratio, 1, atol=0.03)
    right = norm.cdf(1.645 + 2) - norm.cdf(-1.645 + 2)
    np.testing.assert_allclose(shifted.coverage, right, atol=0.03)


@pytest.mark.parametrize("side", [5, 8])
@pytest.mark.parametrize("scale", [1.0, 3.0])
def test_a_stationary_covariance(x64, side, scale):
    """A covariance with unit variance that depends on the periodic shift alone, and falls with distance."""
    covariance = np.asarray(stationary_covariance(side, scale=scale))
    np.testing.assert_allclose(covariance, covariance.T, atol=1e-14)
    np.testing.assert_allclose(np.diag(covariance), 1, atol=1e-12)
    eigenvalues = np.linalg.eigvalsh(covariance)
    assert eigenvalues.min() > 0
    k = np.fft.fftfreq(side, 1 / side)
    power = (1 + (k[:, None] ** 2 + k**2) / scale**2) ** -2.0
    np.testing.assert_allclose(eigenvalues, np.sort(power.ravel()) / power.mean(), atol=1e-11)
    field = covariance.reshape(side, side, side, side)
    moved = np.roll(field, (1, 2, 1, 2), axis=(0, 1, 2, 3))
    np.testing.assert_allclose(moved, field, atol=1e-12)
    row = field[0, 0, 0, : side // 2 + 1]
    assert np.all(np.diff(row) < 0)
