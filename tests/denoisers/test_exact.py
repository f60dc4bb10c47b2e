"""Exact denoisers are exact: against dense algebra, against quadrature, and against Tweedie's formulas."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from affine import MEAN, PINNED, PROCESSES, REVERTING, SHAPE, Y, gaussian, name, prior

from jaxir.denoisers import (
    BlindGaussianDenoiser,
    GaussianDenoiser,
    MixtureDenoiser,
    PairedGaussianDenoiser,
    gaussian_denoiser,
    on,
)
from jaxir.processes import VE, VP, Flow

pytestmark = pytest.mark.usefixtures("x64", "quick_compile")
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
    """m + a C (a² C + σ² I)⁻¹ (x − b y − a m), from the joint Gaussian of (x0, x_t) for a known y."""
    covariance = np.asarray(prior().covariance)
    dense = gaussian_denoiser(process, jnp.asarray(MEAN).reshape(SHAPE), jnp.asarray(covariance))
    for t in inside(process):
        a, b, sigma = (float(c) for c in process.coefficients(t))
        joint = a**2 * covariance + sigma**2 * np.eye(3)
        gain = np.linalg.solve(joint, a * covariance).T
        expected = MEAN + gain @ (STATE - b * Y - a * MEAN).ravel()
        for denoiser in (gaussian(process), dense):
            found = denoiser(jnp.asarray(STATE), t, jnp.asarray(Y))
            np.testing.assert_allclose(found.ravel(), expected, rtol=1e-9)


@each_process
def test_second_order_tweedie_gives_the_posterior_covariance(process):
    """(σ²/a) ∂D/∂x = (C⁻¹ + a²/σ² I)⁻¹ for the Gaussian."""
    precision = np.linalg.inv(np.asarray(prior().covariance))
    for t in inside(process):
        a, _, sigma = (float(c) for c in process.coefficients(t))
        expected = np.linalg.inv(precision + a**2 / sigma**2 * np.eye(3))
        jacobian = jax.jacobian(lambda x, t=t: gaussian(process)(x, t, jnp.asarray(Y)))(
            jnp.asarray(STATE)
        )
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
        a, b, sigma = (float(c) for c in process.coefficients(t))
        z = a * 0.2 + 0.5 * sigma
        posterior = density * np.exp(-0.5 * ((z - a * grid) / sigma) ** 2)
        expected = np.sum(grid * posterior) / np.sum(posterior)
        found = denoiser(jnp.full((1, 1, 1), z + b * 0.7), t, jnp.full((1, 1, 1), 0.7))
        np.testing.assert_allclose(found.item(), expected, rtol=1e-8)


@each_process
def test_a_mixture_of_one_component_is_a_gaussian(process):
    mean = jnp.asarray(MEAN).reshape(SHAPE)
    one = MixtureDenoiser(process, jnp.ones(1), mean[None], 0.3)
    same = GaussianDenoiser(process, mean, jnp.eye(3), jnp.full(3, 0.3))
    for t in inside(process):
        chex.assert_trees_all_close(one(STATE, t, Y), same(STATE, t, Y), rtol=1e-11)


@each_process
def test_tweedie_second_order_holds_for_the_mixture(process):
    """(σ²/a) J = v σ²/(a² v + σ²) I + (σ²/(a² v + σ²))² Cov_q(m)."""
    denoiser, variance = mixture(process), 0.04
    for t in inside(process):
        a, b, sigma = (float(c) for c in process.coefficients(t))
        means, total = np.asarray(denoiser.means).reshape(3, 3), a**2 * variance + sigma**2
        log_q = -0.5 * (((STATE - b * Y).ravel() - a * means) ** 2).sum(1) / total
        q = np.asarray(denoiser.weights) * np.exp(log_q - log_q.max())
        q /= q.sum()
        spread = means - q @ means
        within = variance * sigma**2 / total * np.eye(3)
        expected = within + (sigma**2 / total) ** 2 * (spread.T * q) @ spread
        jacobian = jax.jacobian(lambda x, t=t: denoiser(x, t, jnp.asarray(Y)))(jnp.asarray(STATE))
        np.testing.assert_allclose(
            sigma**2 / a * jacobian.reshape(3, 3), expected, rtol=1e-7, atol=1e-10
        )


@each_process
def test_a_mixture_without_variance_returns_a_stored_image(process):
    """Near the clean end the estimate is the nearest stored image; where little is left of it, about their mean."""
    denoiser, y = mixture(process, variance=0.0), jnp.asarray(Y)
    low, high = (jnp.asarray(end) for end in process.span)
    for stored in denoiser.means:
        law = process.marginal(stored, low, y)
        found = denoiser(law.mean + law.scale * STATE, low, y)
        chex.assert_trees_all_close(found, stored, atol=1e-12)
    if process.log_snr(high) < -4:
        mean = jnp.tensordot(denoiser.weights, denoiser.means, 1)
        law = process.marginal(mean, high, y)
        found = denoiser(law.mean + law.scale * STATE, high, y)
        chex.assert_trees_all_close(found, mean, atol=0.06)


MAKERS = {"gaussian": gaussian, "mixture": mixture}
each_maker = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)


@each_process
@each_maker
def test_a_denoiser_on_another_process_is_the_exact_one_of_that_process(process, make):
    """All processes are one process, where both spans hold the log-SNR: to VP and from VP, and so to any other."""
    low = max(p.log_snr(jnp.asarray(p.span[1])) for p in (process, VP()))
    high = min(p.log_snr(jnp.asarray(p.span[0])) for p in (process, VP()))
    ells = jnp.linspace(low + 1e-6, high - 1e-6, 5)
    mean, y = jnp.asarray(MEAN).reshape(SHAPE), jnp.asarray(Y)
    for home, other in ((process, VP()), (VP(), process)):

        def both(t, home=home, other=other):
            law = other.marginal(mean, t, y)
            x = law.mean + law.scale * STATE
            return on(other, make(home))(x, t, y), make(other)(x, t, y)

        moved, there = jax.vmap(both)(other.time(ells))
        chex.assert_trees_all_close(moved, there, atol=1e-10)


COUPLED = {**REVERTING, **PINNED}
C = np.array([[2.0, 0.3, 0.1], [0.3, 1.0, -0.2], [0.1, -0.2, 0.5]])
A = np.array([[0.8, 0.1, 0.0], [-0.2, 0.7, 0.3], [0.0, 0.4, 0.9]])
"""y = A x0 + 0.3 n."""


@pytest.mark.parametrize("label", COUPLED)
def test_with_and_without_y_the_estimate_is_that_of_the_joint_gaussian(label):
    """E[x0 | x_t, y] and E[x0 | x_t] of (x0, y, x_t), by conditioning in numpy."""
    process, y = COUPLED[label], Y + 0.2
    c_y, cross = A @ C @ A.T + 0.09 * np.eye(3), C @ A.T
    gain = cross @ np.linalg.inv(c_y)
    variances, basis = np.linalg.eigh(C - gain @ cross.T)
    mean, mean_y = MEAN.reshape(SHAPE), (A @ MEAN).reshape(SHAPE)
    sees = PairedGaussianDenoiser(process, mean, mean_y, gain, basis, variances)
    blind = BlindGaussianDenoiser(process, mean, mean_y, C, cross, c_y)
    assert sees.sees_y
    assert not blind.sees_y
    for t in inside(process)[:3]:
        a, b, sigma = (float(c) for c in process.coefficients(t))
        state = np.hstack([a * np.eye(3), b * np.eye(3)])
        pair = np.block([[C, cross], [cross.T, c_y]])
        c_x = state @ pair @ state.T + sigma**2 * np.eye(3)
        x_off = (STATE - a * mean - b * mean_y).ravel()
        to_x, y_to_x = np.split(pair @ state.T, 2)
        expected = MEAN + to_x @ np.linalg.solve(c_x, x_off)
        np.testing.assert_allclose(blind(STATE, t, y).ravel(), expected, rtol=1e-8)

        both = np.block([[c_y, y_to_x], [y_to_x.T, c_x]])
        offs = np.concatenate([(y - mean_y).ravel(), x_off])
        expected = MEAN + np.hstack([cross, to_x]) @ np.linalg.solve(both, offs)
        np.testing.assert_allclose(sees(STATE, t, y).ravel(), expected, rtol=1e-6)


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
