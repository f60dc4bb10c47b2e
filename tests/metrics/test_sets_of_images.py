"""Distances between sets, of features with known laws."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxir.metrics import (
    Features,
    Moments,
    features_of,
    frechet_distance,
    kernel_distance,
    moments,
    squared_discrepancy,
)
from jaxir.pretrained import WeightsError, load_inception

rng = np.random.default_rng


def covariance(size, seed, rank=None):
    root = rng(seed).standard_normal((size, rank or size))
    return root @ root.T / size


def test_frechet_of_commuting_gaussians_is_its_closed_form():
    """Σ_i (√λ_i − √μ_i)² + ‖m₁ − m₂‖² where both have one basis."""
    basis = np.linalg.qr(rng(0).standard_normal((6, 6)))[0]
    first, second = rng(1).random((2, 6)) * [[1], [5]]
    one, other = (
        Moments(mean, (basis * values) @ basis.T)
        for mean, values in ((np.ones(6), first), (np.zeros(6), second))
    )
    expected = 6 + np.sum((np.sqrt(first) - np.sqrt(second)) ** 2)
    assert frechet_distance(one, other) == pytest.approx(expected, rel=1e-12)


def test_frechet_of_any_gaussians_is_that_of_the_eigenvalues_of_their_product():
    one, other = (Moments(np.zeros(5), covariance(5, seed)) for seed in (0, 1))
    eigenvalues = np.linalg.eigvals(one.covariance @ other.covariance)
    expected = np.trace(one.covariance + other.covariance) - 2 * np.sum(np.sqrt(eigenvalues)).real
    assert frechet_distance(one, other) == pytest.approx(expected, rel=1e-10)


def test_frechet_of_a_set_from_itself_is_0_with_fewer_images_than_features():
    same = moments(rng(0).standard_normal((20, 200)))
    assert frechet_distance(same, same) < 1e-12 * np.trace(same.covariance)


def test_frechet_of_large_sets_is_that_of_their_laws():
    """N(0, 1) and N(m, s²) in each of d: d (m² + (s − 1)²), to 1/√n."""
    x, y = rng(0).standard_normal((2, 20_000, 3))
    found = frechet_distance(moments(x), moments(2 * y + 1))
    assert found == pytest.approx(3 * (1 + 1), rel=5 / np.sqrt(20_000))


def test_the_kernel_estimate_is_the_mean_over_different_pairs():
    x, y = rng(0).standard_normal((2, 5, 3))
    k = lambda a, b: (a @ b / 3 + 1) ** 3  # noqa: E731
    within = [
        np.mean([k(rows[i], rows[j]) for i in range(5) for j in range(5) if i != j])
        for rows in (x, y)
    ]
    across = np.mean([k(a, b) for a in x for b in y])
    assert squared_discrepancy(x, y) == pytest.approx(sum(within) - 2 * across, rel=1e-12)


def test_the_kernel_estimate_is_unbiased():
    """In one dimension d² = Σ_j binom(3, j) (E x^j − E y^j)²: 3 m² + 3 m⁴ + (m³ + 3 m)² for N(0, 1) and N(m, 1)."""
    m, draws = 0.5, rng(0).standard_normal((4000, 2, 6, 1))
    found = [squared_discrepancy(x, y + m) for x, y in draws]
    expected = 3 * m**2 + 3 * m**4 + (m**3 + 3 * m) ** 2
    assert abs(np.mean(found) - expected) < 3 * np.std(found) / np.sqrt(len(found))


def test_the_kernel_distance_of_one_law_from_itself_is_0_within_its_error():
    found = [
        kernel_distance(*rng(seed).standard_normal((2, 200, 4)), size=50, subsets=30)
        for seed in range(20)
    ]
    values, errors = np.transpose(found)
    assert abs(values.mean()) < 3 * np.std(values) / np.sqrt(20)
    assert np.all(np.abs(values) < 3 * errors)


def test_the_error_of_a_kernel_distance_is_its_spread_over_sets():
    """The jackknife's variance has a spread of its own; 40 sets leave 1/√80 of theirs."""
    found = [
        kernel_distance(x, y + 1, size=100, subsets=50)
        for x, y in (rng(seed).standard_normal((2, 200, 2)) for seed in range(40))
    ]
    values, errors = np.transpose(found)
    assert np.mean(errors) / np.std(values) == pytest.approx(1, abs=0.3)


def test_features_are_taken_after_resizing_one_image_at_a_time():
    features = Features(
        lambda params, image: params * jnp.mean(image, axis=(0, 1)), jnp.float32(2), lambda x: x[1:]
    )
    images = [np.ones((3, 4, 3), np.float32), np.zeros((5, 2, 3), np.float32)]
    np.testing.assert_array_equal(features_of(features, images), [[2, 2, 2], [0, 0, 0]])


def test_sets_that_do_not_fit_are_refused(tmp_path):
    x = np.zeros((10, 3))
    with pytest.raises(ValueError, match="a row for each of two or more"):
        moments(x[:1])
    with pytest.raises(ValueError, match="through one network"):
        frechet_distance(moments(x), moments(x[:, :2]))
    with pytest.raises(ValueError, match="size is 1000 but the smaller set has 10"):
        kernel_distance(x, x)
    with pytest.raises(WeightsError, match="is no file"):
        load_inception(tmp_path / "b.npz")
