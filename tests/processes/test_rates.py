"""Rates: the share of the decay goes from 0 to 1 with the stated slope, and `time` is its inverse."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxir.processes import ConstantRate, CosineRate, CosineSteps, LinearRate

COSINE = (np.pi / 2) / 1.008
STEP = COSINE / 102
THETAS = {
    ConstantRate(): lambda t: np.ones_like(t),
    LinearRate(): lambda t: 1e-4 + (0.02 - 1e-4) * t,  # Ho et al. 2020, Sec. 4
    LinearRate(3.0): lambda t: 3 - 2 * t,
    CosineRate(): lambda t: 1 - (np.cos(COSINE * (t + 0.008)) / np.cos(COSINE * 0.008)) ** 2,
    # the derivative of the closed sum with respect to its upper limit
    CosineSteps(): lambda t: (
        np.cos(2 * COSINE * 0.008)
        - STEP / np.sin(STEP) * np.cos(2 * COSINE * 0.008 + (200 * t + 3) * STEP)
    ),
}
"""θ up to a factor, as printed."""
each_rate = pytest.mark.parametrize("rate", THETAS, ids=repr)
T = np.linspace(0, 1, 101)


@each_rate
def test_the_share_goes_from_nothing_to_everything(x64, rate):
    share = np.asarray(rate.share(jnp.asarray(T)))
    assert share[0] == 0
    np.testing.assert_allclose(share[-1], 1, rtol=1e-15)
    assert np.all(np.diff(share) > 0)


@each_rate
def test_its_slope_is_the_rate(x64, rate):
    """Compared as slope/θ over their mean; at t = 0 the cosine rate is 0 and has no ratio."""
    t = T[1:]
    slope = np.asarray(jax.vmap(jax.grad(rate.share))(jnp.asarray(t)))
    ratio = slope / THETAS[rate](t)
    np.testing.assert_allclose(ratio / ratio.mean(), 1, rtol=1e-9)


@pytest.mark.parametrize("steps", [8, 100, 1000])
def test_at_its_steps_the_cosine_is_the_sum_of_the_published_rates(x64, steps):
    """θ_j = 1 − cos²φ_j/cos²φ_0 of [luo2023irsde] on T + 3 points without the first and the last, added from j = 1."""
    angles = ((np.arange(steps + 3) / (steps + 2) + 0.008) / 1.008) * np.pi / 2
    theta = 1 - (np.cos(angles) / np.cos(angles[0]))[1:-1] ** 2
    total = np.cumsum(theta) - theta[0]
    share = CosineSteps(float(steps)).share(jnp.arange(steps + 1) / steps)
    np.testing.assert_allclose(share, total / total[-1], rtol=1e-11)


def test_of_many_steps_it_is_the_integral(x64):
    """The sum sets in three half-steps before the integral does: 1.5/N of θ(1)/∫θ = 2."""
    t = jnp.asarray(T)
    np.testing.assert_allclose(CosineSteps(1e5).share(t), CosineRate().share(t), atol=3e-5)


@each_rate
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_time_is_the_inverse_of_share_to_rounding(rate, dtype):
    """In parts of t, down to t = 1e-6: 64 roundings, most of which the eight steps of Newton's method make."""
    t = np.geomspace(1e-6, 1, 50).astype(dtype)
    with jax.enable_x64(dtype is np.float64):
        found = np.asarray(rate.time(rate.share(jnp.asarray(t))))
    assert found.dtype == dtype
    np.testing.assert_allclose(found, t, rtol=64 * np.finfo(dtype).eps)
    assert rate.time(jnp.asarray(0.0)) == 0


@each_rate
def test_in_float32_a_share_is_right_however_small(rate):
    t = np.geomspace(1e-6, 1, 50).astype(np.float32)
    single = np.asarray(rate.share(jnp.asarray(t)))
    with jax.enable_x64(True):
        double = np.asarray(rate.share(jnp.asarray(t, float)))
    np.testing.assert_allclose(single, double, rtol=2e-6)
