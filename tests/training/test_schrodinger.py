"""Schrödinger bridges: between Gaussians the coupling is known, and so is every step of proportional fitting."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scipy.linalg import sqrtm

from jaxir.processes import VP, Wiener
from jaxir.training import (
    AffineRegression,
    GradientRegression,
    MarkovianFitting,
    ProportionalFitting,
    schrodinger_bridge,
)
from jaxir.training.schrodinger import Example, bridge

STRENGTH = 1.0
COUNT = 16_384


def covariance(seed, d):
    """Eigenvalues from a half to two."""
    basis = np.linalg.qr(np.random.default_rng(seed).normal(size=(d, d)))[0]
    return basis @ np.diag(np.geomspace(0.5, 2, d)) @ basis.T


def images(seed, d, count=COUNT, mean=0.0):
    """Gaussian draws, with exactly that mean and covariance, so that only the fit is in error."""
    z = np.random.default_rng(seed + 10).normal(size=(count, d))
    z = (z - z.mean(axis=0)) @ np.linalg.inv(np.linalg.cholesky(np.cov(z.T))).T
    x = mean + z @ np.linalg.cholesky(covariance(seed, d)).T
    return jnp.asarray(x.reshape(count, 1, 1, d), jnp.float32)


def closed_form(first, second, strength):
    """The cross-covariance of the entropic coupling: ½(S D S⁻¹ − ε I), D = (4 S Σ₁ S + ε² I)^½, S = Σ₀^½."""
    eye, root = np.eye(len(first)), np.real(sqrtm(first))
    middle = np.real(sqrtm(4 * root @ second @ root + strength**2 * eye))
    return 0.5 * (root @ middle @ np.linalg.inv(root) - strength * eye)


def distance(found, exact):
    """Relative, in the Frobenius norm."""
    return np.linalg.norm(found - exact) / np.linalg.norm(exact)


def couplings(fitted, x0, x1):
    """Covariances of (x0, to_x1(x0)) and of (to_x0(x1), x1)."""
    keys = jax.random.split(jax.random.key(7), len(x0))
    pairs = (x0, jax.vmap(fitted.to_x1)(keys, x0)), (jax.vmap(fitted.to_x0)(keys, x1), x1)
    return [np.cov(np.concatenate([a, b], axis=-1).reshape(len(x0), -1).T) for a, b in pairs]


@functools.cache
def fit(fitting, d, times, iterations):
    x0, x1 = images(0, d), images(1, d, mean=1.0)
    fitted = schrodinger_bridge(
        jax.random.key(0),
        x0,
        x1,
        regression=AffineRegression(),
        fitting=fitting(Wiener(STRENGTH)),
        times=times,
        iterations=iterations,
    )
    return fitted, couplings(fitted, x0, x1)


def test_the_closed_form_is_the_fixed_point_of_sinkhorn():
    first, second = covariance(0, 4), covariance(1, 4)
    a = np.linalg.inv(first)
    for _ in range(200):  # precisions of the two potentials; x and y meet in xᵀy/ε alone
        b = np.linalg.inv(second) + np.linalg.inv(a) / STRENGTH**2
        a = np.linalg.inv(first) + np.linalg.inv(b) / STRENGTH**2
    cross = -np.eye(4) / STRENGTH
    joint = np.linalg.inv(np.block([[a, cross], [cross, b]]))
    np.testing.assert_allclose(joint[:4, :4], first, atol=1e-10)
    np.testing.assert_allclose(joint[:4, 4:], closed_form(first, second, STRENGTH), atol=1e-10)


def near_the_closed_form(fitting, d, times, iterations):
    """Coupling and the end that is reached, in both directions, within 5 %."""
    first, second = covariance(0, d), covariance(1, d)
    exact = closed_form(first, second, STRENGTH)
    _, (there, back) = fit(fitting, d, times, iterations)
    errors = {
        "there": distance(there[:d, d:], exact),
        "back": distance(back[:d, d:], exact),
        "x1": distance(there[d:, d:], second),
        "x0": distance(back[:d, :d], first),
    }
    assert max(errors.values()) < 0.05, errors


def test_markovian_fitting_finds_the_entropic_coupling_of_gaussians():
    near_the_closed_form(MarkovianFitting, 3, 50, 4)


def test_proportional_fitting_finds_the_entropic_coupling_of_gaussians():
    near_the_closed_form(ProportionalFitting, 3, 50, 4)


@pytest.mark.slow
@pytest.mark.parametrize("d", [2, 4, 5])
@pytest.mark.parametrize("fitting", [MarkovianFitting, ProportionalFitting])
def test_the_entropic_coupling_is_found_in_every_dimension(fitting, d):
    near_the_closed_form(fitting, d, 80, 4)


def test_proportional_fitting_learns_the_mean_of_the_published_step(key):
    matrix = np.random.default_rng(0).normal(size=(3, 3)).astype(np.float32)
    fitting, start = ProportionalFitting(Wiener(STRENGTH)), jnp.array([[[0.5, -1.0, 0.2]]])
    leg = fitting.leg(jnp.array([0.0, 0.2, 0.3, 0.7, 1.0]))
    np.testing.assert_allclose(leg.stds**2, np.diff(leg.times) * STRENGTH, rtol=1e-5)
    kept = fitting.keep(key, leg, lambda x, j: x @ matrix.T, start)
    states = np.concatenate([start[None], kept.x])[:, 0, 0]
    for j, length in enumerate(np.diff(leg.times)):
        before, after = states[j], states[j + 1]
        step = np.eye(3) + length * matrix
        published = after + step @ before - step @ after
        found = after + length * kept.target[j, 0, 0]
        np.testing.assert_allclose(found, published, atol=1e-5)


def test_markovian_fitting_learns_the_way_back_to_the_start(key):
    fitting, ends = MarkovianFitting(Wiener(2.0)), jnp.array([[[1.0]], [[-0.5]]])[..., None]
    back = fitting.leg(jnp.array([0.0, 0.3, 1.0])).back()
    draw = jax.vmap(lambda key: fitting.example(key, back, tuple(ends), 0))
    x, t, target = draw(jax.random.split(key, 4000))
    # the walk began at 1 in the image 1.0 and has come to 0.3 on its way to −0.5
    np.testing.assert_allclose(t, 0.3)
    np.testing.assert_allclose(target, (1.0 - x) / 0.7, rtol=1e-5)
    assert abs(x.mean() - (0.3 * 1.0 - 0.7 * 0.5)) < 4 * (2.0 * 0.21 / 4000) ** 0.5
    assert abs(x.var() / (2.0 * 0.21) - 1) < 4 * (2 / 4000) ** 0.5


def test_the_first_walk_of_proportional_fitting_is_the_reference(key):
    fitting, x = ProportionalFitting(VP(0.1, 4.0)), jnp.full((1, 1, 3), 1.5)
    leg = fitting.leg(jnp.linspace(0, 1, 11))
    walks = jax.vmap(lambda key: fitting.first(key, leg, x, x).x)(jax.random.split(key, 4000))
    law = fitting.reference.marginal(x, jnp.asarray(1.0))
    ends = walks[:, -1].reshape(-1)  # 12 000 numbers
    assert abs(ends.mean() - law.mean[0, 0, 0]) < 4 * law.scale / 12_000**0.5
    assert abs(ends.var() / law.scale**2 - 1) < 4 * (2 / 12_000) ** 0.5


def quadratic(params, x, t):
    """Affine in x with coefficients that are quadratic in t."""
    matrix, offset = (jnp.tensordot(t ** jnp.arange(3), leaf, axes=1) for leaf in params)
    return (matrix @ x.ravel() + offset).reshape(x.shape)


def test_gradients_find_what_least_squares_finds(key):
    exact = (jnp.arange(12.0).reshape(3, 2, 2) / 10, jnp.ones((3, 2)))

    def draw(key, k, i):
        x, t = jax.random.normal(key, (1, 1, 2)), k / 5
        return Example(x, t, quadratic(exact, x, t))

    start = jax.tree.map(jnp.zeros_like, exact)
    regression = GradientRegression(
        start, quadratic, optax.adam(optax.cosine_decay_schedule(0.1, 2000)), steps=2000
    )
    params, _ = jax.jit(lambda key: regression.fit(key, start, draw, 6, 1))(key)
    jax.tree.map(
        lambda found, true: np.testing.assert_allclose(found, true, atol=1e-2), params, exact
    )


@pytest.mark.slow
def test_a_network_trained_by_gradients_finds_the_coupling_too():
    x0, x1 = images(0, 2), images(1, 2, mean=1.0)
    regression = GradientRegression(
        (jnp.zeros((3, 2, 2)), jnp.zeros((3, 2))),
        quadratic,
        optax.adam(optax.cosine_decay_schedule(0.03, 300)),
        steps=300,
        batch=256,
    )
    key, fitting = jax.random.key(0), MarkovianFitting(Wiener(STRENGTH))
    fitted = schrodinger_bridge(
        key, x0, x1, regression=regression, fitting=fitting, times=20, iterations=5, walks=4096
    )
    there, back = couplings(fitted, x0, x1)
    exact = closed_form(covariance(0, 2), covariance(1, 2), STRENGTH)
    assert (
        distance(there[:2, 2:], exact) < 0.1
    )  # 20 steps leave 5 %, a drift quadratic in time some more
    assert distance(back[:2, 2:], exact) < 0.1


def test_a_new_strength_or_source_is_not_compiled_again(key):
    x, sizes = images(0, 2, 64), []
    for strength in (1.0, 0.5, 2.0):
        schrodinger_bridge(
            key,
            x,
            strength * x,
            regression=AffineRegression(),
            fitting=ProportionalFitting(Wiener(strength)),
            times=jnp.linspace(0, 1, 4) ** strength,
            iterations=1,
        )
        sizes.append(bridge._fit._cache_size())
    assert len(set(sizes)) == 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"x1": jnp.zeros((3, 1, 1, 2))}, "give as many images of the one as of the other"),
        ({"walks": 5}, "walks is 5, expected 1 to 4"),
        ({"iterations": 0}, "iterations is 0, expected at least 1"),
        ({"times": jnp.array([0.0, 0.5])}, "times do not increase from 0 to 1"),
    ],
)
def test_impossible_requests_are_refused(key, settings, message):
    x = jnp.zeros((4, 1, 1, 2))
    settings = {"x1": x, "regression": AffineRegression(), **settings}
    with pytest.raises(ValueError, match=message):
        schrodinger_bridge(key, x, settings.pop("x1"), **settings)
