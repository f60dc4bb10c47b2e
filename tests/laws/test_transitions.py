"""Transitions, exactly: with a Gaussian prior each step is affine, so the law of the samples is a short recursion."""

import functools
import itertools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from affine import (
    BASIS,
    EVERY,
    MEAN,
    PINNED,
    PROCESSES,
    REVERTING,
    SHAPE,
    SOME,
    VARIANCES,
    Y,
    affine,
    gaussian,
    name,
    sampled,
)

from jaxir.denoisers import Denoiser, Estimate
from jaxir.processes import IRSDE, VE, VP, Process, goub, log_snr_times
from jaxir.transitions import DDIM, Ancestral, Bridge, Renoise
from jaxir.typing import Image

pytestmark = pytest.mark.usefixtures("x64", "quick_compile")
each_process = pytest.mark.parametrize("process", PROCESSES, ids=name)
COUPLED = {**REVERTING, **PINNED}
each_coupled = pytest.mark.parametrize("process", COUPLED.values(), ids=COUPLED)
STEPS = (50, 100, 200, 400)
FEW = (4, 8, 20, 250)
MIXES = (0.0, 0.5, 1.0)
RULES = [(DDIM, mix) for mix in MIXES] + [(Ancestral, mix) for mix in MIXES]
CONVERGENT = [(label, *rule) for label in EVERY for rule in RULES]
CONVERGENT += [(label, Bridge, None) for label in COUPLED]
CASES = CONVERGENT + [(label, Renoise, mix) for label in EVERY for mix in MIXES]


def titles(cases):
    return [f"{label}-{rule.__name__}({'' if mix is None else mix})" for label, rule, mix in cases]


each_convergent = pytest.mark.parametrize(
    ("label", "rule", "mix"), CONVERGENT, ids=titles(CONVERGENT)
)
each_case = pytest.mark.parametrize(("label", "rule", "mix"), CASES, ids=titles(CASES))


class Oracle(Denoiser):
    """Knows the clean image."""

    process: Process
    x0: Image

    def estimate(self, x, t, y=None):
        return Estimate(self.x0)


@functools.cache
def samples(label, rule, dtype=np.float64):
    """The mean of the samples and the variances in the prior's directions, [mix, number of steps, direction].

    For the numbers in FEW and then in STEPS.

    Without `jit`, so that only what they share is compiled. Grids of fewer steps stay at the clean end, where a step
    of length zero is the identity, so that all have one shape.
    """
    with jax.enable_x64(dtype is np.float64):
        process, longest = EVERY[label], STEPS[-1]
        times = jnp.stack(
            [jnp.pad(log_snr_times(process, n), (0, longest - n), mode="edge") for n in FEW + STEPS]
        )

        def law(transition, times):
            return sampled(transition, gaussian(process), times)

        over_grids = jax.vmap(law, (None, 0))
        if rule is Bridge:
            found = jax.tree.map(lambda leaf: leaf[None], over_grids(Bridge(), times))
        else:
            found = jax.vmap(over_grids, (0, None))(jax.vmap(rule)(jnp.asarray(MIXES)), times)
    assert found.mean.dtype == dtype
    mean, covariance = map(np.asarray, found)
    return mean, np.einsum("di,mnde,ei->mni", BASIS, covariance, BASIS)


def laws(label, rule):
    """Means, and errors of the variances, [mix, steps, direction]."""
    mean, variances = (part[:, len(FEW) :] for part in samples(label, rule))
    process = EVERY[label]
    a, _, sigma = (float(c) for c in process.coefficients(jnp.asarray(process.span[0])))
    exact = (a * VARIANCES) ** 2 / (a**2 * VARIANCES + sigma**2)  # D of an exact draw at t_min
    return mean, variances / exact - 1


def place(mix):
    return 0 if mix is None else MIXES.index(mix)


@each_convergent
def test_the_variance_of_samples_converges_at_order_one(label, rule, mix):
    """Error = c/N + O(1/N²): the slope is 1, and one extrapolation leaves no more than about the error's square.

    c is of the order of the range of ℓ: the error is less than three steps of it.
    """
    error, span = laws(label, rule)[1][place(mix)], jnp.asarray(EVERY[label].span)
    step = float(jnp.ptp(EVERY[label].log_snr(span))) / (STEPS[-1] - 1)
    assert np.all(np.abs(error[-1]) < 3 * step)
    left = np.abs(2 * error[-1] - error[-2])
    assert np.all(left < np.maximum(1.5e-3, 2 * error[-1] ** 2))
    if (rule, mix) != (Ancestral, 0.5):  # where the errors of the two ends nearly cancel
        slopes = np.log2(error[:-1] / error[1:])
        np.testing.assert_allclose(slopes, 1.0, atol=0.2)


@each_case
def test_the_mean_of_samples_is_exact(label, rule, mix):
    means = laws(label, rule)[0][place(mix)]
    chex.assert_trees_all_close(means, np.broadcast_to(MEAN, means.shape), atol=1e-11)


