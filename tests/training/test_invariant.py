"""Serial steps over distortions: the update as printed, and what it is to first order."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxir.training import Invariant, serial_gradient

pytestmark = pytest.mark.usefixtures("x64", "quick_compile")

CENTRES = (jnp.array([1.0, -2.0]), jnp.array([0.5, 3.0]), jnp.array([-1.0, 1.0]))
START = {"w": jnp.array([0.3, 0.2])}


def quadratic(centre):
    """Reports its centre."""
    return lambda params: (jnp.sum((params["w"] - centre) ** 2), centre)


def adam(point, gradients, rate):
    """Adam as published: b₁ = 0.9, b₂ = 0.999, ε = 1e-8."""
    first, second = np.zeros_like(point), np.zeros_like(point)
    for k, gradient in enumerate(gradients, 1):
        g = gradient(point)
        first, second = 0.9 * first + 0.1 * g, 0.999 * second + 0.001 * g**2
        point = point - rate * (first / (1 - 0.9**k)) / (np.sqrt(second / (1 - 0.999**k)) + 1e-8)
    return point


def test_the_direction_is_from_where_the_steps_end_to_where_they_began(key):
    losses = [quadratic(centre) for centre in CENTRES]
    _, found = serial_gradient(key, losses, START, rate=0.05)
    start = np.asarray(START["w"], float)
    order = np.asarray(jax.random.permutation(key, 3))
    steps = [lambda p, c=np.asarray(CENTRES[k], float): 2 * (p - c) for k in order]
    np.testing.assert_allclose(found["w"], start - adam(start, steps, 0.05), rtol=1e-6)


def test_the_order_is_drawn_anew(key):
    losses = [quadratic(centre) for centre in CENTRES]
    keys = jax.random.split(key, 8)
    found = jax.vmap(lambda key: serial_gradient(key, losses, START, rate=0.05)[1]["w"])(keys)
    assert len(np.unique(np.round(found, 8), axis=0)) > 2


def test_losses_and_reports_are_means_along_the_way(key):
    """Without steps, at the start."""
    losses = [quadratic(centre) for centre in CENTRES]
    (value, report), found = serial_gradient(key, losses, START, rate=0.0)
    np.testing.assert_allclose(value, np.mean([loss(START)[0] for loss in losses]))
    np.testing.assert_allclose(report, np.mean(CENTRES, axis=0))
    np.testing.assert_allclose(found["w"], 0)


def test_each_distortion_has_its_own_part_of_the_batch(key):
    """One task alone is one step of Adam, rate · sign of the gradient; every image is seen under one distortion."""
    seen = []

    def loss(params, batch, pairing):
        seen.append((tuple(np.asarray(batch)), pairing(None, 1.0)[1]))
        return jnp.sum(params["w"] * jnp.mean(batch)), None

    pairings = tuple(lambda key, crop, level=level: (crop, level) for level in (5.0, 10.0))
    _, found = Invariant(pairings, rate=0.1)(key, loss, START, jnp.arange(1.0, 7.0))
    assert set(seen) == {((1.0, 3.0, 5.0), 5.0), ((2.0, 4.0, 6.0), 10.0)}
    np.testing.assert_allclose(found["w"], 0.2, rtol=0.05)  # two steps of about one rate
    with pytest.raises(ValueError, match="batch is 5, expected a multiple of 2"):
        Invariant(pairings)(key, loss, START, jnp.arange(5.0))
