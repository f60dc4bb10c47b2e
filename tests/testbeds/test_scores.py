"""Each score against numpy, scipy or a closed form, and on draws whose fault is known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg
import scipy.stats

from jaxir.testbeds import scores

pytestmark = pytest.mark.usefixtures("quick_compile")
RNG = np.random.default_rng(0)
SHAPE = (1, 2, 2)
COVARIANCE = np.cov(RNG.normal(size=(4, 40))) + 0.1 * np.eye(4)
MEAN = RNG.normal(size=SHAPE)


def draws(count, seed=0, covariance=COVARIANCE, mean=MEAN):
    flat = np.random.default_rng(seed).multivariate_normal(mean.ravel(), covariance, count)
    return jnp.asarray(flat.reshape(count, *SHAPE))


def test_the_mean_error_of_exact_draws_is_one_over_root_n(x64):
    """E = 1/n in the square; here over 400 sets of 25 draws."""
    std = np.sqrt(np.diag(COVARIANCE)).reshape(SHAPE)
    sets = draws(400 * 25).reshape(400, 25, *SHAPE)
    found = np.array(jax.vmap(lambda x: scores.mean_error(x, MEAN, std))(sets))
    assert abs(np.mean(found**2) * 25 - 1) < 0.25
    shifted = scores.mean_error(jnp.asarray(MEAN + 2 * std)[None], MEAN, std)
    np.testing.assert_allclose(shifted, 2)


def test_the_whitened_covariance_has_the_generalised_eigenvalues(x64):
    x = draws(50)
    found = np.linalg.eigvalsh(scores.whitened_covariance(x, jnp.asarray(COVARIANCE)))
    sample = np.cov(np.asarray(x).reshape(50, 4).T)
    np.testing.assert_allclose(found, scipy.linalg.eigh(sample, COVARIANCE)[0], rtol=1e-9)


def test_the_distance_of_gaussians_is_that_of_scipys_square_roots(x64):
    other = np.diag([0.3, 1.0, 2.0, 0.1])
    root = scipy.linalg.sqrtm(COVARIANCE)
    inner = scipy.linalg.sqrtm(root @ other @ root).real
    expected = np.sqrt((MEAN**2).sum() + np.trace(COVARIANCE + other - 2 * inner))
    found = scores.gaussian_w2(MEAN, jnp.asarray(COVARIANCE), jnp.zeros(SHAPE), jnp.asarray(other))
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    same = scores.gaussian_w2(MEAN, jnp.asarray(COVARIANCE), MEAN, jnp.asarray(COVARIANCE))
    assert same < 1e-6


def test_the_sliced_distances_are_means_of_those_of_one_dimension(x64):
    """scipy's W1 along the directions the key gives; W2 by sorted differences; of a shift, E|⟨u, δ⟩| in closed form."""
    key, x, z = jax.random.key(3), draws(60, 1), draws(60, 2)
    u = np.asarray(jax.random.normal(key, (4, 50), x.dtype))
    u = u / np.linalg.norm(u, axis=0)
    px, pz = (np.asarray(v).reshape(60, 4) @ u for v in (x, z))
    w1 = [scipy.stats.wasserstein_distance(px[:, i], pz[:, i]) for i in range(50)]
    found = scores.sliced_w1(key, x, z, slices=50)
    np.testing.assert_allclose(found, np.mean(w1), rtol=1e-9)
    square = np.mean((np.sort(px, 0) - np.sort(pz, 0)) ** 2)
    np.testing.assert_allclose(scores.sliced_w2(key, x, z, slices=50), np.sqrt(square), rtol=1e-9)
    shift = np.array([3.0, 0, 4.0, 0]).reshape(SHAPE)
    # of a unit vector in d dimensions E u₁² = 1/d, and E|u₁| = Γ(d/2)/(√π Γ((d+1)/2)) = 4/(3π) for d = 4
    found = scores.sliced_w2(key, x, x + shift, slices=20_000)
    np.testing.assert_allclose(found, 5 / 2, rtol=0.02)
    found = scores.sliced_w1(key, x, x + shift, slices=20_000)
    np.testing.assert_allclose(found, 5 * 4 / (3 * np.pi), rtol=0.02)
    with pytest.raises(ValueError, match="draw as many of both"):
        scores.sliced_w1(key, x, z[:5])


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_floats_are_in_the_order_of_their_integers(x64, dtype):
    """Both signs, both zeros, numbers too small to be normal, infinities."""
    values = np.array([3, -1e-40, 0.0, -np.inf, -2, 1e-40, np.inf, -0.0, 1, -1e30, 1e30], dtype)
    found = scores._ascending(jnp.asarray(values)[:, None])
    assert found.dtype == dtype
    np.testing.assert_array_equal(found[:, 0], np.sort(values))


