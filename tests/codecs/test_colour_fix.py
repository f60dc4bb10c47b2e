"""Colours from a reference: exact statistics, an exact mean, a coarse image within what the filter's spectrum says."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxir.codecs import low_pass, matched_low_pass, matched_statistics

pytestmark = pytest.mark.usefixtures("quick_compile")

SHAPE = (24, 20, 3)
filtered = jax.jit(low_pass, static_argnums=1)
coarse_fixed, statistics_fixed = jax.jit(matched_low_pass), jax.jit(matched_statistics)


@functools.cache
def scene():
    """A reference, and what was restored of it: finer details, and a drift of colour across the image."""
    random = np.random.default_rng(0)
    reference = np.kron(random.uniform(-1, 1, (6, 5, 3)), np.ones((4, 4, 1)))
    drift = np.linspace(0.1, 0.4, 24)[:, None, None] * np.array([1, -1, 0.5])
    restored = reference + drift + 0.1 * random.normal(size=SHAPE)
    return jnp.asarray(restored, jnp.float32), jnp.asarray(reference, jnp.float32)


def along(size, levels):
    """The filter of one side as a matrix, from the indices of a mirrored signal."""
    total = np.eye(size)
    for reach in (2**level for level in range(levels)):
        step = np.zeros((size, size))
        for i in range(size):
            for shift, share in ((-reach, 0.25), (0, 0.5), (reach, 0.25)):
                j = (i + shift) % (2 * size)
                step[i, min(j, 2 * size - 1 - j)] += share
        total = step @ total
    return total


def test_the_coarse_image_is_that_of_the_filter_written_as_matrices():
    x = np.asarray(scene()[0], np.float64)
    rows, columns = along(SHAPE[0], 5), along(SHAPE[1], 5)
    expected = np.einsum("ij,kl,jlc->ikc", rows, columns, x)
    np.testing.assert_allclose(filtered(scene()[0], 5), expected, atol=1e-5)
    for matrix in (rows, columns):
        np.testing.assert_allclose(matrix, matrix.T, atol=1e-12)
        values = np.linalg.eigvalsh(matrix)
        assert values.min() > -1e-12
        assert values.max() < 1 + 1e-12


def test_the_mean_of_the_coarse_image_becomes_that_of_the_reference():
    restored, reference = scene()
    fixed = coarse_fixed(restored, reference)
    off = jnp.abs(jnp.mean(filtered(fixed, 5) - filtered(reference, 5), axis=(0, 1)))
    assert off.max() < 1e-5  # rounding; 1e-3 is asked for
    assert jnp.abs(jnp.mean(restored - reference, axis=(0, 1))).min() > 0.1


def test_the_coarse_image_is_off_by_a_quarter_of_the_drift_at_most():
    restored, reference = scene()
    fixed = coarse_fixed(restored, reference)
    off = jnp.linalg.norm(filtered(fixed, 5) - filtered(reference, 5))
    assert off <= 0.25 * jnp.linalg.norm(restored - reference)  # max of λ (1 − λ) on [0, 1]


def test_details_are_the_restored_ones():
    restored, reference = scene()
    fixed = coarse_fixed(restored, reference)
    fine = [np.asarray(x - filtered(x, 1)).ravel() for x in (restored, fixed)]
    assert np.corrcoef(*fine)[0, 1] > 0.99


def test_statistics_become_those_of_the_reference():
    restored, reference = scene()
    fixed = statistics_fixed(restored, reference)
    for statistic in (np.mean, np.std):
        np.testing.assert_allclose(
            statistic(fixed, axis=(0, 1)), statistic(reference, axis=(0, 1)), atol=1e-6
        )
    flat = statistics_fixed(jnp.ones(SHAPE), reference)
    np.testing.assert_allclose(flat, np.broadcast_to(np.mean(reference, (0, 1)), SHAPE), atol=1e-6)


@pytest.mark.parametrize("fix", [statistics_fixed, coarse_fixed])
def test_an_image_is_its_own_reference(fix):
    np.testing.assert_allclose(fix(scene()[0], scene()[0]), scene()[0], atol=1e-6)
