"""Guidance on a linear-Gaussian problem, where all is known: exact where a method claims it, and what it costs."""

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from affine import EVERY, Law, affine, marginal, name

from jaxir.degradations import (
    Degradation,
    GaussianNoise,
    Mask,
    Noise,
    from_function,
    from_linear_function,
)
from jaxir.denoisers import Denoiser, Estimate, GaussianDenoiser, gaussian_denoiser
from jaxir.gaussian import Gaussian
from jaxir.guidance import DDNM, DPS, MMPS, TMPD, DiffPIR, DPSStep, PiGDM, PublishedDPS
from jaxir.processes import VE, VP, Flow, Process, log_snr_times
from jaxir.samplers import Discrete, sample
from jaxir.testbeds import LinearGaussian, stationary_covariance
from jaxir.transitions import DDIM

PRIORS = [EVERY[label] for label in ("VP", "CosineVP", "VE", "Flow")]
each_process = pytest.mark.parametrize("process", PRIORS, ids=name)
SHAPE = (4, 4, 1)
SIZE = 16
MATRIX = np.random.default_rng(0).normal(size=(8, SIZE)) / 4
SIGMA = 0.1
TIMES = (0.05, 0.4, 0.9)


def linear_gaussian():
    """16 correlated pixels of which 8 mixtures are seen: a Gaussian problem of full generality."""
    mean = jnp.asarray(np.random.default_rng(1).normal(size=SHAPE)) / 2
    return LinearGaussian(mean, stationary_covariance(4), degradation())


def degradation(sigma=SIGMA):
    matrix = jax.tree_util.Partial(lambda m, x: m @ x.ravel(), jnp.asarray(MATRIX))
    return Degradation(from_linear_function(matrix, SHAPE), GaussianNoise(sigma))


def measured(problem):
    return problem.draw(jax.random.key(3))[1]


def conditional(problem, process, y):
    """The exact E[x0 | x_t, y]: the posterior is Gaussian, and so is its denoiser."""
    return gaussian_denoiser(process, *problem.posterior(y))


def state(process, t):
    """A state as it comes about at time t."""
    a, _, sigma = process.coefficients(t)
    draw = np.random.default_rng(2).normal(size=(2, *SHAPE))
    return a * draw[0] + sigma * draw[1]


@each_process
def test_mmps_is_the_exact_conditional_denoiser(x64, process):
    """With as many iterations as measurements, conjugate gradients are exact."""
    problem = linear_gaussian()
    y = measured(problem)
    guided = MMPS(problem.denoiser(process), problem.degradation, 16)
    run = jax.jit(lambda x, t: guided(x, t, y))
    for share in TIMES:
        t = jnp.asarray(share)
        x = state(process, t)
        exact = conditional(problem, process, y)(x, t)
        chex.assert_trees_all_close(run(x, t), exact, atol=1e-8)


@each_process
def test_mmps_samples_have_the_exact_posterior_mean(x64, process):
    """Through 400 steps from the exact marginal of x_T given y; all is affine, so the mean needs no draws."""
    problem = linear_gaussian()
    y = measured(problem)
    exact, covariance = problem.posterior(y)
    denoiser = MMPS(problem.denoiser(process), problem.degradation, 16)
    times = log_snr_times(process, 400)
    law = marginal(process, Law(exact.ravel(), covariance), times[0])

    def step(x, pair):
        return DDIM(0.0).step(denoiser, None, x, pair[0], pair[1], y).law.mean, None

    @jax.jit
    def run(x):
        x, _ = jax.lax.scan(step, x, jnp.stack([times[:-1], times[1:]], axis=1))
        return denoiser(x, times[-1], y)

    chex.assert_trees_all_close(run(law.mean.reshape(SHAPE)), exact, atol=1e-3)


def test_mmps_reports_a_residual_that_falls_with_its_steps(x64):
    problem, t = linear_gaussian(), jnp.asarray(0.4)
    y, x = measured(problem), state(VP(), t)
    residuals = []
    for steps in (1, 2, 4, 8):
        guided = MMPS(problem.denoiser(VP()), problem.degradation, steps)
        estimate = jax.jit(lambda x, guided=guided: guided.estimate(x, t, y))(x)
        residuals.append(float(estimate.info["residual"]))
    assert residuals == sorted(residuals, reverse=True)
    assert residuals[0] > 0.05
    assert residuals[-1] < 1e-6


