"""The law of a pixel and its neighbours: ordered as roughness is, distances with their laws, derivatives that exist."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxir.losses import (
    cross_entropy,
    entropy,
    entropy_loss,
    hellinger,
    relative_entropy,
    spatial_law,
)
from jaxir.losses.spatial_entropy import BINS

pytestmark = pytest.mark.usefixtures("x64", "quick_compile")

SIZE = 24
RAMP = jnp.linspace(-0.9, 0.9, SIZE)[:, None, None] * jnp.ones((SIZE, SIZE, 1))


def noise(number=0):
    return jax.random.uniform(
        jax.random.key(number), (SIZE, SIZE, 1), jnp.float64, minval=-0.9, maxval=0.9
    )


def test_a_constant_has_less_entropy_than_a_ramp_and_that_less_than_noise():
    flat, ramp, rough = (entropy(spatial_law(x)) for x in (0 * RAMP, RAMP, noise()))
    assert flat < ramp < rough < np.log(BINS**2)


def test_entropy_grows_with_the_number_of_edges():
    def stripes(count):
        return jnp.sign(jnp.sin(jnp.pi * (count + 1) * (jnp.arange(SIZE) + 0.5) / SIZE))

    found = [
        entropy(spatial_law(0.5 * stripes(n)[:, None, None] * jnp.ones((SIZE, SIZE, 1))))
        for n in (0, 1, 3, 5)
    ]
    assert np.all(np.diff(found) > 0.05)


def test_the_law_has_the_moments_of_the_pixels_and_their_means():
    """The kernel is a logistic density: it adds nothing to a mean, and h² π²/3 squared bins to a variance."""
    x, bandwidth = np.asarray(0.8 * noise(), float), 0.5
    around = sum(x[i : SIZE - 2 + i, j : SIZE - 2 + j] for i in range(3) for j in range(3)) / 9
    law = np.asarray(spatial_law(x, bandwidth=bandwidth))
    centres = (np.arange(BINS) + 0.5) * 2 / BINS - 1
    added = (2 / BINS * bandwidth * np.pi) ** 2 / 3
    for axis, values in ((1, x[1:-1, 1:-1]), (0, around)):
        marginal = law.sum(axis=axis)
        mean = marginal @ centres
        # at h = ½ the sum of the kernel over bins varies by 2 · 2π² h/sinh(2π² h) = 0.2 %
        np.testing.assert_allclose(mean, values.mean(), atol=2e-3)
        np.testing.assert_allclose(marginal @ centres**2 - mean**2, values.var() + added, rtol=0.01)


def test_the_distances_are_those_of_laws():
    p, q = spatial_law(noise(1)), spatial_law(RAMP)
    np.testing.assert_allclose(p.sum(), 1, rtol=1e-12)
    assert relative_entropy(p, q) > 0.1
    np.testing.assert_allclose(relative_entropy(p, q), cross_entropy(p, q) - entropy(p))
    np.testing.assert_allclose(relative_entropy(p, p), 0, atol=1e-4)  # bins below 1e-8 are cut
    assert hellinger(p, p) == 0
    # H² is half the squared distance of square roots, and H²/2 ≤ 1 − BC
    exact = np.sqrt(1 - np.sum(np.sqrt(p * q)))
    np.testing.assert_allclose(hellinger(p, q), exact, atol=2e-2)
    np.testing.assert_allclose(hellinger(p, q), hellinger(q, p))


@pytest.mark.parametrize("distance", [hellinger, relative_entropy, cross_entropy])
def test_the_derivative_is_the_difference_quotient_and_finite_at_equal_images(key, distance):
    x = 0.5 * noise(1)[:6, :6]

    def loss(found):
        return entropy_loss(key, found, x, distance=distance)

    point, along, step = 0.9 * x + 0.01, noise(3)[:6, :6], 1e-6
    quotient = (loss(point + step * along) - loss(point - step * along)) / (2 * step)
    np.testing.assert_allclose(jnp.sum(along * jax.grad(loss)(point)), quotient, rtol=1e-5)
    assert jnp.all(jnp.isfinite(jax.grad(loss)(x)))


def test_the_loss_tells_a_smooth_image_from_a_rough_one_wherever_the_roughness_is(key):
    """Another draw of the same noise is nearer than a smooth image, which is what no squared error says."""
    same, smooth = (entropy_loss(key, x, noise(1)) for x in (noise(2), 0 * RAMP))
    assert same < 0.5 * smooth
