"""Jointly Gaussian pairs: each conditional mean and covariance against dense algebra on the joint law itself."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from affine import EVERY
from scipy.stats import multivariate_normal

from jaxir.degradations import Degradation, GaussianNoise, area_downsample
from jaxir.denoisers import on
from jaxir.processes import IRSDE, VP, brownian_bridge
from jaxir.testbeds import LinearGaussian, PairedGaussian, PseudoInverse, stationary_covariance

pytestmark = pytest.mark.usefixtures("x64", "quick_compile")
SHAPE, SHAPE_Y = (2, 2, 1), (1, 2, 1)
D, M = 4, 2
EACH = pytest.mark.parametrize("process", list(EVERY.values()), ids=list(EVERY))


def enlarge(y):
    """(1, 2, 1) to (2, 2, 1), linear."""
    return jnp.concatenate([y, 0.5 * y])


def root(size: int, seed: int) -> np.ndarray:
    values = np.random.default_rng(seed).normal(size=(size, size))
    return values @ values.T / size + 0.2 * np.eye(size)


def problem() -> PairedGaussian:
    joint, rng = root(D + M, 0), np.random.default_rng(1)
    mean, mean_y = rng.normal(size=SHAPE), rng.normal(size=SHAPE_Y)
    parts = (joint[:D, :D], joint[:D, D:], joint[D:, D:])
    return PairedGaussian(jnp.asarray(mean), jnp.asarray(mean_y), *map(jnp.asarray, parts))


def lifted(process):
    """The process with y enlarged, where it moves towards y."""
    if not process.coupled:
        return process
    lift = jax.tree_util.Partial(enlarge)
    if hasattr(process, "base"):
        return type(process)(process.base, lift, process.span)
    return eqx.tree_at(lambda p: p.lift, process, lift)


def joint_with_state(bed, process, t):
    """Mean and covariance of (x0, y, x_t), from x_t = a x0 + b L y + σ ε."""
    a, b, sigma = (float(c) for c in process.coefficients(jnp.asarray(t)))
    covariance = np.block(
        [[bed.covariance, bed.cross], [np.asarray(bed.cross).T, bed.covariance_y]]
    )
    lift = np.concatenate([np.eye(2), 0.5 * np.eye(2)])
    state = np.concatenate([a * np.eye(D), b * lift], axis=1)
    whole = np.concatenate([np.eye(D + M), state])
    noise = np.zeros((2 * D + M, 2 * D + M))
    noise[D + M :, D + M :] = sigma**2 * np.eye(D)
    mean = whole @ np.concatenate([np.ravel(bed.mean), np.ravel(bed.mean_y)])
    return mean, whole @ covariance @ whole.T + noise


def regress(mean, covariance, seen, value):
    """E[x0 | the entries `seen`]."""
    gain = np.linalg.solve(covariance[np.ix_(seen, seen)], covariance[seen][:, :D]).T
    return mean[:D] + gain @ (value - mean[seen])


@EACH
def test_both_denoisers_are_regressions_on_the_joint_law(process):
    process, bed = lifted(process), problem()
    rng, (low, high) = np.random.default_rng(2), process.span
    y = rng.normal(size=SHAPE_Y)
    for share in (0.1, 0.5, 0.9):
        t = low + share * (high - low)
        mean, covariance = joint_with_state(bed, process, t)
        x = mean[D + M :] + np.sqrt(np.diag(covariance)[D + M :]) * rng.normal(size=D)
        image = jnp.asarray(x.reshape(SHAPE))
        sees, blind = bed.conditional(process), bed.denoiser(process)
        assert sees.sees_y
        found = sees(image, jnp.asarray(t), jnp.asarray(y))
        right = regress(mean, covariance, np.arange(D, 2 * D + M), np.concatenate([y.ravel(), x]))
        np.testing.assert_allclose(found.ravel(), right, rtol=1e-8, atol=1e-9)
        found = blind(image, jnp.asarray(t), jnp.asarray(y))
        right = regress(mean, covariance, np.arange(D + M, 2 * D + M), x)
        np.testing.assert_allclose(found.ravel(), right, rtol=1e-8, atol=1e-9)
        assert not (process.coupled and blind.sees_y)


def test_the_posterior_is_that_of_the_joint_law():
    bed = problem()
    y = np.random.default_rng(3).normal(size=SHAPE_Y)
    law = bed.posterior(jnp.asarray(y))
    mean, covariance = joint_with_state(bed, VP(), 0.5)
    seen = np.arange(D, D + M)
    np.testing.assert_allclose(law.mean.ravel(), regress(mean, covariance, seen, y.ravel()))
    precision = np.linalg.inv(covariance[: D + M, : D + M])
    np.testing.assert_allclose(law.covariance, np.linalg.inv(precision[:D, :D]), atol=1e-12)
    np.testing.assert_allclose(law.std.ravel() ** 2, np.diag(law.covariance))


def test_what_is_left_after_a_state_gives_the_denoiser_that_sees_y():
    """E[x0 | x_t, y] of `given(...).posterior(y)` equals the one decomposed beforehand."""
    bed, t = problem(), jnp.asarray(0.4)
    process = lifted(IRSDE())
    rng = np.random.default_rng(4)
    x, y = jnp.asarray(rng.normal(size=SHAPE)), jnp.asarray(rng.normal(size=SHAPE_Y))
    a, _, sigma = process.coefficients(t)
    left = bed.given(x - process.centre(t, y), a, sigma)
    np.testing.assert_allclose(left.posterior(y).mean, bed.conditional(process)(x, t, y), rtol=1e-9)


def test_its_degradation_has_the_joint_law():
    """p(y | x0) from the regression: log densities add up to the joint one, and draws have the right moments."""
    bed, rng = problem(), np.random.default_rng(5)
    x, y = rng.normal(size=SHAPE), rng.normal(size=SHAPE_Y)
    mean, covariance = joint_with_state(bed, VP(), 0.5)
    keep = slice(0, D + M)
    joint = multivariate_normal(mean[keep], covariance[keep, keep])
    prior = multivariate_normal(mean[:D], covariance[:D, :D])
    found = bed.degradation.log_prob(jnp.asarray(y), jnp.asarray(x))
    both = np.concatenate([x.ravel(), y.ravel()])
    np.testing.assert_allclose(found, joint.logpdf(both) - prior.logpdf(x.ravel()), rtol=1e-9)
    count = 4000
    x0, drawn = jax.vmap(bed.draw)(jax.random.split(jax.random.key(0), count))
    flat = np.concatenate([x0.reshape(count, -1), drawn.reshape(count, -1)], axis=1)
    sd = np.sqrt(np.diag(covariance)[keep])
    # 4.5 standard errors: of a mean sd/√n, of a covariance at most √(2/n) of the product of deviations
    np.testing.assert_allclose((flat.mean(0) - mean[keep]) / sd, 0, atol=4.5 / np.sqrt(count))
    error = (np.cov(flat.T) - covariance[keep, keep]) / np.outer(sd, sd)
    np.testing.assert_allclose(error, 0, atol=4.5 * np.sqrt(2 / count))


def test_a_linear_bed_is_a_pair_and_its_lift_fits():
    """The reduction's pair is used on coupled processes with y of a quarter of the size."""
    shape = (4, 4, 1)
    degradation = Degradation(area_downsample(shape, 2), GaussianNoise(0.2))
    bed = LinearGaussian(jnp.ones(shape), stationary_covariance(4), degradation)
    assert isinstance(bed.lift, PseudoInverse)
    y = jax.random.normal(jax.random.key(0), (2, 2, 1))
    x = jax.random.normal(jax.random.key(1), shape)
    ell = jnp.asarray(0.3)
    on_vp = bed.conditional(VP())
    for process in (IRSDE(lift=bed.lift), brownian_bridge(lift=bed.lift)):
        t = process.time(ell)
        a, b, _ = process.coefficients(t)
        # all processes are one: with the same x̂ and log-SNR the estimate is the same
        t_vp = VP().time(ell)
        expected = on_vp(VP().coefficients(t_vp).a * x, t_vp, y)
        found = bed.conditional(process)(a * x + b * bed.lift(y), t, y)
        np.testing.assert_allclose(found, expected, rtol=1e-8)
        np.testing.assert_allclose(
            on(process, on_vp)(a * x + b * bed.lift(y), t, y), expected, rtol=1e-8
        )


