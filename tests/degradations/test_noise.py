"""Noise and likelihood: the law that is drawn is the law that is evaluated."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from jaxir.degradations import (
    Degradation,
    GaussianNoise,
    bicubic_downsample,
    from_linear_function,
    motion_blur,
)

pytestmark = pytest.mark.usefixtures("x64")
SHAPE = (12, 8, 3)


@pytest.mark.parametrize("dtype", [float, complex])
def test_gaussian_noise_has_its_sigma_in_each_real_number(key, dtype):
    mean = jnp.full(20_000, 0.3, dtype)
    noise = np.asarray(GaussianNoise(0.2).sample(key, mean) - mean)
    assert noise.dtype == dtype
    for part in (noise.real, noise.imag) if dtype is complex else (noise,):
        assert abs(part.mean()) < 4 * 0.2 / np.sqrt(20_000)
        assert abs(part.std() / 0.2 - 1) < 4 / np.sqrt(40_000)


def test_log_prob_is_scipys(key):
    y, mean = jax.random.normal(key, (2, 50))
    expected = stats.norm.logpdf(y, mean, 0.2).sum()
    assert float(GaussianNoise(0.2).log_prob(y, mean)) == pytest.approx(expected, rel=1e-12)


def test_a_complex_number_counts_as_two_real_ones(key):
    parts, means = jax.random.normal(key, (2, 2, 50))
    y, mean = jax.lax.complex(*parts), jax.lax.complex(*means)
    noise = GaussianNoise(0.2)
    assert float(noise.log_prob(y, mean)) == pytest.approx(float(noise.log_prob(parts, means)))


@pytest.mark.parametrize(
    "operator",
    [
        lambda: bicubic_downsample(SHAPE, 4),
        lambda: from_linear_function(lambda x: jnp.fft.fft2(x, axes=(0, 1)), SHAPE),
    ],
)
def test_the_gradient_of_the_likelihood_is_the_adjoint_of_the_residual(key, operator):
    degradation = Degradation(operator(), GaussianNoise(0.2))
    x, truth = jax.random.normal(key, (2, *SHAPE))
    y = degradation.sample(key, truth)
    gradient = jax.grad(degradation.log_prob, argnums=1)(y, x)
    expected = degradation.operator.adjoint(y - degradation(x)) / 0.2**2
    np.testing.assert_allclose(gradient, expected, rtol=1e-10)


def test_without_noise_the_sample_is_the_mean(key):
    degradation = Degradation(motion_blur(SHAPE, 3.0, 45.0), GaussianNoise(0.0))
    x = jax.random.normal(key, SHAPE)
    np.testing.assert_array_equal(degradation.sample(key, x), degradation(x))


def test_a_new_sigma_does_not_retrace(key):
    traces = []

    @jax.jit
    def sample(degradation, x):
        traces.append(1)
        return degradation.sample(key, x)

    draws = [
        sample(Degradation(bicubic_downsample(SHAPE, 2), GaussianNoise(s)), jnp.zeros(SHAPE))
        for s in (0.1, 0.2)
    ]
    assert len(traces) == 1
    np.testing.assert_allclose(draws[1], 2 * draws[0], rtol=1e-12)