@pytest.mark.parametrize("label", EVERY)
def test_rules_of_the_kappa_family_under_disperse_and_less_with_less_noise(label):
    """MATH.md §5.1: as measured there for every first-order member."""
    _, errors = laws(label, DDIM)
    assert np.all(errors < 0)
    assert np.all(np.diff(errors, axis=0) < 0)


@pytest.mark.parametrize("label", SOME)
@pytest.mark.parametrize(
    "rule",
    [DDIM, *(pytest.param(rule, marks=pytest.mark.slow) for rule in (Ancestral, Renoise))],
    ids=lambda rule: rule.__name__,
)
def test_any_number_of_steps_gives_the_same_law_in_float32(label, rule):
    """No number of steps is special. The law of D is told by its three deviations and its mean, to 0.005 of each."""
    compare_precisions(label, rule)


@pytest.mark.slow
@pytest.mark.parametrize("label", [each for each in SOME if each.values[0] in COUPLED])
def test_any_number_of_bridge_steps_gives_the_same_law_in_float32(label):
    compare_precisions(label, Bridge)


def compare_precisions(label, rule):
    found = [samples(label, rule, dtype) for dtype in (np.float32, np.float64)]
    chex.assert_tree_all_finite(found)
    (mean, variance), (mean_64, variance_64) = found
    scale = np.sqrt(variance_64).max(-1, keepdims=True)
    np.testing.assert_allclose(mean / scale, mean_64 / scale, atol=5e-3)
    np.testing.assert_allclose(np.sqrt(variance) / scale, np.sqrt(variance_64) / scale, atol=5e-3)


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
    times, y = log_snr_times(process, 7), jnp.asarray(Y)
    for t, s in itertools.pairwise(times):
        ddim, _ = DDIM(1.0).advance(process, None, x, Estimate(x0_hat), t, s, y)
        natural, _ = Ancestral(0.0).advance(process, None, x, Estimate(x0_hat), t, s, y)
        chex.assert_trees_all_close(
            (ddim.mean, ddim.scale), (natural.mean, natural.scale), rtol=1e-10, atol=1e-12
        )


@pytest.mark.parametrize("label", PINNED)
def test_without_y_a_bridge_steps_by_its_posterior_unless_its_base_reverts_to_y(label):
    """By the Markov property the end is known only through the present; the drift of GOUB's base knows it as well."""
    bridge, x, x0_hat = PINNED[label], jnp.full(SHAPE, 0.3), jnp.full(SHAPE, -0.8)
    y, apart = jnp.asarray(Y), []
    for t, s in itertools.pairwise(log_snr_times(bridge, 7)):
        laws = (
            rule.advance(bridge, None, x, Estimate(x0_hat), t, s, y)[0]
            for rule in (Bridge(), Ancestral(0.0))
        )
        gaps = jax.tree.map(lambda one, other: jnp.abs(one - other).max(), *laws)
        apart += [float(gap) for gap in jax.tree.leaves(gaps)]
    assert max(apart) > 1e-2 if label == "GOUB" else max(apart) < 1e-10


FAMILY = [
    *(DDIM(eta) for eta in MIXES),
    Ancestral(0.0),
    *(Renoise(zeta) for zeta in (0.0, 0.3, 1.0)),
    Bridge(),
]


@each_process
def test_for_the_true_image_the_marginal_is_exact_after_any_step(process):
    """The law a_t x0 + b_t y + σ_t ε goes over into a_s x0 + b_s y + σ_s ε, near and far, for every rule."""
    x0, y = jnp.asarray(MEAN).reshape(SHAPE), jnp.asarray(Y)
    early, late = np.triu_indices(5, 1)
    times = log_snr_times(process, 5)

    def one(transition, t, s):
        def step(x):
            return transition.step(Oracle(process, x0), None, x, t, s, y).law

        matrix, offset = affine(lambda x: step(x).mean)
        now, then = process.marginal(x0, t, y), process.marginal(x0, s, y)
        mean = matrix @ now.mean.ravel() + offset
        covariance = now.scale**2 * matrix @ matrix.T + step(x0).scale ** 2 * jnp.eye(3)
        return (mean, covariance), (then.mean.ravel(), then.scale**2 * jnp.eye(3))

    for transition in FAMILY if process.coupled else FAMILY[:-1]:
        each = jax.vmap(functools.partial(one, transition))
        found, expected = each(times[early], times[late])
        chex.assert_trees_all_close(found, expected, rtol=1e-9, atol=1e-12)


def test_a_bridge_step_is_refused_where_b_is_zero():
    with pytest.raises(ValueError, match="moves towards the degraded image, got VP, whose b is 0"):
        Bridge().weights(VP(), jnp.asarray(0.5), jnp.asarray(0.2))


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


