"""The mixture bed against quadrature, dense algebra and its own exact draws; the benchmark of MCGDiff as specified."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import multivariate_normal, norm

from jaxir.degradations import Degradation, GaussianNoise, Identity, from_linear_function
from jaxir.degradations.function import from_function
from jaxir.guidance import DDRM
from jaxir.processes import IRSDE, VE, VP, brownian_bridge
from jaxir.samplers import Discrete, MCGDiff, sample
from jaxir.testbeds import GaussianMixture, LowRank, mcgdiff_problem, scores

pytestmark = pytest.mark.usefixtures("quick_compile")
SHAPE = (1, 1, 3)
MATRIX = np.array([[1.0, -0.5, 0.3], [0.2, 0.8, 0.0]])
SIGMA, VARIANCE = 0.4, 0.3
WEIGHTS = np.array([0.2, 0.5, 0.3])
MEANS = np.array([[0.5, -1.0, 0.2], [-0.8, 0.3, 0.0], [1.0, 1.0, -1.0]])


def apply(x):
    return jnp.asarray(MATRIX, x.dtype) @ x.ravel()


def problem() -> GaussianMixture:
    degradation = Degradation(from_linear_function(apply, SHAPE), GaussianNoise(SIGMA))
    means = jnp.asarray(MEANS).reshape(3, *SHAPE)
    return GaussianMixture(jnp.log(jnp.asarray(WEIGHTS)), means, degradation, VARIANCE)


def dense_posterior(y, variance=VARIANCE, weights=WEIGHTS, means=MEANS):
    """Weights, means and the shared covariance by the textbook formula with S = v A Aᵀ + σ² I."""
    system = variance * MATRIX @ MATRIX.T + SIGMA**2 * np.eye(2)
    likelihood = [multivariate_normal(MATRIX @ m, system).pdf(y) for m in means]
    gain = variance * MATRIX.T @ np.linalg.inv(system)
    moved = np.array([m + gain @ (y - MATRIX @ m) for m in means])
    q = weights * np.array(likelihood)
    return q / q.sum(), moved, variance * np.eye(3) - variance * gain @ MATRIX


def test_the_posterior_equals_dense_algebra(x64):
    y = np.array([0.7, -0.2])
    law = problem().posterior(jnp.asarray(y))
    weights, means, within = dense_posterior(y)
    np.testing.assert_allclose(law.weights, weights, rtol=1e-10)
    np.testing.assert_allclose(law.means.reshape(3, 3), means, rtol=1e-10)
    mean = weights @ means
    covariance = within + (weights * (means - mean).T) @ (means - mean)
    np.testing.assert_allclose(law.mean.ravel(), mean, rtol=1e-10)
    np.testing.assert_allclose(law.covariance, covariance, atol=1e-11)
    np.testing.assert_allclose(law.std.ravel(), np.sqrt(np.diag(covariance)), rtol=1e-10)
    x = np.array([0.1, 0.4, -0.3])
    density = weights * [multivariate_normal(m, within).pdf(x) for m in means]
    found = law.responsibilities(jnp.asarray(x.reshape(SHAPE)))
    np.testing.assert_allclose(found, density / density.sum(), rtol=1e-9)


@pytest.mark.parametrize(
    "process", [VP(), VE(), IRSDE(), brownian_bridge()], ids=lambda p: type(p).__name__
)
def test_the_denoiser_that_sees_y_is_the_mean_of_both_observations(x64, process):
    """Stack y and x_t − b y into one linear observation, and use the dense posterior of that."""
    bed, y = problem(), np.array([0.7, -0.2])
    degradation = Degradation(Identity(SHAPE), GaussianNoise(SIGMA))
    if process.coupled:  # y an image
        bed = GaussianMixture(bed.log_weights, bed.means, degradation, VARIANCE)
        y = np.array([[[0.7, -0.2, 0.4]]])
    matrix = np.eye(3) if process.coupled else MATRIX
    denoiser, rng = bed.conditional(process), np.random.default_rng(0)
    for share in (0.1, 0.5, 0.9):
        low, high = process.span
        t = jnp.asarray(low + share * (high - low))
        a, b, sigma = (float(c) for c in process.coefficients(t))
        z = a * MEANS[0] + sigma * rng.normal(size=3)
        both = np.concatenate([matrix, a * np.eye(3)])
        noise = np.diag([SIGMA**2] * len(matrix) + [sigma**2] * 3)
        system = VARIANCE * both @ both.T + noise
        seen = np.concatenate([y.ravel(), z])
        log_q = np.log(WEIGHTS) + [
            multivariate_normal(both @ m, system).logpdf(seen) for m in MEANS
        ]
        q = np.exp(log_q - log_q.max())
        gain = VARIANCE * both.T @ np.linalg.inv(system)
        moved = np.array([m + gain @ (seen - both @ m) for m in MEANS])
        x = z.reshape(SHAPE) + (b * y if process.coupled else 0)
        found = denoiser(jnp.asarray(x), t, jnp.asarray(y))
        np.testing.assert_allclose(found.ravel(), q @ moved / q.sum(), rtol=1e-7, atol=1e-8)


def test_the_likelihood_score_is_that_of_a_quadrature(x64):
    """One number: log p(y | x_t) = log ∫ p(y | x0) p(x0 | x_t) dx0 on a fine grid, differentiated by differences."""
    weights, means, variance, sigma_y, y, t = [0.3, 0.7], [-0.6, 0.8], 0.05, 0.3, 0.2, 0.2
    bed = GaussianMixture(
        jnp.log(jnp.asarray(weights)),
        jnp.asarray(means).reshape(2, 1, 1, 1),
        Degradation(Identity((1, 1, 1)), GaussianNoise(sigma_y)),
        variance,
    )
    a, _, sigma = (float(c) for c in VP().coefficients(jnp.asarray(t)))
    grid = np.linspace(-4, 4, 40_001)
    prior = sum(w * norm.pdf(grid, m, variance**0.5) for w, m in zip(weights, means, strict=True))

    def log_likelihood(x):
        given = prior * norm.pdf(x, a * grid, sigma)
        return np.log(np.sum(given * norm.pdf(y, grid, sigma_y)) / np.sum(given))

    x, step = 0.1, 1e-4
    expected = (log_likelihood(x + step) - log_likelihood(x - step)) / (2 * step)
    image = jnp.full((1, 1, 1), x)
    found = bed.likelihood_score(VP(), image, jnp.asarray(t), jnp.full((1, 1, 1), y))
    np.testing.assert_allclose(found.item(), expected, rtol=1e-6)


def test_draws_of_the_posterior_have_its_moments_and_weights(x64):
    """Within 4.5 standard errors of the closed form."""
    law, count = problem().posterior(jnp.array([0.7, -0.2])), 4000
    draws = law.sample(jax.random.key(0), count)
    assert scores.mean_error(draws, law.mean, law.std) < 4.5 / np.sqrt(count)
    spectrum = np.linalg.eigvalsh(scores.whitened_covariance(draws, law.covariance))
    # Marchenko–Pastur's edges for a Gaussian, (1 ± √(3/4000))² = 1 ± 0.055; a mixture's tails are no heavier
    assert 0.9 < spectrum[0] <= spectrum[-1] < 1.1
    error = scores.weight_error(jax.vmap(law.responsibilities)(draws), law.weights)
    assert error < 4.5 * 0.5 * 3 * 0.5 / np.sqrt(count)


@pytest.mark.parametrize(("dimension", "observed"), [(8, 1), (800, 4)])
def test_the_problem_of_mcgdiff_is_as_specified(dimension, observed):
    """25 unit Gaussians on a lattice of 8, singular values in (0, 1) from the largest, σ_y below the largest."""
    bed = mcgdiff_problem(jax.random.key(1), dimension, observed)
    means = np.asarray(bed.means).reshape(25, dimension)
    lattice = {(8 * i, 8 * j) for i in range(-2, 3) for j in range(-2, 3)}
    assert {tuple(m[:2]) for m in means} == lattice
    np.testing.assert_array_equal(means, np.tile(means[:, :2], (1, dimension // 2)))
    np.testing.assert_allclose(bed.prior.weights.sum(), 1, rtol=1e-6)
    operator, sigma = bed.degradation.operator, float(bed.degradation.noise.sigma)
    values = np.asarray(operator.values)
    assert np.all(np.diff(values) <= 0)
    assert values.min() > 0
    assert values.max() < 1
    assert 0 < sigma < values.max()
    assert operator.output_shape == (observed,)
    basis = np.eye(dimension)[: min(dimension, 16)].reshape(-1, 1, 1, dimension)
    matrix = np.asarray(jax.vmap(operator)(jnp.asarray(basis, jnp.float32))).T
    np.testing.assert_allclose(
        matrix, (operator.left * values) @ np.asarray(operator.right).T[:, : len(basis)], atol=1e-6
    )
    x0, y = bed.draw(jax.random.key(2))
    law = bed.posterior(y)
    nearest = np.abs(np.ravel(x0) - means).max(1).min()
    assert nearest < 5  # a unit Gaussian in up to 800 numbers
    # the posterior explains y: residuals of its draws are of the size of the noise
    draws = law.sample(jax.random.key(3), 200)
    residual = np.asarray(jax.vmap(operator)(draws) - y)
    assert np.sqrt((residual**2).mean()) < 5 * sigma


def test_weights_of_the_benchmark_are_normalised_squares():
    """E[w²]/E[w]² over many problems: of Z²/ΣZ² it is 3 · 25/27."""
    keys = jax.random.split(jax.random.key(0), 200)
    weights = jax.vmap(lambda key: mcgdiff_problem(key).prior.weights)(keys)
    ratio = float(jnp.mean(weights**2) / jnp.mean(weights) ** 2)
    assert abs(ratio - 3 * 25 / 27) < 0.25  # 4.5 standard errors over 5000 weights


def test_mcgdiff_and_ddrm_run_on_the_benchmark(key):
    """500 samples, 20 steps: MCGDiff finds the modes, 8 apart, and both are nearer to the posterior than the prior."""
    bed = mcgdiff_problem(key, 8, 2)
    _, y = bed.draw(jax.random.key(1))
    exact = bed.posterior(y).sample(jax.random.key(2), 500)

    def distance(images):
        return float(scores.sliced_w1(jax.random.key(3), images, exact))

    prior = distance(bed.prior.sample(jax.random.key(4), 500))
    for sampler, runs, share in (
        (MCGDiff(bed.degradation, 500), 1, 0.25),
        (Discrete(DDRM(bed.degradation)), 500, 1.0),
    ):
        denoiser = bed.denoiser(VP())
        found = sample(key, denoiser, y, shape=bed.shape, sampler=sampler, times=20, samples=runs)
        assert distance(found.images) < share * prior, type(sampler).__name__


def test_float32_is_right_where_the_noise_is_small():
    """σ_y = 0.1 beside means of ±16, where |r|² − rᵀA(AᵀA + ρ)⁻¹Aᵀr would cancel: the weights are the closed form's."""
    operator = LowRank(jnp.eye(1), jnp.ones(1), jnp.ones((2, 1)) / np.sqrt(2), (1, 1, 2))
    degradation = Degradation(operator, GaussianNoise(0.1))
    means = jnp.array([[16.0, -16.0], [-16.0, 15.0], [8.0, -8.5]]).reshape(3, 1, 1, 2)
    law = GaussianMixture(jnp.zeros(3), means, degradation).posterior(jnp.zeros(1))
    # the observed direction is (x + x')/√2 with variance 1 + 0.01
    gaps = np.array([0.0, -1.0, -0.5]) / np.sqrt(2)
    expected = np.exp(-0.5 * gaps**2 / (1 + 0.01))
    np.testing.assert_allclose(law.weights, expected / expected.sum(), rtol=1e-3)


def test_what_does_not_fit_is_refused():
    good = problem()
    with pytest.raises(ValueError, match="log_weights has shape \\(2,\\) but there are 3 means"):
        GaussianMixture(jnp.zeros(2), good.means, good.degradation)
    with pytest.raises(ValueError, match=r"variance is -0\.1, expected 0 or more"):
        GaussianMixture(jnp.zeros(3), good.means, good.degradation, -0.1)
    bent = Degradation(from_function(jnp.tanh, SHAPE), GaussianNoise(0.1))
    with pytest.raises(TypeError, match="expected a linear one"):
        GaussianMixture(jnp.zeros(3), good.means, bent)
    with pytest.raises(ValueError, match="knows no"):
        good.denoiser(IRSDE())
    with pytest.raises(
        ValueError, match="dimension is 7 and observed 1, expected an even dimension"
    ):
        mcgdiff_problem(jax.random.key(0), 7, 1)
