"""Transitions, exactly: with a Gaussian prior each step is affine, so the law of the samples is a short recursion."""

import functools
import itertools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from affine import BASIS, MEAN, PROCESSES, SHAPE, VARIANCES, affine, gaussian, name, sampled

from jaxir.denoisers import Denoiser, Estimate
from jaxir.processes import VE, VP, Flow, Process, log_snr_times
from jaxir.transitions import DDIM, Ancestral, Renoise
from jaxir.typing import Image

pytestmark = pytest.mark.usefixtures("x64")
each_process = pytest.mark.parametrize("process", PROCESSES, ids=name)
STEPS = (50, 100, 200, 400)
MIXES = (0.0, 0.5, 1.0)
RULES = [(DDIM, mix) for mix in MIXES] + [(Ancestral, mix) for mix in MIXES]
each_rule = pytest.mark.parametrize(
    ("rule", "mix"), RULES, ids=[f"{rule.__name__}({mix})" for rule, mix in RULES]
)
TABLE = np.cumprod(1 - np.linspace(1e-4, 0.02, 1000))
"""ᾱ of DDPM, [ho2020ddpm] Sec. 4."""


class Oracle(Denoiser):
    """Knows the clean image."""

    process: Process
    x0: Image

    def estimate(self, x, t, y=None):
        return Estimate(self.x0)


@functools.cache
def laws(process_name, rule):
    """Means and errors of the variances, [mix, steps, direction], and the error of the finished law's target.

    Grids of fewer steps stay at the clean end, where a step of length zero is the identity, so that one program
    serves all.
    """
    process = next(p for p in PROCESSES if name(p) == process_name)
    padded = [jnp.pad(log_snr_times(process, n), (0, STEPS[-1] - n), mode="edge") for n in STEPS]

    def law(mix, times):
        return sampled(rule(mix), gaussian(process), times)

    over_grids = jax.vmap(law, (None, 0))
    found = jax.jit(jax.vmap(over_grids, (0, None)))(jnp.asarray(MIXES), jnp.stack(padded))
    a, _, sigma = (float(c) for c in process.coefficients(jnp.asarray(process.span[0])))
    exact = (a * VARIANCES) ** 2 / (a**2 * VARIANCES + sigma**2)  # D of an exact draw at t_min
    variances = np.einsum("di,mnde,ei->mni", BASIS, found.covariance, BASIS)
    return np.asarray(found.mean), variances / exact - 1


@each_process
@each_rule
def test_the_variance_of_samples_converges_at_order_one(process, rule, mix):
    """Error = c/N + O(1/N²): the slope is 1, and one extrapolation removes what there is of it."""
    _, errors = laws(name(process), rule)
    error = errors[MIXES.index(mix)]
    assert np.all(np.abs(error[-1]) < 0.05)
    assert np.all(np.abs(2 * error[-1] - error[-2]) < 1.5e-3)
    if (rule, mix) != (Ancestral, 0.5):  # where the errors of the two ends nearly cancel
        slopes = np.log2(error[:-1] / error[1:])
        np.testing.assert_allclose(slopes, 1.0, atol=0.2)


@each_process
@each_rule
def test_the_mean_of_samples_is_exact(process, rule, mix):
    means, _ = laws(name(process), rule)
    chex.assert_trees_all_close(means, np.broadcast_to(MEAN, means.shape), atol=1e-12)


@each_process
def test_rules_of_the_kappa_family_under_disperse_and_less_with_less_noise(process):
    """MATH.md §5.1: as measured there for every first-order member."""
    _, errors = laws(name(process), DDIM)
    assert np.all(errors < 0)
    assert np.all(np.diff(errors, axis=0) < 0)


def test_ddpm_with_variance_beta_is_exact_for_unit_gaussian_data():
    """On a VP process N(0, I) stays N(0, I) through every step, however long."""
    for s, t in [(0.1, 0.9), (0.5, 0.6), (0.01, 0.02)]:
        s, t = jnp.asarray(s), jnp.asarray(t)
        a = VP().coefficients(t).a
        law = Ancestral(1.0).advance(
            VP(), None, jnp.ones(SHAPE), Estimate(a * jnp.ones(SHAPE)), t, s
        )
        gain = law[0].mean.ravel()[0]  # D = a x for this prior
        np.testing.assert_allclose(gain**2 + law[0].scale ** 2, 1.0, rtol=1e-12)


@each_process
def test_ddim_with_full_noise_is_the_natural_posterior(process):
    x, x0_hat = jnp.array([[[0.3, 1.0, -2.0]]]), jnp.array([[[0.1, 0.5, -1.0]]])
    times = log_snr_times(process, 7)
    for t, s in itertools.pairwise(times):
        ddim, _ = DDIM(1.0).advance(process, None, x, Estimate(x0_hat), t, s)
        natural, _ = Ancestral(0.0).advance(process, None, x, Estimate(x0_hat), t, s)
        chex.assert_trees_all_close(
            (ddim.mean, ddim.scale), (natural.mean, natural.scale), rtol=1e-10
        )


