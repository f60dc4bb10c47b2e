"""EnKG: Kalman's formulas where they are exact, no derivative anywhere, any function that can be called."""

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxir import methods
from jaxir.degradations import (
    Degradation,
    GaussianNoise,
    Identity,
    Mask,
    StudentNoise,
    from_function,
    gaussian_blur,
)
from jaxir.denoisers import Denoiser, Estimate, gaussian_denoiser
from jaxir.processes import VE, VP, Flow, Process, brownian_bridge
from jaxir.samplers import Discrete, EnKG, kalman_step, sample
from jaxir.testbeds import LinearGaussian, StationaryField, field_power

pytestmark = pytest.mark.usefixtures("quick_compile")


def test_the_step_of_the_ensemble_is_kalmans(x64):
    """x̄ + C_xg (C_gg + R)⁻¹ (y − ḡ) and C − C_xg (C_gg + R)⁻¹ C_gx, of more states than numbers and of fewer."""
    random = np.random.default_rng(0)
    for count in (12, 4):
        x = random.normal(size=(count, 2, 3, 1))
        g = np.tanh(x.reshape(count, 6) @ random.normal(size=(6, 5)))
        y, noise = random.normal(size=5), random.uniform(0.2, 1.0, size=5)
        moved = kalman_step(jnp.asarray(x), jnp.asarray(g), jnp.asarray(y), jnp.asarray(noise))
        flat, moved = x.reshape(count, 6), np.asarray(moved).reshape(count, 6)
        both = np.cov(np.concatenate([flat, g], axis=1).T)
        gain = both[:6, 6:] @ np.linalg.inv(both[6:, 6:] + np.diag(noise**2))
        mean = flat.mean(axis=0) + gain @ (y - g.mean(axis=0))
        np.testing.assert_allclose(moved.mean(axis=0), mean, atol=1e-10)
        np.testing.assert_allclose(np.cov(moved.T), both[:6, :6] - gain @ both[6:, :6], atol=1e-10)


def test_complex_numbers_are_two_real_ones(x64):
    random = np.random.default_rng(0)
    x, y = random.normal(size=(7, 1, 3, 1)), random.normal(size=4)
    g = random.normal(size=(7, 4))
    real = kalman_step(jnp.asarray(x), jnp.asarray(g), jnp.asarray(y), 0.5)
    paired = kalman_step(
        jnp.asarray(x), jnp.asarray(g[:, :2] + 1j * g[:, 2:]), jnp.asarray(y[:2] + 1j * y[2:]), 0.5
    )
    chex.assert_trees_all_close(paired, real, atol=1e-12)


def test_a_precise_and_redundant_measurement_does_not_narrow_what_it_does_not_see():
    """4,096 numbers of 3 of 16 pixels, in float32, of noise 0.007: the other 13 keep their deviations to 0.1 %."""
    random = np.random.default_rng(0)
    x = random.normal(size=(64, 16)).astype(np.float32)
    seen = x[:, :3] @ random.normal(size=(3, 4096)).astype(np.float32)
    moved = kalman_step(jnp.asarray(x), jnp.asarray(seen), jnp.asarray(seen[0]), 0.007)
    left = x - x[:, :3] @ np.linalg.lstsq(x[:, :3] - x[:, :3].mean(0), x - x.mean(0))[0]
    np.testing.assert_allclose(np.std(moved, axis=0)[3:], np.std(left, axis=0)[3:], rtol=1e-3)


def test_the_flow_to_an_image_is_of_second_order(x64):
    """Of N(m, v) it is known: it keeps (x_t − a m)/√(a² v + σ²). Half the step has a quarter of the error."""
    process, shape, mean, v = VP(), (1, 1, 1), 0.3, 0.25
    prior = gaussian_denoiser(process, jnp.full(shape, mean), v * jnp.eye(1))
    t, end = jnp.asarray(1.0), jnp.asarray(process.span[0])

    def state(t):
        a, _, sigma = process.coefficients(t)
        return jnp.full(shape, a * mean + jnp.sqrt(a**2 * v + sigma**2))

    exact = prior(state(end), end)
    errors = []
    for flow in (17, 33, EnKG(FIELD.degradation).flow):
        image, first = EnKG(FIELD.degradation, flow=flow)._image(prior, state(t), t, end)
        errors.append(float(jnp.max(jnp.abs(image - exact))))
        chex.assert_trees_all_close(first, prior(state(t), t), rtol=1e-12)
    assert errors[1] < errors[0] / 3  # of order 1: / 2
    assert errors[2] < 0.05 * v**0.5