def test_the_largest_residual_is_in_the_diagnostics(key):
    problem = linear_gaussian()
    y = measured(problem)
    guided = MMPS(problem.denoiser(VP()), problem.degradation, 2)
    found = sample(key, guided, y, shape=SHAPE, times=5, samples=2)
    assert 0 < found.diagnostics["residual"] < 1

    t, x = log_snr_times(VP(), 5)[0], VP().start(jnp.zeros(SHAPE), jnp.asarray(1.0))
    first = guided.estimate(x.sample(jax.random.key(9)), t, y).info["residual"]
    assert found.diagnostics["residual"] >= 0.5 * first


@each_process
@pytest.mark.parametrize("variance", [1.0, 0.3])
def test_pigdm_is_exact_for_a_prior_of_its_variance(x64, process, variance):
    """N(m, v I): then (σ²/a) J = r² I."""
    mean = jnp.asarray(np.random.default_rng(1).normal(size=SHAPE))
    problem = LinearGaussian(mean, variance * jnp.eye(SIZE), degradation())
    y = measured(problem)
    prior = GaussianDenoiser(process, mean, jnp.eye(SIZE), jnp.full(SIZE, variance))
    guided = PiGDM(prior, problem.degradation, variance)
    run = jax.jit(lambda x, t: guided(x, t, y))
    for share in TIMES:
        t = jnp.asarray(share)
        x = state(process, t)
        exact = conditional(problem, process, y)(x, t)
        chex.assert_trees_all_close(run(x, t), exact, atol=1e-8)


@each_process
@pytest.mark.parametrize("weight", [1.0, 4.0])
def test_diffpir_is_the_minimiser_of_its_proximal_problem(x64, process, weight):
    """The gradient of |y − A x|² + λ σ_y²/σ̂² |x − D|² vanishes there."""
    problem, t = linear_gaussian(), jnp.asarray(0.6)
    y, x = measured(problem), state(process, t)
    prior = problem.denoiser(process)
    found = DiffPIR(prior, problem.degradation, weight)(x, t, y)
    a, _, sigma = process.coefficients(t)

    def objective(x0):
        data = jnp.sum((y - jnp.asarray(MATRIX) @ x0.ravel()) ** 2)
        return data + weight * SIGMA**2 * (a / sigma) ** 2 * jnp.sum((x0 - prior(x, t)) ** 2)

    gradient = jax.grad(objective)(found)
    assert jnp.abs(gradient).max() < 1e-8 * jnp.abs(jax.grad(objective)(prior(x, t))).max()


@pytest.mark.parametrize("error", [0.0, 0.1, 0.4])
def test_the_automatic_weight_of_diffpir_has_twice_the_deviation_that_the_residual_shows(
    x64, error
):
    """Of half of 10,000 pixels: three times the relative error √(2/5,000) (1 + σ_y²/v) is allowed."""
    shape, t = (100, 100, 1), jnp.asarray(0.1)
    noise, wrong, known, x0 = (
        jax.random.normal(k, shape) for k in jax.random.split(jax.random.key(0), 4)
    )
    operator = Mask(known > 0, shape)

    class Wrong(Denoiser):
        process: Process

        def estimate(self, x, t, y=None):
            return Estimate(x0 + error * wrong)

    guided = DiffPIR(Wrong(VP()), Degradation(operator, GaussianNoise(SIGMA)))
    found = guided.estimate(x0, t, operator(x0 + SIGMA * noise)).info["strength"]
    level = jnp.exp(-2 * VP().log_snr(t))
    allowed = 3 * np.sqrt(2 / 5000) * (1 + SIGMA**2 / error**2) if error else 0.0
    expected = level / jnp.maximum(level, 4 * error**2)
    np.testing.assert_allclose(found, expected, rtol=allowed + 1e-12)