FAMILY = [DDIM(0.0), DDIM(0.5), DDIM(1.0), Ancestral(0.0), Renoise(0.0), Renoise(0.3), Renoise(1.0)]


@each_process
@pytest.mark.parametrize("transition", FAMILY, ids=repr)
def test_for_the_true_image_the_marginal_is_exact_after_any_step(process, transition):
    """The law a_t x0 + σ_t ε goes over into a_s x0 + σ_s ε, near and far, for every rule."""
    x0 = jnp.asarray(MEAN).reshape(SHAPE)
    times = log_snr_times(process, 5)
    early, late = jnp.triu_indices(5, 1)

    def one(t, s):
        def step(x):
            return transition.step(Oracle(process, x0), None, x, t, s).law

        matrix, offset = affine(lambda x: step(x).mean)
        now, then = process.coefficients(t), process.coefficients(s)
        mean = matrix @ (now.a * x0.ravel()) + offset
        noise = step(x0).scale ** 2 * jnp.eye(3)
        covariance = now.sigma**2 * matrix @ matrix.T + noise
        return (mean, covariance), (then.a * x0.ravel(), then.sigma**2 * jnp.eye(3))

    found, expected = jax.jit(jax.vmap(one))(times[early], times[late])
    chex.assert_trees_all_close(found, expected, rtol=1e-9, atol=1e-12)


def renoised_limit(zeta, sigma):
    """The variance of D after many steps at noise level σ̂: p² V/(p + σ̂²)² with V fixed under one step.

    A step at one level maps V to ((p + κ σ̂²)/(p + σ̂²))² V + ζ σ̂², so V = (1 + κ)(p + σ̂²)²/(2p + (1 + κ) σ̂²).
    """
    heat = 1 + np.sqrt(1 - zeta)
    return heat * VARIANCES**2 / (2 * VARIANCES + heat * sigma**2)


def test_many_steps_of_a_fixed_share_of_fresh_noise_tend_to_a_sharpened_law():
    """Renoise does not converge to the prior: the error has a limit, is of order 1/N about it, and is not small."""
    process, zetas = VE(sigma_min=0.5, sigma_max=20.0), np.array([0.3, 0.75, 1.0])
    expected = np.stack([renoised_limit(zeta, 0.5) for zeta in zetas])
    exact = VARIANCES**2 / (VARIANCES + 0.5**2)
    errors = []
    for steps in (800, 1600):
        times = log_snr_times(process, steps)
        found = jax.jit(
            jax.vmap(
                lambda zeta, times: sampled(Renoise(zeta), gaussian(process), times), (0, None)
            )
        )(zetas, times)
        chex.assert_trees_all_close(found.mean, np.broadcast_to(MEAN, (3, 3)), atol=1e-12)
        variances = np.einsum("di,zde,ei->zi", BASIS, found.covariance, BASIS)
        errors.append(variances / expected - 1)
    assert np.all(np.abs(errors[1]) < 0.05)
    np.testing.assert_allclose(np.log2(errors[0] / errors[1]), 1.0, atol=0.2)
    assert np.all(expected[:, -1] < 0.97 * exact[-1])


def test_at_little_noise_the_limit_is_the_temperature_in_the_docstring():
    """Variance p (1 + κ)/2 = that of p(x0)^{2/(1 + κ)}, and half the variance for ζ = 1."""
    for zeta in (0.0, 0.3, 0.75, 1.0):
        expected = VARIANCES * (1 + np.sqrt(1 - zeta)) / 2
        np.testing.assert_allclose(renoised_limit(zeta, 1e-6), expected, rtol=1e-9)


def ddpm_step(i):
    """Times of the table's entries i and i − 1 on a VP process, and their ᾱ."""
    later, earlier = TABLE[i], TABLE[i - 1]
    t, s = (VP().time(jnp.asarray(0.5 * np.log(ab / (1 - ab)))) for ab in (later, earlier))
    return t, s, later, earlier