@functools.cache
def pair(process, particles):
    """What 16 runs miss, (16, particles, 2), of two correlated pixels of which one is seen, and the covariance."""
    covariance = jnp.array([[1.0, 0.6], [0.6, 0.8]])
    degradation = Degradation(Mask(jnp.array([[1, 0]]), (1, 2, 1)), GaussianNoise(0.3))
    bed = LinearGaussian(jnp.array([0.3, -0.2]).reshape(1, 2, 1), covariance, degradation)
    y = degradation.operator.clean(bed.draw(jax.random.key(3))[1])
    sampler = EnKG(degradation, particles, 20)
    how = {"shape": (1, 2, 1), "times": 50, "samples": 16}
    images = sample(jax.random.key(0), bed.denoiser(process), y, sampler=sampler, **how).images
    law = bed.posterior(y)
    errors = np.asarray(images - law.mean).reshape(16, particles, 2)
    return errors, np.asarray(law.covariance)


@pytest.mark.parametrize(
    "process", [VP(), pytest.param(VE(sigma_max=20.0), marks=pytest.mark.slow)]
)
def test_a_large_ensemble_has_the_posterior_of_a_gaussian(process):
    """16 runs of 64: mean within 0.1 deviations, spectrum 0.8 to 1.2, at 50 times and 20 steps of the flow."""
    errors, covariance = pair(process, 64)
    assert np.all(np.abs(errors.mean(axis=(0, 1))) < 0.1 * np.sqrt(np.diag(covariance)))
    half = np.linalg.inv(np.linalg.cholesky(covariance))
    spectrum = np.linalg.eigvalsh(half @ np.cov(errors.reshape(-1, 2).T) @ half.T)
    assert spectrum[0] > 0.8
    assert spectrum[-1] < 1.2


def test_the_error_falls_with_the_ensemble():
    """Over 16 runs, from 4 to 64 states: the error of the mean falls by more than 2, of an expected 4."""
    few, many = (
        np.sqrt(np.mean(errors.mean(axis=1) ** 2 / np.diag(covariance)))
        for errors, covariance in (pair(VP(), 4), pair(VP(), 64))
    )
    assert many < few / 2


@pytest.mark.parametrize("times", [50, 200])
def test_as_it_comes_it_has_the_posterior_of_a_precise_measurement(times):
    """Four pixels of N(0, ¼) with noise of 0.05, 16 runs: the mean to a quarter of its deviation, variances to 5 %.

    Chance has 0.02 deviations and 2 %. The rest is of the flow, whose error in the image is 20 times as large beside
    the posterior's deviation, and does not grow with the times.
    """
    shape, sigma = (2, 2, 1), 0.05
    degradation = Degradation(Identity(shape), GaussianNoise(sigma))
    _, sampler = methods.enkg(None, degradation)
    prior = gaussian_denoiser(VP(), jnp.zeros(shape), 0.25 * jnp.eye(4))
    y = jnp.array([0.6, -0.5, 0.2, 0.8]).reshape(shape)
    how = {"shape": shape, "times": times, "samples": 16}
    chains = sample(jax.random.key(0), prior, y, sampler=sampler, **how).chains
    variance = 1 / (1 / 0.25 + 1 / sigma**2)
    error = jnp.mean(chains, axis=(0, 1)) - variance * y / sigma**2
    assert jnp.max(jnp.abs(error)) < 0.25 * variance**0.5
    np.testing.assert_allclose(jnp.mean(jnp.var(chains, axis=1, ddof=1)), variance, rtol=0.05)


SHAPE = (8, 8, 1)
FIELD = StationaryField(
    jnp.zeros(SHAPE),
    0.25 * field_power(8),
    Degradation(gaussian_blur(SHAPE, 0.7), GaussianNoise(0.05)),
)


@jax.custom_jvp
def guarded(x):
    """Itself, and an error for whoever asks for a derivative."""
    return x


