"""The likelihood by the flow, against densities in closed form."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from affine import BASIS, EVERY, MEAN, SHAPE, VARIANCES, Y, gaussian

from jaxir.denoisers import MixtureDenoiser
from jaxir.metrics import bits_per_dimension
from jaxir.processes import EDM, VP, log_snr_times
from jaxir.samplers import log_likelihood

pytestmark = pytest.mark.usefixtures("quick_compile")
POINTS = np.array([[0.5, -1.0, 0.2], [0.7, -0.2, 1.5], [-2.0, 1.0, 0.3]]).reshape(3, *SHAPE)


def log_normal(x, mean, variances):
    """log N along the axes."""
    return -0.5 * np.sum((x - mean) ** 2 / variances + np.log(2 * np.pi * variances), axis=-1)


def measured(denoiser, points, key=None, **how):
    """The likelihood of each point, in one program."""
    times = log_snr_times(denoiser.process, 2)
    y = jnp.asarray(Y, points.dtype)
    one = lambda x: log_likelihood(key, denoiser, x, times, y, **how)  # noqa: E731
    return jax.jit(jax.vmap(one))(jnp.asarray(points))


@pytest.mark.parametrize("label", ["VP", "EDM", "IRSDE", "DDBM-VE"])
def test_the_likelihood_of_a_gaussian_is_its_density(x64, label):
    """That of x̂ = x0 + σ̂ ε at the clean end, with N(0, σ̂² I) for the law of x̂ at the noisy end; also 30 σ away."""
    process = EVERY[label]
    found = measured(gaussian(process), POINTS, probes=None)
    last, first = (np.exp(-float(process.log_snr(jnp.asarray(end)))) for end in process.span)
    x, m = POINTS.reshape(3, 3) @ BASIS, MEAN @ BASIS
    exact = log_normal(x, m, VARIANCES + last**2)
    noisy = m + (x - m) * np.sqrt((VARIANCES + first**2) / (VARIANCES + last**2))
    start = log_normal(noisy, 0.0, first**2) - log_normal(noisy, m, VARIANCES + first**2)
    np.testing.assert_allclose(found.nats, exact + start, rtol=1e-4, atol=2e-3)
    np.testing.assert_allclose(found.nats[:2] / 3, exact[:2] / 3, atol=0.02)
    assert np.all(found.error == 0)


def test_the_likelihood_is_that_of_the_clean_image_where_the_noise_is_little(x64):
    """σ̂ = 0.002 on EDM, against standard deviations of 0.1 and more: within 0.02 nats for each dimension."""
    found = measured(gaussian(EDM()), POINTS, probes=None)
    exact = log_normal(POINTS.reshape(3, 3) @ BASIS, MEAN @ BASIS, VARIANCES)
    np.testing.assert_allclose(found.nats[:2] / 3, exact[:2] / 3, atol=0.02)


def mixture(process):
    means = jnp.array([[1.0, -0.5, 0.0], [-1.0, 0.5, 0.3]]).reshape(2, *SHAPE)
    return MixtureDenoiser(process, jnp.array([0.3, 0.7]), means, 0.04)


@pytest.mark.parametrize("label", ["VP", "DDBM-VE"])
def test_the_likelihood_of_a_mixture_is_its_density(x64, label):
    """Between and beyond the modes; within 0.02 nats for each dimension."""
    process = EVERY[label]
    denoiser, points = mixture(process), 0.5 * POINTS
    found = measured(denoiser, points, probes=None)
    sigma = np.exp(-float(process.log_snr(jnp.asarray(process.span[0]))))
    parts = [
        np.log(w)
        + log_normal(points.reshape(3, 3), np.asarray(m).ravel(), np.full(3, 0.04 + sigma**2))
        for w, m in zip(denoiser.weights, denoiser.means, strict=True)
    ]
    np.testing.assert_allclose(found.nats / 3, np.logaddexp(*parts) / 3, atol=0.02)


def test_random_probes_estimate_the_trace_with_the_error_they_say(x64, key):
    """Signs leave the diagonal alone, so the error is of what lies off it: unbiased, within 4 standard errors."""
    denoiser, points = gaussian(VP()), POINTS[1:2]
    exact = measured(denoiser, points, probes=None)
    found = measured(denoiser, points, key, probes=400)
    assert 0 < found.error[0] < 0.2
    assert abs(found.nats[0] - exact.nats[0]) < 4 * found.error[0]
    chex.assert_trees_all_close(found.latent, exact.latent, atol=1e-4)


def test_one_probe_has_no_error_estimate_and_no_warning(key):
    found = log_likelihood(
        key, gaussian(VP()), jnp.ones(SHAPE), log_snr_times(VP(), 9), probes=1, tolerance=None
    )
    assert jnp.isfinite(found.nats)
    assert jnp.isnan(found.error)


def test_bits_of_a_uniform_integer_image_are_the_bits_of_a_level():
    """Density ½ on [-1, 1] in each of 12 dimensions; 255 steps of one grey level make 256 levels."""
    nats = 12 * np.log(0.5)
    np.testing.assert_allclose(bits_per_dimension(nats, 12), np.log2(255), rtol=1e-12)
    np.testing.assert_allclose(bits_per_dimension(-12 * np.log(256), 12, levels=None), 8.0)