ALL = [*FAMILY, Ancestral(0.5), Ancestral(1.0)]
START_WITHOUT_NOISE = [p for p in PROCESSES if p.coefficients(jnp.asarray(0.0)).sigma == 0]


@pytest.mark.parametrize("process", START_WITHOUT_NOISE, ids=name)
def test_a_step_to_the_clean_end_is_the_denoiser_exactly(process):
    """At t = 0 ℓ is infinite; whatever the rule, the law is the point D, and from the pinned end of a bridge too."""
    x, x0_hat, y = jnp.full(SHAPE, 0.7), jnp.full(SHAPE, -0.3), jnp.asarray(Y)
    for t in (0.5, *([1.0] if name(process) in PINNED else [])):
        for transition in ALL if process.coupled else [r for r in ALL if r != Bridge()]:
            law, _ = transition.advance(
                process, None, x, Estimate(x0_hat), jnp.asarray(t), jnp.asarray(0.0), y
            )
            chex.assert_trees_all_equal((law.mean, law.scale), (x0_hat, jnp.asarray(0.0)))


def test_all_but_two_processes_start_without_noise():
    others = {name(p) for p in PROCESSES} - {name(p) for p in START_WITHOUT_NOISE}
    assert others == {"VE", "ResShift"}


@pytest.mark.parametrize("process", [p for p in PROCESSES if name(p) != "ResShift"], ids=name)
def test_close_to_no_noise_a_step_tends_to_the_denoiser(process):
    """At σ_s/a_s = e^{−20}, for every rule of the κ family; not on ResShift, whose noise ends at 0.04."""
    x, x0_hat, y, t = jnp.full(SHAPE, 0.7), jnp.full(SHAPE, -0.3), jnp.asarray(Y), jnp.asarray(0.5)
    s = process.time(jnp.asarray(20.0))
    for transition in FAMILY if process.coupled else FAMILY[:-1]:
        law, _ = transition.advance(process, None, x, Estimate(x0_hat), t, s, y)
        chex.assert_trees_all_close((law.mean, law.scale), (x0_hat, 0.0), atol=1e-6)


@each_process
def test_a_step_of_length_zero_is_the_identity(process):
    x, t = jnp.full(SHAPE, 0.7), jnp.asarray(0.4)
    rules = [rule(mix) for rule, mix in RULES] + ([Bridge()] if process.coupled else [])
    for rule in rules:
        law, _ = rule.advance(process, None, x, Estimate(-x), t, t, jnp.asarray(Y))
        chex.assert_trees_all_equal((law.mean, law.scale), (x, jnp.asarray(0.0)))


@pytest.mark.parametrize("transition", ALL, ids=repr)
def test_alone_and_in_a_batch_a_step_is_the_same(key, transition):
    x, y = jax.random.normal(key, (2, 5, *SHAPE))
    t, s = jnp.asarray(0.6), jnp.asarray(0.2)

    def step(x, y):
        return transition.step(gaussian(goub()), None, x, t, s, y).law.sample(key)

    together = jax.vmap(step)(x, y)
    for i in range(5):
        chex.assert_trees_all_close(together[i], step(x[i], y[i]), atol=1e-12)


@pytest.mark.parametrize(
    ("low", "high"),
    [
        (DDIM(0.2), DDIM(0.7)),
        (Ancestral(0.2), Ancestral(0.7)),
        (Renoise(0.2), Renoise(0.7)),
        (Bridge(), Bridge()),
    ],
    ids=lambda rule: type(rule).__name__,
)
def test_new_values_of_a_rule_and_its_process_do_not_retrace(low, high):
    traces = []

    @jax.jit
    def weights(rule, process, t):
        traces.append(1)
        return rule.weights(process, t, t / 2)

    found = [
        weights(rule, process, jnp.asarray(0.5))
        for rule, process in ((low, IRSDE(0.2)), (high, IRSDE(0.3, terminal=0.01)))
    ]
    assert len(traces) == 1
    assert found[0].noise != found[1].noise


def test_the_derivative_in_the_times_and_in_eta_is_finite_where_eta_is_zero():
    """A grid can be learnt for deterministic sampling; dτ/dη at 0 is the noise of η = 1."""
    t, s = jnp.asarray(0.7), jnp.asarray(0.4)
    in_time = jax.grad(lambda t: DDIM(0.0).weights(VP(), t, s).noise)(t)
    in_eta = jax.grad(lambda eta: DDIM(eta).weights(VP(), t, s).noise)(0.0)
    assert in_time == 0
    chex.assert_trees_all_close(in_eta, DDIM(1.0).weights(VP(), t, s).noise, rtol=1e-12)


@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan")])
@pytest.mark.parametrize(("rule", "field"), [(DDIM, "eta"), (Ancestral, "mix"), (Renoise, "zeta")])
def test_a_share_outside_zero_and_one_is_refused(rule, field, value):
    with pytest.raises(ValueError, match=rf"{field} is {value}, expected a number in \[0, 1\]"):
        rule(value)
