"""Exact denoisers are exact: against dense algebra, against quadrature, and against Tweedie's formulas."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from affine import MEAN, PROCESSES, SHAPE, gaussian, name, prior

from jaxir.denoisers import GaussianDenoiser, MixtureDenoiser, gaussian_denoiser, on
from jaxir.processes import VE, VP, Flow

pytestmark = pytest.mark.usefixtures("x64")
each_process = pytest.mark.parametrize("process", PROCESSES, ids=name)
SHARES = (0.02, 0.3, 0.7, 0.98)
STATE = np.array([[[0.7, -0.2, 1.5]]])


def inside(process):
    low, high = process.span
    return [jnp.asarray(low + share * (high - low)) for share in SHARES]


def mixture(process, variance=0.04):
    """Three Gaussians of one pixel with three channels."""
    means = jnp.array([[0.5, -1.0, 0.2], [-0.8, 0.3, 0.0], [1.0, 1.0, -1.0]]).reshape(3, *SHAPE)
    return MixtureDenoiser(process, jnp.array([0.2, 0.5, 0.3]), means, variance)


@each_process
def test_the_gaussian_denoiser_is_the_conditional_mean_of_dense_algebra(process):
    """m + a C (a² C + σ² I)⁻¹ (x − a m), from the joint Gaussian of (x0, x_t)."""
    covariance = np.asarray(prior().covariance)
    dense = gaussian_denoiser(process, jnp.asarray(MEAN).reshape(SHAPE), jnp.asarray(covariance))
    for t in inside(process):
        a, _, sigma = (float(c) for c in process.coefficients(t))
        joint = a**2 * covariance + sigma**2 * np.eye(3)
        gain = np.linalg.solve(joint, a * covariance).T
        expected = MEAN + gain @ (STATE.ravel() - a * MEAN)
        for denoiser in (gaussian(process), dense):
            found = denoiser(jnp.asarray(STATE), t)
            np.testing.assert_allclose(found.ravel(), expected, rtol=1e-9)


@each_process
def test_second_order_tweedie_gives_the_posterior_covariance(process):
    """(σ²/a) ∂D/∂x = (C⁻¹ + a²/σ² I)⁻¹ for the Gaussian."""
    precision = np.linalg.inv(np.asarray(prior().covariance))
    for t in inside(process):
        a, _, sigma = (float(c) for c in process.coefficients(t))
        expected = np.linalg.inv(precision + a**2 / sigma**2 * np.eye(3))
        jacobian = jax.jacobian(lambda x, t=t: gaussian(process)(x, t))(jnp.asarray(STATE))
        np.testing.assert_allclose(
            sigma**2 / a * jacobian.reshape(3, 3), expected, rtol=1e-8, atol=1e-12
        )


@each_process
def test_the_mixture_denoiser_is_a_quadrature(process):
    """E[x0 | x_t] = ∫ x0 p(x0) p(x_t | x0)/∫ p(x0) p(x_t | x0) on a fine grid of one number."""
    weights, means, variance = np.array([0.3, 0.7]), np.array([-0.6, 0.8]), 0.05
    denoiser = MixtureDenoiser(
        process, jnp.asarray(weights), jnp.asarray(means).reshape(2, 1, 1, 1), variance
    )
    grid = np.linspace(-4, 4, 20_001)
    density = weights @ np.exp(-0.5 * (grid - means[:, None]) ** 2 / variance)
    for t in inside(process)[1:]:  # where the likelihood is wider than the grid
        a, _, sigma = (float(c) for c in process.coefficients(t))
        x = a * 0.2 + 0.5 * sigma
        posterior = density * np.exp(-0.5 * ((x - a * grid) / sigma) ** 2)
        expected = np.sum(grid * posterior) / np.sum(posterior)
        found = denoiser(jnp.full((1, 1, 1), x), t)
        np.testing.assert_allclose(found.item(), expected, rtol=1e-8)


@each_process
def test_a_mixture_of_one_component_is_a_gaussian(process):
    mean = jnp.asarray(MEAN).reshape(SHAPE)
    one = MixtureDenoiser(process, jnp.ones(1), mean[None], 0.3)
    same = GaussianDenoiser(process, mean, jnp.eye(3), jnp.full(3, 0.3))
    for t in inside(process):
        chex.assert_trees_all_close(one(STATE, t), same(STATE, t), rtol=1e-11)


@each_process
def test_tweedie_second_order_holds_for_the_mixture(process):
    """(σ²/a) J = v σ²/(a² v + σ²) I + (σ²/(a² v + σ²))² Cov_q(m)."""
    denoiser, variance = mixture(process), 0.04
    for t in inside(process):
        a, _, sigma = (float(c) for c in process.coefficients(t))
        means, total = np.asarray(denoiser.means).reshape(3, 3), a**2 * variance + sigma**2
        log_q = -0.5 * ((STATE.ravel() - a * means) ** 2).sum(1) / total
        q = np.asarray(denoiser.weights) * np.exp(log_q - log_q.max())
        q /= q.sum()
        spread = means - q @ means
        within = variance * sigma**2 / total * np.eye(3)
        expected = within + (sigma**2 / total) ** 2 * (spread.T * q) @ spread
        jacobian = jax.jacobian(lambda x, t=t: denoiser(x, t))(jnp.asarray(STATE))
        np.testing.assert_allclose(
            sigma**2 / a * jacobian.reshape(3, 3), expected, rtol=1e-7, atol=1e-10
        )


@each_process
def test_a_mixture_without_variance_returns_a_stored_image(process):
    """Near the clean end the estimate is the nearest stored image, at the noisy end about their mean."""
    denoiser = mixture(process, variance=0.0)
    low, high = process.span
    for stored in denoiser.means:
        a, _, sigma = process.coefficients(jnp.asarray(low))
        found = denoiser(a * stored + sigma * STATE, jnp.asarray(low))
        chex.assert_trees_all_close(found, stored, atol=1e-12)
    a, _, sigma = process.coefficients(jnp.asarray(high))
    mean = jnp.tensordot(denoiser.weights, denoiser.means, 1)
    chex.assert_trees_all_close(denoiser(sigma * STATE, jnp.asarray(high)), mean, atol=0.06)


@each_process
@pytest.mark.parametrize("home", PROCESSES, ids=name)
@pytest.mark.parametrize("make", [gaussian, mixture], ids=["gaussian", "mixture"])
def test_a_denoiser_on_another_process_is_the_exact_one_of_that_process(home, process, make):
    """All processes are one process: where both spans hold the log-SNR."""
    moved, there = on(process, make(home)), make(process)
    low = max(p.log_snr(jnp.asarray(p.span[1])) for p in (home, process))
    high = min(p.log_snr(jnp.asarray(p.span[0])) for p in (home, process))
    for ell in jnp.linspace(low + 1e-6, high - 1e-6, 5):
        t = process.time(ell)
        a, _, sigma = process.coefficients(t)
        x = a * jnp.asarray(MEAN).reshape(SHAPE) + sigma * STATE
        chex.assert_trees_all_close(moved(x, t), there(x, t), atol=1e-10)


def test_on_its_own_process_a_denoiser_stays_itself():
    denoiser = gaussian(VP())
    assert on(VP(), denoiser) is denoiser
    assert on(VP(beta_max=10.0), denoiser) is not denoiser


def test_beyond_its_span_a_denoiser_is_asked_at_the_end_of_it():
    """A flow begins at σ/a = 999; a denoiser of VE up to 80 is asked at 80 there, about the right image."""
    moved, t = on(Flow(), gaussian(VE())), jnp.asarray(0.999)
    found = moved(jnp.asarray(STATE), t)
    x_hat = jnp.asarray(STATE) / Flow().coefficients(t).a
    chex.assert_trees_all_close(found, gaussian(VE())(x_hat, jnp.asarray(1.0)), rtol=1e-10)


def test_a_denoiser_moves_inside_jit_too():
    moved = jax.jit(lambda process, denoiser, x: on(process, denoiser)(x, jnp.asarray(0.3)))
    for process in (VP(), Flow()):
        found = moved(process, gaussian(VP()), jnp.asarray(STATE))
        expected = gaussian(process)(jnp.asarray(STATE), jnp.asarray(0.3))
        chex.assert_trees_all_close(found, expected, rtol=1e-10)


def test_shapes_that_do_not_fit_are_refused():
    mean = jnp.zeros(SHAPE)
    with pytest.raises(ValueError, match=r"covariance has shape \(2, 2\), expected \(3, 3\)"):
        gaussian_denoiser(VP(), mean, jnp.eye(2))
    with pytest.raises(ValueError, match="weights has 3 entries but means has 2"):
        MixtureDenoiser(VP(), jnp.ones(3), jnp.zeros((2, *SHAPE)))