@pytest.mark.parametrize("i", [1, 10, 500, 999])
def test_ancestral_is_the_posterior_of_ddpm(i):
    """Ho et al. 2020, Eqs. 6 and 7 and the two variances of Sec. 3.2; Nichol & Dhariwal 2021, Eq. 15, between."""
    t, s, later, earlier = ddpm_step(i)
    alpha, beta = later / earlier, 1 - later / earlier
    x, x0 = np.array([[[0.3, 1.0, -2.0]]]), np.array([[[0.1, 0.5, -1.0]]])
    mean = np.sqrt(earlier) * beta / (1 - later) * x0
    mean = mean + np.sqrt(alpha) * (1 - earlier) / (1 - later) * x
    tilde = (1 - earlier) / (1 - later) * beta
    between = np.exp(0.3 * np.log(beta) + 0.7 * np.log(tilde))
    for mix, variance in [(0.0, tilde), (1.0, beta), (0.3, between)]:
        law, _ = Ancestral(mix).advance(VP(), None, jnp.asarray(x), Estimate(jnp.asarray(x0)), t, s)
        np.testing.assert_allclose(law.mean, mean, rtol=1e-8)
        np.testing.assert_allclose(law.scale**2, variance, rtol=1e-8)


@pytest.mark.parametrize("eta", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("stride", [1, 20])
def test_ddim_is_its_paper(eta, stride):
    """Song et al. 2021, Eq. 12 with the σ of Eq. 16, also over several entries of the table."""
    t, _, later, _ = ddpm_step(500)
    _, s, _, earlier = ddpm_step(501 - stride)
    x, eps = np.array([[[0.3, 1.0, -2.0]]]), np.array([[[0.4, -0.5, 1.0]]])
    x0 = (x - np.sqrt(1 - later) * eps) / np.sqrt(later)
    sigma = eta * np.sqrt((1 - earlier) / (1 - later)) * np.sqrt(1 - later / earlier)
    mean = np.sqrt(earlier) * x0 + np.sqrt(1 - earlier - sigma**2) * eps
    law, _ = DDIM(eta).advance(VP(), None, jnp.asarray(x), Estimate(jnp.asarray(x0)), t, s)
    np.testing.assert_allclose(law.mean, mean, rtol=1e-9)
    np.testing.assert_allclose(law.scale, sigma, rtol=1e-9, atol=1e-15)


def test_deterministic_steps_on_a_flow_are_eulers():
    """Where a and σ are affine in t, x_s = x_t + (s − t) v with the velocity of the flow."""
    t, s = jnp.asarray(0.7), jnp.asarray(0.4)
    x, x0_hat = jnp.array([[[0.3, 1.0, -2.0]]]), jnp.array([[[0.1, 0.5, -1.0]]])
    law, _ = DDIM().advance(Flow(), None, x, Estimate(x0_hat), t, s)
    chex.assert_trees_all_close(law.mean, x + (s - t) * Flow().velocity(x, t, x0_hat), rtol=1e-12)


@each_process
@pytest.mark.parametrize("transition", FAMILY, ids=repr)
def test_the_last_step_to_no_noise_is_the_denoiser(process, transition):
    """As σ_s → 0 the law is the point D, whatever the rule; at t = 0, where ℓ is infinite, as well."""
    x, x0_hat, t = jnp.full(SHAPE, 0.7), jnp.full(SHAPE, -0.3), jnp.asarray(0.5)
    ends = [process.time(jnp.asarray(20.0))] + [jnp.asarray(0.0)] * (not isinstance(process, VE))
    for s in ends:
        law, _ = transition.advance(process, None, x, Estimate(x0_hat), t, s)
        chex.assert_trees_all_close(law.mean, x0_hat, atol=1e-7)
        chex.assert_trees_all_close(law.scale, 0.0, atol=1e-7)


@each_process
@each_rule
def test_a_step_of_length_zero_is_the_identity(process, rule, mix):
    x, t = jnp.full(SHAPE, 0.7), jnp.asarray(0.4)
    law, _ = rule(mix).advance(process, None, x, Estimate(-x), t, t)
    chex.assert_trees_all_equal((law.mean, law.scale), (x, jnp.asarray(0.0)))


def test_the_derivative_in_the_times_and_in_eta_is_finite_where_eta_is_zero():
    """A grid can be learnt for deterministic sampling; dτ/dη at 0 is the noise of η = 1."""
    t, s = jnp.asarray(0.7), jnp.asarray(0.4)
    in_time = jax.grad(lambda t: DDIM(0.0).noise(VP(), t, s))(t)
    in_eta = jax.grad(lambda eta: DDIM(eta).noise(VP(), t, s))(0.0)
    assert in_time == 0
    chex.assert_trees_all_close(in_eta, DDIM(1.0).noise(VP(), t, s), rtol=1e-12)


@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan")])
@pytest.mark.parametrize(("rule", "field"), [(DDIM, "eta"), (Ancestral, "mix"), (Renoise, "zeta")])
def test_a_share_outside_zero_and_one_is_refused(rule, field, value):
    with pytest.raises(ValueError, match=rf"{field} is {value}, expected a number in \[0, 1\]"):
        rule(value)