@each_process
def test_ddnm_reproduces_the_measurement(x64, process):
    """A of its estimate is y, and what A does not see is the prior's."""
    problem, t = linear_gaussian(), jnp.asarray(0.6)
    y, x = measured(problem), state(process, t)
    prior = problem.denoiser(process)
    found = DDNM(prior, problem.degradation)(x, t, y)
    chex.assert_trees_all_close(problem.degradation(found), y, atol=1e-9)
    null = np.eye(SIZE) - np.linalg.pinv(MATRIX) @ MATRIX
    chex.assert_trees_all_close(null @ (found - prior(x, t)).ravel(), np.zeros(SIZE), atol=1e-9)


@each_process
def test_consistent_dps_is_tweedie_with_its_closure(x64, process):
    """D + scale (σ²/a) Jᵀ Aᵀ (y − A D)/σ_y², with J of the Gaussian in dense algebra."""
    problem, t = linear_gaussian(), jnp.asarray(0.3)
    y, x = measured(problem), state(process, t)
    prior = problem.denoiser(process)
    a, _, sigma = process.coefficients(t)
    jacobian, _ = affine(lambda x: prior(x, t), SHAPE)
    d = prior(x, t).ravel()
    shift = sigma**2 / a * jacobian.T @ MATRIX.T @ (y - MATRIX @ d) / SIGMA**2
    for scale in (1.0, 0.3):
        found = DPS(prior, problem.degradation, scale)(x, t, y)
        chex.assert_trees_all_close(found.ravel(), d + scale * shift, rtol=1e-9, atol=1e-9)


def test_consistent_dps_is_exact_as_the_noise_of_the_state_vanishes(x64):
    """Its relative error is A V Aᵀ/σ_y², of order σ̂²: a hundredth of it where σ̂ is a tenth."""
    process, problem = VE(sigma_min=1e-5), linear_gaussian()
    y, errors = measured(problem), []
    for sigma in (1e-2, 1e-3):
        t = process.time(jnp.asarray(-np.log(sigma)))
        x = problem.posterior(y)[0] + sigma * jnp.ones(SHAPE) + 0.1
        exact = conditional(problem, process, y)(x, t)
        prior = problem.denoiser(process)
        shift = jnp.linalg.norm(exact - prior(x, t))
        found = DPS(prior, problem.degradation, 1.0)(x, t, y)
        errors.append(float(jnp.linalg.norm(found - exact) / shift))
    assert errors[1] < 2e-4
    np.testing.assert_allclose(errors[0] / errors[1], 100, rtol=0.1)


@each_process
@pytest.mark.parametrize("share", [1.0, 0.3])
def test_automatic_dps_goes_half_beyond_the_top_of_the_posterior_along_its_line(
    x64, process, share
):
    """With J, V and A of the Gaussian as matrices; where that would pass the closure's own step, the step is that."""
    problem = linear_gaussian()
    y, prior, met = measured(problem), problem.denoiser(process), set()
    for t in (jnp.asarray(0.1), jnp.asarray(0.3), jnp.asarray(0.8)):
        x = state(process, t)
        a, _, sigma = process.coefficients(t)
        jacobian, _ = affine(lambda x, t=t: prior(x, t), SHAPE)
        covariance = np.asarray(sigma**2 / a * jacobian)
        d = np.asarray(prior(x, t).ravel())
        c = covariance @ MATRIX.T @ (y - MATRIX @ d) / SIGMA**2

        def log_posterior(step, c=c, d=d, inverse=np.linalg.inv(covariance)):
            misfit = y - MATRIX @ (d + step * c)
            return -misfit @ misfit / SIGMA**2 / 2 - step**2 * c @ inverse @ c / 2

        down, here, up = (log_posterior(step) for step in (-1.0, 0.0, 1.0))
        best = (up - down) / 2 / (2 * here - up - down)  # the top of a parabola
        found = DPS(prior, problem.degradation, share=share).estimate(x, t, y)
        chex.assert_trees_all_close(found.info["strength"], min(1.0, 1.5 * best / share), rtol=1e-6)
        moved = d + min(1.0, 1.5 * best / share) * c
        chex.assert_trees_all_close(found.x0_hat.ravel(), moved, rtol=1e-6, atol=1e-8)
        met.add(bool(1.5 * best / share < 1))
    assert True in met


