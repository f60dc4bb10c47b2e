"""FPS: exact where one particle is enough, tending to the posterior where many are needed, bound to a clean y."""

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from affine import SHAPE as TRIPLE
from affine import Law

from jaxir.degradations import (
    Blur,
    Degradation,
    GaussianNoise,
    Mask,
    from_function,
    from_linear_function,
)
from jaxir.denoisers import GaussianDenoiser
from jaxir.processes import VE, VP, brownian_bridge, log_snr_times
from jaxir.samplers import FPS, sample
from jaxir.testbeds import LinearGaussian, stationary_covariance

pytestmark = pytest.mark.usefixtures("quick_compile")
MATRIX = np.random.default_rng(4).normal(size=(2, 3))
VARIANCE, NOISE = 0.4, 0.3
Y = np.array([0.7, -1.1])


def two_of_three(sigma):
    """Two numbers seen of an image of three."""
    operator = from_linear_function(lambda x: jnp.asarray(MATRIX, x.dtype) @ x.ravel(), TRIPLE)
    return Degradation(operator, GaussianNoise(sigma))


@pytest.fixture
def white(monkeypatch, noise_as_keys):
    """`white(process, steps, part)`: the exact law of a part of one particle's last state and of what it returns.

    For the prior N(0, v I); the weights of one particle choose nothing.
    """
    monkeypatch.setattr(jax.random, "uniform", lambda key, shape, dtype: jnp.full(shape, 0.5))

    def law(process, steps, part):
        sampler, y = FPS(two_of_three(NOISE), 1, VARIANCE), jnp.asarray(Y)
        prior = GaussianDenoiser(process, jnp.zeros(TRIPLE), jnp.eye(3), jnp.full(3, VARIANCE))
        times = log_snr_times(process, steps)
        first = sampler.start(prior, jnp.zeros(TRIPLE), times, y)

        def draw(x, key):
            state = sampler.init(prior, x[None], times, y)
            state = sampler.run(key, prior, state, times, y, 0, steps)
            return part(state, sampler.finish(prior, state, times, y))

        start = Law(jnp.zeros(3), first.std**2 * jnp.eye(3))
        return noise_as_keys(draw, start, (steps, 5, 3)), times[-1]

    return law


@pytest.mark.parametrize(("process", "steps"), [(VP(), 7), (VE(sigma_max=20.0), 2)])
def test_for_a_white_prior_one_particle_has_the_posterior_at_any_number_of_steps(
    x64, white, process, steps
):
    """It returns E[x0 | x_t, y] at the last time, so that with that law's width P is complete, exactly.

    P = v (I − K A) and μ = K y, K = Aᵀ (A Aᵀ + σ_y²/v)⁻¹; of x0 given the last state P is left with r² for v.
    """
    found, end = white(process, steps, lambda state, estimate: estimate.x0_hat[0])
    gain = MATRIX.T @ np.linalg.inv(MATRIX @ MATRIX.T + NOISE**2 / VARIANCE * np.eye(2))
    left = np.eye(3) - gain @ MATRIX
    level = np.exp(-2 * process.log_snr(end))
    width = VARIANCE * level / (VARIANCE + level) * left
    chex.assert_trees_all_close(found.mean, gain @ Y, atol=1e-10)
    chex.assert_trees_all_close(found.covariance + width, VARIANCE * left, atol=1e-10)


def test_the_measurement_is_noised_as_the_image_and_with_the_noise_of_the_sensor(x64, white):
    """y_t ~ N(a y, σ² (A Aᵀ + σ_y²/v)), whatever the steps that led there."""
    found, end = white(VP(), 3, lambda state, estimate: state[3])
    a, _, sigma = VP().coefficients(end)
    covariance = sigma**2 * (MATRIX @ MATRIX.T + NOISE**2 / VARIANCE * np.eye(2))
    chex.assert_trees_all_close(found.mean, a * Y, rtol=1e-10)
    chex.assert_trees_all_close(found.covariance, covariance, rtol=1e-9)


def pair(sigma=0.3):
    """Two correlated pixels of which one is seen."""
    covariance = jnp.array([[1.0, 0.6], [0.6, 0.8]])
    degradation = Degradation(Mask(jnp.array([[1, 0]]), (1, 2, 1)), GaussianNoise(sigma))
    bed = LinearGaussian(jnp.array([0.3, -0.2]).reshape(1, 2, 1), covariance, degradation)
    return bed, degradation.operator.clean(bed.draw(jax.random.key(3))[1])


@functools.cache
def noisy(process, particles, threshold=0.5):
    """Images less the exact mean, (16 runs, particles, 2), of the pair at 100 steps; v need not be the prior's."""
    bed, y = pair()
    how = {"shape": (1, 2, 1), "times": 100, "samples": 16}
    prior, sampler = bed.denoiser(process), FPS(bed.degradation, particles, 0.25, threshold)
    images = sample(jax.random.key(0), prior, y, sampler=sampler, **how).images
    law = bed.posterior(y)
    mean, covariance = np.asarray(law.mean).ravel(), np.asarray(law.covariance)
    return np.asarray(images).reshape(16, particles, 2) - mean, covariance


