"""Losses on the mean of a step: the exact one has the true noise for its minimiser, the published one is biased."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxir.denoisers import Denoiser, Estimate, NetworkDenoiser, Noise
from jaxir.losses import euler_matching_loss, mean_matching_loss
from jaxir.processes import IRSDE, ConstantRate, LinearRate, Process, goub
from jaxir.transitions import Ancestral, ReverseEuler
from jaxir.typing import Image

pytestmark = pytest.mark.usefixtures("x64", "quick_compile")

PAIRS = 64
LAMBDA = 0.3


def linear(params, x, condition, y):
    """c₀ + c₁ c_in (x − b y) + c₂ y: any affine function of x and y."""
    return params[0] + params[1] * x + params[2] * y


def data(process, t):
    """Images of one pixel with their y, and the keys, states and noises that the losses make of them."""
    x0 = jax.random.normal(jax.random.key(1), (PAIRS, 1, 1, 1), jnp.float64)
    y = 0.8 * x0 + 0.5 * jax.random.normal(jax.random.key(2), x0.shape, jnp.float64)
    keys = jax.random.split(jax.random.key(3), PAIRS)
    x = jax.vmap(lambda key, x0, y: process.marginal(x0, t, y).sample(key))(keys, x0, y)
    a, b, sigma = process.coefficients(t)
    return keys, x0, y, x, (x - a * x0 - b * y) / sigma


def fitted(process, loss, t, s):
    """The noise, at the data's states, of the affine network with the least mean square loss: one Newton step."""
    keys, x0, y, x, _ = data(process, t)

    def network(params):
        return NetworkDenoiser(process, params, linear, Noise(), sees_y=True)

    def total(params):
        one = functools.partial(loss, denoiser=network(params), t=t, s=s, power=2.0)
        return jnp.mean(jax.vmap(lambda key, x0, y: one(key, x0=x0, y=y))(keys, x0, y))

    start = jnp.zeros(3)
    params = -jnp.linalg.solve(jax.hessian(total)(start), jax.grad(total)(start))
    return np.asarray(jax.vmap(lambda x, y: network(params).output(x, t, y))(x, y)).ravel()


def regression(process, t):
    """The least-squares estimate of the true ε by an affine function of x and y: for Gaussian data E[ε | x, y]."""
    _, _, y, x, eps = data(process, t)
    features = np.stack([np.ones(PAIRS), np.ravel(x), np.ravel(y)], axis=1)
    return features @ np.linalg.lstsq(features, np.ravel(eps), rcond=None)[0]


REVERTING = {
    "constant": IRSDE(LAMBDA, rate=ConstantRate()),
    "cosine": IRSDE(LAMBDA),
    "linear": IRSDE(LAMBDA, rate=LinearRate()),
    "goub": goub(LAMBDA),
}
each_process = pytest.mark.parametrize("process", REVERTING.values(), ids=REVERTING)


@each_process
def test_the_minimiser_of_the_exact_loss_is_the_true_noise(process):
    t, s = jnp.asarray(0.6), jnp.asarray(0.4)
    found = fitted(process, mean_matching_loss, t, s)
    np.testing.assert_allclose(found, regression(process, t), atol=1e-8)


@pytest.mark.parametrize("gap", [0.2, 0.05, 0.01])
def test_the_minimiser_of_the_published_loss_is_the_noise_with_a_known_bias(gap):
    """ε̂ sinh(q)/q − (e^q − 1 − q) σ (x − y)/(2 λ² q), q = θ (t − s); the bias is gone as the step goes to 0."""
    process, t, s = REVERTING["constant"], jnp.asarray(0.6), jnp.asarray(0.6 - gap)
    q = -np.log(0.005) * gap
    _, _, y, x, _ = data(process, t)
    sigma = LAMBDA * np.sqrt(1 - 0.005 ** (2 * 0.6))
    pull = (np.exp(q) - 1 - q) / q * sigma / (2 * LAMBDA**2) * np.ravel(x - y)
    true = regression(process, t)
    found = fitted(process, euler_matching_loss, t, s)
    np.testing.assert_allclose(found, np.sinh(q) / q * true - pull, atol=1e-8)
    bias = np.abs(found - true).max()
    assert 0.1 * q < bias < 3 * q


@pytest.mark.parametrize("label", ["cosine", "linear"])
def test_with_a_rate_that_changes_the_bias_is_that_of_both_means(label):
    """ε̂ (a_s − k a_t) σ²/(2 a λ² q) + (1 + q − a_s/a_t) σ (x − y)/(2 λ² q), with q = θ(t) (t − s)."""
    process, t, s = REVERTING[label], jnp.asarray(0.6), jnp.asarray(0.5)
    q = -float(process.sde(t).f) * 0.1
    (a, _, sigma), (a_s, _, sigma_s) = (map(float, process.coefficients(u)) for u in (t, s))
    gain = a_s - a * (sigma_s / sigma) ** 2 * a / a_s
    _, _, y, x, _ = data(process, t)
    pull = (1 + q - a_s / a) * sigma / (2 * LAMBDA**2 * q) * np.ravel(x - y)
    expected = gain * sigma**2 / (2 * a * LAMBDA**2 * q) * regression(process, t) + pull
    np.testing.assert_allclose(fitted(process, euler_matching_loss, t, s), expected, atol=1e-8)


class Known(Denoiser):
    """Says the same image always."""

    process: Process
    image: Image

    def estimate(self, x, t, y=None):
        return Estimate(self.image)


@each_process
@pytest.mark.parametrize("power", [1.0, 2.0])
def test_the_exact_loss_is_the_distance_of_two_posterior_means(process, power):
    t, s = jnp.asarray(0.6), jnp.asarray(0.4)
    key, x0, y, x, _ = jax.tree.map(lambda leaf: leaf[0], data(process, t))
    guess = Known(process, x0 + 0.3)
    rule = Ancestral()
    means = [
        rule.advance(process, None, x, Estimate(d), t, s, y)[0].mean for d in (guess.image, x0)
    ]
    found = mean_matching_loss(key, guess, x0, t, s, y, power=power)
    np.testing.assert_allclose(found, np.mean(np.abs(means[0] - means[1]) ** power), rtol=1e-10)
    assert mean_matching_loss(key, Known(process, x0), x0, t, s, y, power=power) == 0


@each_process
def test_the_published_loss_is_zero_where_eulers_step_hits_the_posterior_mean(process):
    """Euler's mean is affine in D; at the D that solves for the posterior mean of the truth nothing is left."""
    t, s = jnp.asarray(0.6), jnp.asarray(0.4)
    key, x0, y, x, _ = jax.tree.map(lambda leaf: leaf[0], data(process, t))
    wanted, _ = Ancestral().advance(process, None, x, Estimate(x0), t, s, y)

    def reached(image):
        return ReverseEuler().step(Known(process, image), None, x, t, s, y).law.mean

    zero, one = reached(jnp.zeros_like(x)), reached(jnp.ones_like(x))
    solved = Known(process, (wanted.mean - zero) / (one - zero))
    assert euler_matching_loss(key, solved, x0, t, s, y) < 1e-12
    assert euler_matching_loss(key, Known(process, x0), x0, t, s, y) > 1e-4