def test_automatic_dps_takes_an_operator_with_a_pullback_of_its_own(x64):
    """One that has no derivative in forward mode gives the very same step."""
    problem, t = linear_gaussian(), jnp.asarray(0.3)
    y, x, prior = measured(problem), state(VP(), t), problem.denoiser(VP())

    @jax.custom_vjp
    def own(x):
        return MATRIX @ x.ravel()

    own.defvjp(lambda x: (own(x), None), lambda _, u: ((MATRIX.T @ u).reshape(SHAPE),))
    found = DPS(prior, Degradation(from_function(own, SHAPE), GaussianNoise(SIGMA)))
    expected = DPS(prior, problem.degradation)
    chex.assert_trees_all_close(found.estimate(x, t, y), expected.estimate(x, t, y), rtol=1e-10)


@pytest.mark.parametrize("steps", [5, 50])
@pytest.mark.parametrize("sigma", [1e-3, 0.1, 1.0])
@pytest.mark.parametrize("eta", [0.0, 1.0])
def test_automatic_dps_does_not_diverge_however_precise_the_measurement(sigma, steps, eta):
    """Where the closure as derived explodes: the mean is nearer to the posterior's than the prior's deviation."""
    problem = linear_gaussian()
    problem = LinearGaussian(problem.mean, problem.covariance, degradation(sigma))
    y = measured(problem)
    found = sample(
        jax.random.key(1),
        problem.denoiser(VP()),
        y,
        shape=SHAPE,
        sampler=Discrete(DPSStep(DDIM(eta), problem.degradation)),
        times=steps,
        samples=64,
    )
    off = (found.mean - problem.posterior(y).mean) / problem.prior.std
    assert float(jnp.sqrt(jnp.mean(off**2))) < 1


@each_process
def test_published_dps_moves_the_step_by_the_gradient_of_the_distance(x64, process):
    """Minus scale · ∇ₓ |y − A D(x)|, the gradient by central differences; the noise of the step stays."""
    problem, scale, gap = linear_gaussian(), 0.4, 1e-6
    t, s = jnp.asarray(0.6), jnp.asarray(0.5)
    y, x = measured(problem), state(process, t)
    prior = problem.denoiser(process)

    def distance(x):
        return np.linalg.norm(y - MATRIX @ np.asarray(prior(x, t)).ravel())

    gradient = np.zeros(SIZE)
    for i in range(SIZE):
        e = gap * np.eye(SIZE)[i].reshape(SHAPE)
        gradient[i] = (distance(x + e) - distance(x - e)) / (2 * gap)
    plain = DDIM(1.0).step(prior, None, x, t, s).law
    found = PublishedDPS(DDIM(1.0), problem.degradation, scale).step(prior, None, x, t, s, y).law
    moved = plain.mean - scale * gradient.reshape(SHAPE)
    chex.assert_trees_all_close(found.mean, moved, rtol=1e-6, atol=1e-8)
    assert found.scale == plain.scale


def test_published_dps_takes_the_norm_of_one_image(x64):
    """A neighbour that is far from its measurement changes nothing, as it did in the authors' code."""
    problem, t, s = linear_gaussian(), jnp.asarray(0.6), jnp.asarray(0.5)
    y, x = measured(problem), state(VP(), t)
    rule = PublishedDPS(DDIM(), problem.degradation)
    prior = problem.denoiser(VP())

    def mean(x):
        return rule.step(prior, None, x, t, s, y).law.mean

    together = jax.vmap(mean)(jnp.stack([x, 100 * x]))
    chex.assert_trees_all_close(together[0], mean(x), rtol=1e-10)