def test_the_weight_error_is_the_total_variation(x64):
    hard = jax.nn.one_hot(jnp.array([0, 0, 0, 1]), 3)
    found = scores.weight_error(hard, jnp.array([0.5, 0.25, 0.25]))
    np.testing.assert_allclose(found, 0.25)


def test_wilsons_interval_is_scipys(x64):
    for hits, n in ((0, 12), (7, 12), (12, 12), (88, 100)):
        found = scores.proportion(jnp.arange(n) < hits)
        low, high = scipy.stats.binomtest(hits, n).proportion_ci(0.95, method="wilson")
        np.testing.assert_allclose(found, (hits / n, low, high), rtol=1e-6, atol=1e-9)


def test_the_p_value_is_scipys_chi_square(x64):
    ranks = np.random.default_rng(1).integers(0, 20, 60)
    observed = np.bincount(ranks // 4, minlength=5)
    expected = scipy.stats.chisquare(observed).pvalue
    np.testing.assert_allclose(scores.uniformity(jnp.asarray(ranks), 19), expected, rtol=1e-6)
    assert scores.uniformity(jnp.zeros(60, int), 19) < 1e-12
    with pytest.raises(ValueError, match="bins is 30, expected at least 2 and at most 20"):
        scores.uniformity(jnp.asarray(ranks), 19, bins=30)


def ranks(problems, samples, scale=1.0):
    """Ranks of truths among samples of N(0, scale²) where the truth is of N(0, 1)."""

    def one(key):
        truth, drawn, direction = jax.random.split(key, 3)
        images = scale * jax.random.normal(drawn, (samples, *SHAPE))
        return scores.rank(direction, jax.random.normal(truth, SHAPE), images)

    return jax.jit(jax.vmap(one))(jax.random.split(jax.random.key(0), problems))


def test_intervals_of_exact_draws_cover_as_they_say_and_narrow_ones_do_not():
    """0.9 is inside the binomial interval of 2000 problems; half the deviation covers 2Φ(0.5 · 1.645) − 1 = 0.589."""
    right, narrow = (scores.coverage(ranks(2000, 19, s), 19) for s in (1.0, 0.5))
    assert right.low < 0.9 < right.high
    assert narrow.high < 0.7
    assert scores.uniformity(ranks(2000, 19), 19) > 0.01
    assert scores.uniformity(ranks(2000, 19, 0.5), 19) < 1e-6
    with pytest.raises(
        ValueError, match="samples is 5, expected at least 19 for an interval of 90%"
    ):
        scores.coverage(jnp.zeros(3, int), 5)


def test_ties_are_broken_evenly():
    """A discrete law whose draws all equal the truth has uniform ranks."""
    keys = jax.random.split(jax.random.key(0), 3000)
    truth, images = jnp.ones(SHAPE), jnp.ones((4, *SHAPE))
    found = jax.vmap(lambda key: scores.rank(key, truth, images))(keys)
    counts = np.bincount(found, minlength=5)
    assert scipy.stats.chisquare(counts).pvalue > 1e-3