@guarded.defjvp
def _(primals, tangents):
    raise AssertionError("a derivative was taken")


class Guarded(Denoiser):
    """A denoiser that may not be differentiated."""

    inner: Denoiser

    @property
    def process(self) -> Process:
        return self.inner.process

    def estimate(self, x, t, y=None):
        return Estimate(guarded(self.inner(guarded(x), t)))


def saturating(x):
    """A blur, then a sensor that saturates."""
    return jnp.clip(2 * gaussian_blur(SHAPE, 0.7)(x), -1, 1)


def restored(f, denoiser, y):
    degradation = Degradation(from_function(f, SHAPE), GaussianNoise(0.05))
    how = {"shape": SHAPE, "sampler": EnKG(degradation, 128), "times": 30}
    return degradation, sample(jax.random.key(0), denoiser, y, **how)


@functools.cache
def scene():
    """A measurement of the saturating sensor, and what EnKG makes of it."""
    x0 = FIELD.prior.sample(jax.random.key(1), 1)[0]
    y = saturating(x0) + 0.05 * jax.random.normal(jax.random.key(2), SHAPE)
    return x0, y, *restored(saturating, FIELD.denoiser(VP()), y)


def test_an_operator_that_is_not_linear_is_explained():
    """The prior's draws miss y by 20 deviations of its noise, the ensemble by less than 2, and nearer to the image."""
    x0, y, degradation, found = scene()
    how = {"shape": SHAPE, "sampler": Discrete(), "times": 30, "samples": 128}
    free = sample(jax.random.key(0), FIELD.denoiser(VP()), **how)
    assert jnp.median(free.residual(degradation, y)) > 10
    assert jnp.median(found.residual(degradation, y)) < 2
    assert jnp.mean((found.mean - x0) ** 2) < 0.7 * jnp.mean((y / 2 - x0) ** 2)


def test_no_derivative_is_taken_of_the_operator_or_of_the_network():
    _, y, _, plain = scene()
    _, found = restored(lambda x: guarded(saturating(guarded(x))), Guarded(FIELD.denoiser(VP())), y)
    chex.assert_trees_all_close(found.images, plain.images, atol=1e-4)
    with pytest.raises(AssertionError, match="a derivative was taken"):
        jax.grad(lambda x: jnp.sum(guarded(x)))(y)


def test_the_operator_may_be_code_that_jax_does_not_know():
    """numpy behind `jax.pure_callback`, inside the compiled program."""
    _, y, _, plain = scene()
    kernel = np.asarray(gaussian_blur(SHAPE, 0.7).transfer(jnp.float32))

    def simulator(x):
        blurred = np.fft.ifft2(kernel * np.fft.fft2(x, axes=(0, 1)), axes=(0, 1)).real
        return np.clip(2 * blurred, -1, 1).astype(np.float32)

    def called(x):
        like = jax.ShapeDtypeStruct(SHAPE, x.dtype)
        return jax.pure_callback(simulator, like, x, vmap_method="sequential")

    _, found = restored(called, FIELD.denoiser(VP()), y)
    chex.assert_trees_all_close(found.images, plain.images, atol=1e-2)


def test_what_enkg_does_not_admit_is_refused(key):
    degradation = FIELD.degradation
    with pytest.raises(ValueError, match="particles is 1, expected at least 2"):
        EnKG(degradation, 1)
    with pytest.raises(ValueError, match="flow is 0, expected at least 1"):
        EnKG(degradation, flow=0)
    how = {"shape": SHAPE, "sampler": EnKG(degradation, 2), "times": 3}
    y = jnp.zeros(SHAPE)
    with pytest.raises(ValueError, match="EnKG needs a process that ends in noise"):
        sample(key, FIELD.conditional(brownian_bridge()), y, **how)
    how["times"] = jnp.array([1.0, 0.5])
    with pytest.raises(ValueError, match=r"times begin at 1\.0, .* of Flow: let EnKG begin below"):
        sample(key, FIELD.denoiser(Flow()), y, **how)
    with pytest.raises(ValueError, match="EnKG got StudentNoise of infinite deviation"):
        EnKG(Degradation(degradation.operator, StudentNoise(0.1, 2.0)))
