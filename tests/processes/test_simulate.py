"""The forward SDE, integrated by diffrax, has the closed-form marginals: of every process, at every time."""

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from affine import EVERY, PROCESSES, Y, affine, name

from jaxir.processes import simulate

pytestmark = pytest.mark.usefixtures("quick_compile")
SHAPE = (1, 1, 2)
TARGET = Y[..., :2]
SPAN = (0.1, 0.8)
PATHS = 4000


@pytest.mark.parametrize("process", PROCESSES, ids=name)
def test_the_mean_of_the_sde_is_eulers_recursion(x64, key, process):
    """With one key the end is affine in the start; its slope tends to a_t/a_s and its centre to b_t − (a_t/a_s) b_s."""
    times = jnp.linspace(*SPAN, 201)
    y = jnp.asarray(TARGET)
    ends = jax.jit(lambda times: affine(lambda x: simulate(key, process, x, times, y)[-1], SHAPE))
    matrix, _ = ends(times)
    f, pull, _ = jax.vmap(process.sde)(times[:-1])
    product, centre = 1.0, 0.0
    for rate, towards, gap in zip(f, pull, np.diff(times), strict=True):
        product, centre = product * (1 + rate * gap), centre + gap * (rate * centre + towards)
    chex.assert_trees_all_close(matrix, product * jnp.eye(2), atol=1e-12)
    (a, b, _), (a_end, b_end, _) = (process.coefficients(t) for t in (times[0], times[-1]))
    gap = (
        times[1] - times[0]
    )  # Euler's error: log(1 + f h) ≈ f h − ½ (f h)², and a sum at the left for an integral
    allowed = 0.5 * gap * (gap * jnp.sum(f**2) + jnp.abs(f[-1] - f[0]))
    np.testing.assert_allclose(np.log(product * a / a_end), 0.0, atol=1.2 * float(allowed) + 1e-4)
    np.testing.assert_allclose(centre, b_end - a_end / a * b, atol=0.02)


@functools.cache
def paths(label):
    """The grid, the start, and many paths at 5 times of 401 steps, in units of the law of each time."""
    process, y = EVERY[label], jnp.asarray(TARGET, jnp.float32)
    times, start = jnp.linspace(*SPAN, 401), jnp.array([[[0.7, -0.2]]])
    keys = jax.random.split(jax.random.key(0), PATHS)
    run = jax.jit(jax.vmap(lambda key: simulate(key, process, start, times, y)[80::80]))
    law = jax.vmap(lambda t: process.forward(start, times[0], t, y))(times[80::80])
    scale = jnp.broadcast_to(law.scale[:, None, None, None], law.mean.shape)
    return np.asarray((run(keys) - law.mean) / scale).reshape(PATHS, 5, 2)


@pytest.mark.parametrize("label", EVERY)
def test_the_paths_have_the_marginals_along_the_way(label):
    """3 standard errors of the mean and of the variance, and 1.5 % for Euler's own error at 400 steps.

    Both coordinates have one law, so each of 5 times has 2 N draws.
    """
    z = paths(label)
    np.testing.assert_allclose(z.mean((0, 2)), 0.0, atol=3 / np.sqrt(2 * PATHS) + 0.015)
    np.testing.assert_allclose(z.var((0, 2)), 1.0, atol=3 * np.sqrt(1 / PATHS) + 0.015)


@pytest.mark.slow
@pytest.mark.parametrize("label", ["VP", "IRSDE", "I2SB"])
def test_adaptive_steps_have_the_marginals_too(key, label):
    process, y = EVERY[label], jnp.asarray(TARGET, jnp.float32)
    times, start = jnp.linspace(*SPAN, 3), jnp.array([[[0.7, -0.2]]])
    run = jax.jit(jax.vmap(lambda key: simulate(key, process, start, times, y, tolerance=0.01)[1:]))
    ends = run(jax.random.split(key, PATHS))
    for i, t in enumerate(times[1:]):
        law = process.forward(start, times[0], t, y)
        z = (ends[:, i] - law.mean) / law.scale
        np.testing.assert_allclose(z.mean(), 0.0, atol=3 / np.sqrt(2 * PATHS))
        np.testing.assert_allclose(z.var(), 1.0, atol=3 * np.sqrt(1 / PATHS))
