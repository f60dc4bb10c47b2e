"""Stored images: weights by Bayes' rule, the denoiser as the mean under both observations, draws with those weights."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxir.degradations import Degradation, GaussianNoise
from jaxir.degradations.function import from_function
from jaxir.processes import IRSDE, VP
from jaxir.testbeds import StoredImages

pytestmark = pytest.mark.usefixtures("quick_compile")
SHAPE, SIGMA = (2, 2, 1), 0.5
IMAGES = np.random.default_rng(0).uniform(-1, 1, (6, *SHAPE))


def bed() -> StoredImages:
    """Seen through a curve, so that only the likelihood is left to use."""
    degradation = Degradation(from_function(jnp.tanh, SHAPE), GaussianNoise(SIGMA))
    return StoredImages(jnp.asarray(IMAGES), degradation)


def softmax(log_weights):
    weights = np.exp(log_weights - log_weights.max())
    return weights / weights.sum()


def test_the_posterior_is_bayes_rule(x64):
    y = np.random.default_rng(1).normal(size=SHAPE)
    law = bed().posterior(jnp.asarray(y))
    square = ((y - np.tanh(IMAGES)) ** 2).sum((1, 2, 3))
    weights = softmax(-0.5 * square / SIGMA**2)
    np.testing.assert_allclose(law.weights, weights, rtol=1e-10)
    mean = np.tensordot(weights, IMAGES, 1)
    np.testing.assert_allclose(law.mean, mean, rtol=1e-10)
    variance = np.tensordot(weights, (IMAGES - mean) ** 2, 1)
    np.testing.assert_allclose(law.std, np.sqrt(variance), rtol=1e-10)
    assert law.covariance is None


@pytest.mark.parametrize("process", [VP(), IRSDE()], ids=["VP", "IRSDE"])
def test_the_denoiser_that_sees_y_weighs_by_both_likelihoods(x64, process):
    rng, t = np.random.default_rng(2), jnp.asarray(0.3)
    x, y = rng.normal(size=SHAPE), rng.normal(size=SHAPE)
    a, b, sigma = (float(c) for c in process.coefficients(t))
    square = ((y - np.tanh(IMAGES)) ** 2).sum((1, 2, 3)) / SIGMA**2
    square = square + ((x - b * y - a * IMAGES) ** 2).sum((1, 2, 3)) / sigma**2
    expected = np.tensordot(softmax(-0.5 * square), IMAGES, 1)
    found = bed().conditional(process)(jnp.asarray(x), t, jnp.asarray(y))
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_draws_have_the_weights():
    law = bed().posterior(jnp.zeros(SHAPE))
    draws = law.sample(jax.random.key(0), 5000)
    shares = np.asarray(jax.vmap(law.responsibilities)(draws)).mean(0)
    w = np.asarray(law.weights)
    assert np.all(np.abs(shares - w) < 4.5 * np.sqrt(w * (1 - w) / 5000) + 1e-6)


def test_without_a_measurement_the_denoiser_is_the_mixture_without_variance(x64):
    x, t = jnp.asarray(IMAGES[2]) * 0.9, jnp.asarray(0.2)
    a, _, sigma = VP().coefficients(t)
    expected = bed().given(x, a, sigma).prior.mean
    np.testing.assert_allclose(bed().denoiser(VP())(x, t), expected, rtol=1e-9)


def test_what_does_not_fit_is_refused():
    good = bed()
    with pytest.raises(
        ValueError, match=r"log_weights has shape \(2,\), expected one for each of 6"
    ):
        StoredImages(good.images, good.degradation, jnp.zeros(2))
    with pytest.raises(ValueError, match="StoredImages knows no"):
        good.denoiser(IRSDE())