@pytest.mark.parametrize(
    ("process", "threshold"),
    [(VP(), 0.5), (VP(), 1.0), pytest.param(VE(sigma_max=20.0), 0.5, marks=pytest.mark.slow)],
)
def test_particles_have_the_posterior(process, threshold):
    """16 runs of 1,024, resampled seldom or always: mean within 0.1 deviations, spectrum 0.8 to 1.2."""
    images, covariance = noisy(process, 1024, threshold)
    error = images.mean(axis=(0, 1)) / np.sqrt(np.diag(covariance))
    assert np.all(np.abs(error) < 0.1)
    half = np.linalg.inv(np.linalg.cholesky(covariance))
    spectrum = np.linalg.eigvalsh(half @ np.cov(images.reshape(-1, 2).T) @ half.T)
    assert spectrum[0] > 0.8
    assert spectrum[-1] < 1.2


def test_the_error_falls_with_the_particles():
    """Over 16 runs, from 16 to 1024 particles: the error of the mean falls by more than 4, of an expected 8."""
    few, many = (
        np.sqrt(np.mean(images.mean(axis=1) ** 2 / np.diag(covariance)))
        for images, covariance in (noisy(VP(), 16), noisy(VP(), 1024))
    )
    assert many < few / 4


SHAPE = (4, 4, 1)
KNOWN = np.random.default_rng(5).random((4, 4)) < 0.5
OPERATORS = {
    "mask": lambda: Mask(jnp.asarray(KNOWN), SHAPE),
    "blur": lambda: Blur(np.outer([0.2, 0.5, 0.3], [0.2, 0.6, 0.2]), SHAPE),
}


@functools.cache
def clean(name):
    """A measurement without noise, and images: 64 particles in each of 16 runs."""
    operator = OPERATORS[name]()
    mean = jnp.asarray(np.random.default_rng(1).normal(size=SHAPE), jnp.float32) / 2
    bed = LinearGaussian(mean, stationary_covariance(4), Degradation(operator, GaussianNoise(0.0)))
    y = operator(bed.draw(jax.random.key(3))[0])
    how = {"shape": SHAPE, "times": 60, "samples": 16, "sampler": FPS(bed.degradation, 64, 1.0)}
    return bed, y, sample(jax.random.key(0), bed.denoiser(VP()), y, **how).images


def off(bed, y, images):
    """The largest |A x − y|/|y|."""
    residual = jax.vmap(bed.degradation)(images) - y
    return jnp.max(jnp.linalg.norm(residual.reshape(len(images), -1), axis=1)) / jnp.linalg.norm(y)


@pytest.mark.parametrize("name", OPERATORS)
def test_a_measurement_without_noise_is_reproduced(name):
    """To 3 ρ/s², a large innovation times what K leaves of it: s the least singular value, ρ = 1e-6 for no noise."""
    bed, y, images = clean(name)
    s = bed.degradation.operator.spectrum
    assert off(bed, y, images) < 1e-6 + 3e-6 / jnp.min(s, initial=1, where=s > 0) ** 2


def without_noise(bed, y):
    """The posterior, with a noise so small that its covariance can be found, and which pixels y leaves open."""
    noisy = Degradation(bed.degradation.operator, GaussianNoise(1e-3))
    law = LinearGaussian(bed.mean, bed.covariance, noisy).posterior(y)
    return law, law.std > 0.01


def test_without_noise_particles_have_the_posterior():
    """1,024 related images: mean within 0.1 deviations, deviations within 15 %."""
    bed, y, images = clean("mask")
    law, unseen = without_noise(bed, y)
    error = ((jnp.mean(images, axis=0) - law.mean) / law.std)[unseen]
    assert jnp.sqrt(jnp.mean(error**2)) < 0.1
    ratio = (jnp.std(images, axis=0) / law.std)[unseen]
    assert jnp.all((ratio > 0.85) & (ratio < 1.15))


def test_without_noise_one_particle_has_what_is_measured_and_the_rest_about(key):
    """Its path alone tells it of y, which is not enough: within 0.3 deviations."""
    bed, y, _ = clean("mask")
    how = {"shape": SHAPE, "times": 60, "samples": 256, "sampler": FPS(bed.degradation, 1, 1.0)}
    images = sample(key, bed.denoiser(VP()), y, **how).images
    law, unseen = without_noise(bed, y)
    assert off(bed, y, images) < 4e-6
    error = ((jnp.mean(images, axis=0) - law.mean) / law.std)[unseen]
    assert jnp.sqrt(jnp.mean(error**2)) < 0.3


def test_what_fps_does_not_admit_is_refused(key):
    bed, y = pair()
    with pytest.raises(ValueError, match="particles is 0, expected at least 1"):
        FPS(bed.degradation, 0)
    with pytest.raises(ValueError, match=r"variance is -1.0, expected a positive number"):
        FPS(bed.degradation, 4, -1.0)
    with pytest.raises(ValueError, match=r"threshold is 2.0, expected a number in \[0, 1\]"):
        FPS(bed.degradation, threshold=2.0)
    square = Degradation(from_function(jnp.square, (1, 2, 1)), GaussianNoise(0.1))
    with pytest.raises(
        TypeError, match="FPS needs a linear operator, got Function: use DPS, DAPS or EnKG"
    ):
        FPS(square)
    how = {"shape": (1, 2, 1), "sampler": FPS(bed.degradation, 2), "times": 3}
    with pytest.raises(ValueError, match="FPS needs a process that ends in noise"):
        sample(key, bed.conditional(brownian_bridge()), y, **how)