def test_published_dps_is_finite_where_the_measurement_is_met():
    """The norm has no derivative at 0; the step is then the unguided one."""
    problem, t, s = linear_gaussian(), jnp.asarray(0.6), jnp.asarray(0.5)
    x = jnp.asarray(state(VP(), t), jnp.float32)
    prior = problem.denoiser(VP())
    y = problem.degradation(prior(x, t))
    found = PublishedDPS(DDIM(), problem.degradation).step(prior, None, x, t, s, y).law
    plain = DDIM().step(prior, None, x, t, s).law
    chex.assert_trees_all_close(found.mean, plain.mean, atol=0.3)
    chex.assert_tree_all_finite(found.mean)


def test_a_hole_in_the_measurement_is_never_used(x64):
    """What lies there, zero or NaN, gives one result for each denoiser."""
    mask = np.random.default_rng(5).random((4, 4)) < 0.5
    spoiled = Degradation(Mask(mask, SHAPE), GaussianNoise(SIGMA))
    problem, t = linear_gaussian(), jnp.asarray(0.6)
    x = state(VP(), t)
    prior = problem.denoiser(VP())
    y = spoiled.sample(jax.random.key(4), x) * mask[..., None]
    junk = jnp.where(mask[..., None], y, jnp.nan)
    for guided in [
        DDNM(prior, spoiled),
        DiffPIR(prior, spoiled),
        PiGDM(prior, spoiled),
        DPS(prior, spoiled),
        MMPS(prior, spoiled, 3),
    ]:
        chex.assert_trees_all_close(guided(x, t, y), guided(x, t, junk), atol=1e-6)


def test_where_nothing_is_left_of_the_image_guidance_is_finite(x64):
    """Flow at t = 1 has a = 0. What goes through the Jacobian gives E x0; DiffPIR, without, what it had beside."""
    problem, process = linear_gaussian(), Flow()
    prior, y, t = problem.denoiser(process), measured(problem), jnp.asarray(1.0)
    x = state(process, t)
    for method in (DPS, MMPS, PiGDM, TMPD):
        found = method(prior, problem.degradation)(x, t, y)
        chex.assert_trees_all_close(found, problem.mean, atol=1e-12)
    guided = DiffPIR(prior, problem.degradation)
    beside = guided(x, jnp.asarray(0.999), y)
    chex.assert_trees_all_close(guided(x, t, y), beside, atol=0.02)  # of a = 0.001 and deviations


CLOSED = [DDNM, DiffPIR, PiGDM, MMPS]


@pytest.mark.parametrize("method", CLOSED, ids=lambda m: m.__name__)
def test_a_nonlinear_operator_is_refused_with_the_way_out(method):
    spoiled = Degradation(from_function(jnp.tanh, SHAPE), GaussianNoise(SIGMA))
    text = f"{method.__name__} needs a linear operator, got Function: use DPS"
    with pytest.raises(TypeError, match=text):
        method(linear_gaussian().denoiser(VP()), spoiled)


class Laplace(Noise):
    """Noise that is not Gaussian."""

    def sample(self, key, mean):
        return mean + jax.random.laplace(key, mean.shape)

    def log_prob(self, y, mean):
        return -jnp.sum(jnp.abs(y - mean))


@pytest.mark.parametrize("method", CLOSED, ids=lambda m: m.__name__)
def test_noise_that_is_not_gaussian_is_refused_with_the_way_out(method):
    spoiled = Degradation(degradation().operator, Laplace())
    text = f"{method.__name__} needs Gaussian noise, got Laplace: use DPS"
    with pytest.raises(TypeError, match=text):
        method(linear_gaussian().denoiser(VP()), spoiled)


def test_dps_takes_any_operator_and_any_noise():
    """Its two forms need a gradient and nothing else."""
    t, s = jnp.asarray(0.3), jnp.asarray(0.2)
    prior, x = linear_gaussian().denoiser(VP()), jnp.ones(SHAPE)
    for noise in (GaussianNoise(0.3), Laplace()):
        spoiled = Degradation(from_function(jnp.tanh, SHAPE), noise)
        y = jnp.zeros(SHAPE)
        assert jnp.any(DPS(prior, spoiled)(x, t, y) != prior(x, t))
        law = PublishedDPS(DDIM(), spoiled).step(prior, None, x, t, s, y).law
        assert jnp.any(law.mean != DDIM().step(prior, None, x, t, s).law.mean)