def test_the_exact_likelihood_score_is_that_of_the_marginal():
    """∇ₓ log p(y | x_t) by autodiff of the joint Gaussian density of (y, x_t)."""
    bed, process, t = problem(), VP(), 0.3
    mean, covariance = joint_with_state(bed, process, t)
    rng = np.random.default_rng(6)
    x, y = jnp.asarray(rng.normal(size=SHAPE)), jnp.asarray(rng.normal(size=SHAPE_Y))
    logpdf = jax.scipy.stats.multivariate_normal.logpdf

    def likelihood(x):
        both = jnp.concatenate([y.ravel(), x.ravel()])
        state = logpdf(x.ravel(), mean[D + M :], covariance[D + M :, D + M :])
        return logpdf(both, mean[D:], covariance[D:, D:]) - state

    found = bed.likelihood_score(process, x, jnp.asarray(t), y)
    np.testing.assert_allclose(found, jax.grad(likelihood)(x), rtol=1e-8, atol=1e-10)


def test_matrices_that_do_not_fit_are_refused():
    bed = problem()
    with pytest.raises(ValueError, match=r"cross has shape \(2, 4\), expected \(4, 2\)"):
        PairedGaussian(bed.mean, bed.mean_y, bed.covariance, bed.cross.T, bed.covariance_y)
