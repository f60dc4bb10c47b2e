"""DAPS takes a step that no operator and no noise makes unstable."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import norm, poisson

from jaxir.degradations import (
    Degradation,
    Gain,
    GaussianNoise,
    Identity,
    ImpulseNoise,
    LaplaceNoise,
    PoissonNoise,
    StudentNoise,
    from_function,
    gaussian_blur,
)
from jaxir.denoisers import GaussianDenoiser
from jaxir.processes import VP, log_snr_times
from jaxir.samplers import DAPS, sample
from jaxir.testbeds import LinearGaussian

pytestmark = pytest.mark.usefixtures("quick_compile")

SHAPE = (1, 2, 1)


def draws(key, prior, degradation, y, shape=SHAPE, samples=256):
    """Down to σ/a = 0.2, so that the step is the likelihood's to the end."""
    sampler, times = DAPS(degradation), log_snr_times(VP(), 60, sigma_max=5.0, sigma_min=0.2)
    found = sample(key, prior, y, shape=shape, sampler=sampler, times=times, samples=samples)
    return found.images.reshape(samples, -1)


@pytest.mark.parametrize("gain", [5.0, 25.0])
def test_an_operator_of_large_norm_leaves_it_stable_and_the_mean_right(key, gain):
    """A step for ‖A‖ = 1 would be 4 times too long at 5. The mean is held to a quarter of a deviation.

    Langevin steps of half the variance have 1/(1 − ¼) of it, a deviation of 1.15 where the pixel is seen.
    """
    operator = Gain(jnp.array([gain, 0.0]).reshape(SHAPE), SHAPE)
    covariance = jnp.array([[1.0, 0.6], [0.6, 0.8]])
    mean = jnp.array([0.3, -0.2]).reshape(SHAPE)
    bed = LinearGaussian(mean, covariance, Degradation(operator, GaussianNoise(0.3)))
    _, y = bed.draw(jax.random.key(3))
    exact, covariance = bed.posterior(y)
    found = draws(key, bed.denoiser(VP()), bed.degradation, y)
    std = jnp.sqrt(jnp.diagonal(covariance))
    assert jnp.max(jnp.abs(found.mean(axis=0) - exact.ravel()) / std) < 0.25
    assert 0.85 < jnp.std(found, axis=0)[0] / std[0] < 1.3


def test_counted_photons_have_the_mean_of_their_posterior(key):
    """Pixel by pixel, against a sum over a fine grid; a quarter of a deviation as above."""
    shape, peak = (1, 3, 1), 100.0
    degradation = Degradation(Identity(shape), PoissonNoise(peak))
    y = degradation.sample(jax.random.key(1), jnp.array([-0.4, 0.0, 0.6]).reshape(shape))
    prior = GaussianDenoiser(VP(), jnp.zeros(shape), jnp.eye(3), jnp.full(3, 0.25))

    grid = np.linspace(-0.99, 2, 4001)[:, None]
    counts = np.round(peak * (np.asarray(y).ravel() + 1) / 2)
    weights = np.exp(-(grid**2) / 0.5) * poisson.pmf(counts, peak * (grid + 1) / 2)
    weights /= weights.sum(axis=0)
    exact = (weights * grid).sum(axis=0)
    std = np.sqrt((weights * (grid - exact) ** 2).sum(axis=0))
    found = draws(key, prior, degradation, y, shape)
    np.testing.assert_array_less(np.abs(found.mean(axis=0) - exact) / std, 0.25)


KEPT = 0.9 * norm.pdf(0, scale=0.1)
"""The density of a value that an impulse of probability 0.1 leaves, where its Gaussian has its top."""


@pytest.mark.parametrize(
    ("noise", "curvature"),
    [
        (GaussianNoise(0.1), 100.0),
        (StudentNoise(0.1, 3.0), 4 / 3 * 100),  # (ν + 1)/(ν s²) in its middle
        (
            ImpulseNoise(0.1, 0.1),
            100.0 * KEPT / (0.1 / 2 + KEPT),
        ),  # its Gaussian's, by its share of the density
        (PoissonNoise(50.0), 50 / 2),  # 1/(4u/peak) at a mean of 0, u = ½
    ],
    ids=lambda value: type(value).__name__,
)
def test_the_curvature_is_that_of_the_likelihood(x64, key, noise, curvature):
    """Every direction has the same, which one power iteration finds to rounding; of A = 3 the square is 9."""
    shape = (8, 8, 1)
    degradation = Degradation(from_function(lambda x: 3 * x, shape), noise)
    found = DAPS(degradation)._curvature(key, jnp.zeros(shape))
    np.testing.assert_allclose(found, 9 * curvature, rtol=1e-6)


def test_ten_power_iterations_find_more_than_a_quarter_of_a_steep_spectrum(x64, key):
    """A blur's largest singular value, 1, is that of one image in many."""
    shape = (64, 64, 1)
    degradation = Degradation(gaussian_blur(shape, 6.0), GaussianNoise(0.1))
    found = float(DAPS(degradation)._curvature(key, jnp.zeros(shape)))
    assert 25 < found <= 100 * (1 + 1e-9)


def test_a_likelihood_with_kinks_and_one_without_width_are_refused():
    operator = Identity(SHAPE)
    with pytest.raises(TypeError, match="LaplaceNoise has kinks and no curvature: use StudentN"):
        DAPS(Degradation(operator, LaplaceNoise(0.1)))
    with pytest.raises(ValueError, match="log-likelihood is not finite: give it a small sigma"):
        DAPS(Degradation(operator, GaussianNoise(0.0)))