@pytest.mark.parametrize("y", [None, jnp.zeros(1), jnp.zeros(SHAPE)], ids=["none", "one", "image"])
@pytest.mark.parametrize("method", [*CLOSED, DPS], ids=lambda m: m.__name__)
def test_a_measurement_that_is_missing_or_of_another_shape_is_refused(method, y):
    """A shape that would broadcast is refused as well."""
    problem = linear_gaussian()
    guided = method(problem.denoiser(VP()), problem.degradation)
    text = "y is None" if y is None else r"y has shape .* but the degradation's output is \(8,\)"
    with pytest.raises(ValueError, match=text):
        guided(jnp.ones(SHAPE), jnp.asarray(0.5), y)
    rule = PublishedDPS(DDIM(), problem.degradation)
    with pytest.raises(ValueError, match=text):
        rule.step(
            problem.denoiser(VP()), None, jnp.ones(SHAPE), jnp.asarray(0.5), jnp.asarray(0.4), y
        )


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda d, a: MMPS(d, a, 0), "steps is 0, expected at least 1"),
        (lambda d, a: PiGDM(d, a, 0.0), "variance is 0.0, expected a positive number"),
        (lambda d, a: DiffPIR(d, a, -1.0), "weight is -1.0, expected a positive number"),
        (lambda d, a: DPS(d, a, -1.0), "scale is -1.0, expected at least 0"),
        (
            lambda d, a: DPS(d, Degradation(a.operator, GaussianNoise(jnp.array([0.1, 0.0])))),
            "a degradation without noise",
        ),
    ],
)
def test_impossible_hyper_parameters_are_refused(make, text):
    problem = linear_gaussian()
    with pytest.raises(ValueError, match=text):
        make(problem.denoiser(VP()), problem.degradation)


class Counting(Denoiser):
    """A linear denoiser of which each evaluation and each pullback is counted while it runs."""

    process: VP
    count: jax.tree_util.Partial

    def estimate(self, x, t, y=None):
        return GaussianDenoiser(
            self.process, jnp.zeros(SHAPE), jnp.eye(SIZE), jnp.ones(SIZE)
        ).estimate(self.count(x), t)


def counting():
    """A denoiser and its record: "forward" and "pullback" once for each time that it was run."""
    record = []

    @jax.custom_vjp
    def tap(x):
        jax.debug.callback(functools.partial(record.append, "forward"))
        return x

    def pull(_, v):
        jax.debug.callback(functools.partial(record.append, "pullback"))
        return (v,)

    tap.defvjp(lambda x: (tap(x), None), pull)
    return Counting(VP(), jax.tree_util.Partial(tap)), record


COSTS = [
    (DDNM, 0),
    (DiffPIR, 0),
    (PiGDM, 1),
    (DPS, 1),
    (functools.partial(MMPS, steps=1), 1),
    (functools.partial(MMPS, steps=5), 5),
]


@pytest.mark.parametrize(("method", "pullbacks"), COSTS, ids=lambda v: str(v).split(".")[-1])
def test_a_step_costs_one_evaluation_and_the_documented_pullbacks(method, pullbacks):
    denoiser, record = counting()
    guided = method(denoiser, degradation())
    step = jax.jit(
        lambda x, y: Discrete().transition.step(
            guided, None, x, jnp.asarray(0.5), jnp.asarray(0.4), y
        )
    )
    jax.block_until_ready(step(jnp.ones(SHAPE), jnp.ones(8)))
    jax.effects_barrier()
    assert record.count("forward") == 1
    assert record.count("pullback") == pullbacks


def test_a_published_dps_step_costs_one_evaluation_and_one_pullback():
    denoiser, record = counting()
    rule = PublishedDPS(DDIM(), degradation())
    step = jax.jit(
        lambda x, y: rule.step(denoiser, None, x, jnp.asarray(0.5), jnp.asarray(0.4), y).law
    )
    law = jax.block_until_ready(step(jnp.ones(SHAPE), jnp.ones(8)))
    jax.effects_barrier()
    assert isinstance(law, Gaussian)
    assert sorted(record) == ["forward", "pullback"]
