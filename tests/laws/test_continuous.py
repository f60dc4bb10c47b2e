"""The continuous samplers, exactly: the solvers have their order, and one equation serves every process."""

import functools

import chex
import diffrax
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from affine import (
    BASIS,
    MEAN,
    PROCESSES,
    SHAPE,
    VARIANCES,
    Law,
    affine,
    gaussian,
    marginal,
    name,
    prior,
)

from jaxir.integrate import solve_ode
from jaxir.processes import VP, Flow, log_snr_times
from jaxir.samplers import ProbabilityFlow, ReverseSDE, sample
from jaxir.samplers.continuous import drift, from_circle, to_circle
from jaxir.samplers.sample import START

each_process = pytest.mark.parametrize("process", PROCESSES, ids=name)
STATE = np.array([[[0.7, -0.2, 1.5]]])


def exact_flow(process, x, start, stop):
    """The probability-flow ODE in closed form: (x/a − m) shrinks by √((p + σ̂²)/(p + σ̂²)) along each direction."""
    (a, _, sigma), (a_stop, _, sigma_stop) = (process.coefficients(t) for t in (start, stop))
    z = BASIS.T @ (x / a - MEAN)
    z = z * np.sqrt((VARIANCES + (sigma_stop / a_stop) ** 2) / (VARIANCES + (sigma / a) ** 2))
    return a_stop * (MEAN + BASIS @ z)


@each_process
def test_the_drift_is_the_same_for_every_process(x64, process):
    """In (w, ℓ) the process is gone, as far as its span reaches."""
    for ell in (-3.0, 0.0, 4.0):
        for noise in (0.0, 1.0, 2.5):
            found, expected = (
                drift(gaussian(p), jnp.asarray(STATE), jnp.asarray(ell), None, noise=noise)
                for p in (process, VP())
            )
            chex.assert_trees_all_close(found, expected, rtol=1e-9, atol=1e-12)


@each_process
def test_the_drift_is_the_probability_flow_of_the_process(x64, process):
    """dw/dℓ is the velocity dx/dt, through x = √(a² + σ²) w: by the chain rule, with a difference for the radius."""
    denoiser, t, gap = gaussian(process), jnp.asarray(0.4), 1e-6

    def state(t):  # w along the line x + (t − 0.4) dx/dt
        x = jnp.asarray(STATE)
        velocity = process.velocity(x, jnp.asarray(0.4), denoiser(x, jnp.asarray(0.4)))
        return to_circle(denoiser, x + (t - 0.4) * velocity, t, None)

    dw = (state(t + gap) - state(t - gap)) / (2 * gap)
    dell = (process.log_snr(t + gap) - process.log_snr(t - gap)) / (2 * gap)
    found = drift(denoiser, state(t), process.log_snr(t), None, noise=0.0)
    chex.assert_trees_all_close(found, dw / dell, rtol=1e-6, atol=1e-7)


@each_process
def test_the_circle_and_the_state_are_inverse(x64, process):
    denoiser = gaussian(process)
    for share in (0.0, 0.5, 1.0):
        low, high = process.span
        t = jnp.asarray(low + share * (high - low))
        w = to_circle(denoiser, jnp.asarray(STATE), t, None)
        x, back = from_circle(denoiser, w, process.log_snr(t), None)
        chex.assert_trees_all_close((x, back), (jnp.asarray(STATE), t), rtol=1e-9, atol=1e-12)


@functools.partial(jax.jit, static_argnames="sampler")
def finished(sampler, denoiser, times):
    """The affine map from the start x to the end of the sampler's own run through diffrax."""

    def run(x):
        state = sampler.init(denoiser, x, times, None)
        w, _ = sampler.run(jax.random.key(0), denoiser, state, times, None, 0, len(times) - 1)
        return from_circle(denoiser, w, denoiser.process.log_snr(times[-1]), None)[0]

    return affine(run)


@pytest.mark.parametrize(
    ("sampler", "order"),
    [(ProbabilityFlow(diffrax.Euler()), 1), (ProbabilityFlow(), 2)],
    ids=["Euler", "Heun"],
)
def test_the_ode_solvers_have_their_order(x64, sampler, order):
    """Through diffrax: the law at the end, from the exact marginal at the start."""
    process, errors = VP(), []
    for intervals in (50, 100, 200):
        times = log_snr_times(process, intervals + 1)
        matrix, offset = finished(sampler, gaussian(process), times)
        found = marginal(process, prior(), times[0]).push(matrix, offset)
        exact = marginal(process, prior(), times[-1])
        chex.assert_trees_all_close(found.mean, exact.mean, atol=4 / intervals**order)
        ratios = [np.einsum("di,de,ei->i", BASIS, law.covariance, BASIS) for law in (found, exact)]
        errors.append(ratios[0] / ratios[1] - 1)
    worst = np.abs(np.array(errors)).max(axis=1)
    assert worst[-1] < 0.1
    np.testing.assert_allclose(np.log2(worst[:-1] / worst[1:]), order, atol=0.25)


def test_heun_is_the_closed_form_ode_at_many_steps(x64):
    process, times = VP(), log_snr_times(VP(), 201)  # the grid of a test above: compiled already
    matrix, offset = finished(ProbabilityFlow(), gaussian(process), times)
    exact = exact_flow(process, STATE.ravel(), times[0], times[-1])
    chex.assert_trees_all_close(matrix @ STATE.ravel() + offset, exact, atol=2e-3)


def test_euler_maruyama_of_the_reverse_sde_converges_at_order_one(x64):
    """w ← w + h drift + √h sinθ √(2λ) ξ on grids of ℓ; grids of fewer steps end with steps of length zero."""
    process, steps, noises = VP(), (100, 200, 400), jnp.array([0.3, 1.0, 2.0])
    denoiser = gaussian(process)
    grids = jnp.stack(
        [
            jnp.pad(process.log_snr(log_snr_times(process, n + 1)), (0, 400 - n), mode="edge")
            for n in steps
        ]
    )
    low, high = process.span

    def law(noise, ells):
        def body(law, pair):
            ell, h = pair[0], pair[1] - pair[0]
            sin = 1 / jnp.sqrt(1 + jnp.exp(2 * ell))
            matrix, offset = affine(lambda w: w + h * drift(denoiser, w, ell, None, noise=noise))
            return law.push(matrix, offset, jnp.sqrt(h * 2 * noise) * sin), None

        start = marginal(process, prior(), jnp.asarray(high))  # on a VP process w = x
        end, _ = jax.lax.scan(body, start, jnp.stack([ells[:-1], ells[1:]], axis=1))
        return end

    found = jax.jit(jax.vmap(jax.vmap(law, (None, 0)), (0, None)))(noises, grids)
    exact = marginal(process, prior(), jnp.asarray(low))
    chex.assert_trees_all_close(found.mean[:, -1], np.broadcast_to(exact.mean, (3, 3)), atol=2e-3)
    variances = np.einsum("di,mnde,ei->mni", BASIS, found.covariance, BASIS)
    errors = variances / np.einsum("di,de,ei->i", BASIS, exact.covariance, BASIS) - 1
    assert np.all(np.abs(2 * errors[:, -1] - errors[:, -2]) < 0.02)
    np.testing.assert_allclose(np.log2(errors[:, 1] / errors[:, 2]), 1.0, atol=0.25)


def law_of(images):
    flat = np.asarray(images, np.float64).reshape(len(images), -1)
    return Law(flat.mean(0), np.cov(flat.T))


def assert_within_four_standard_errors(images, law, allowance=0.0):
    """Of the mean, √(p/n), and of the variance, p √(2/n), along the prior's directions."""
    found, n = law_of(images), len(images)
    variances = np.einsum("di,de,ei->i", BASIS, np.asarray(law.covariance), BASIS)
    z = BASIS.T @ (found.mean - np.asarray(law.mean)) / np.sqrt(variances)
    np.testing.assert_allclose(z, 0.0, atol=4 / np.sqrt(n) + allowance)
    ratio = np.einsum("di,de,ei->i", BASIS, found.covariance, BASIS) / variances
    np.testing.assert_allclose(ratio, 1.0, atol=4 * np.sqrt(2 / n) + allowance)


def test_one_step_of_the_reverse_sde_through_diffrax_is_euler_maruyama(key):
    """What the recursion above takes for a step is what the sampler takes: mean by affinity, noise by its variance."""
    denoiser = gaussian(VP())
    times = VP().time(jnp.array([-0.5, 0.1]))
    for noise in (0.5, 1.0):

        def run(key, w, noise=noise):
            return ReverseSDE(noise=noise).run(key, denoiser, w, times, None, 0, 1)

        ends = jax.jit(jax.vmap(run, (0, None)))(jax.random.split(key, 20_000), STATE)
        field = drift(denoiser, jnp.asarray(STATE), jnp.asarray(-0.5), None, noise=noise)
        scale = np.sqrt(0.6 * 2 * noise / (1 + np.exp(-1.0)))
        z = (np.asarray(ends) - np.asarray(STATE + 0.6 * field)) / scale
        np.testing.assert_allclose(z.mean(), 0.0, atol=4 / np.sqrt(60_000))
        np.testing.assert_allclose(z.var(), 1.0, atol=4 * np.sqrt(2 / 60_000))


@pytest.mark.parametrize(
    ("steps", "draws"), [(100, 10_000), pytest.param(400, 100_000, marks=pytest.mark.slow)]
)
def test_shark_draws_the_exact_law(key, steps, draws):
    """Within statistical error, which Euler's 7 % of variance at 40 steps is not: from the sampler's own start."""
    process = VP()
    found = sample(
        key,
        gaussian(process),
        shape=SHAPE,
        sampler=ReverseSDE(solver=diffrax.ShARK()),
        times=steps + 1,
        samples=draws,
    )
    low = jnp.asarray(process.span[0])
    end = marginal(process, prior(), low)
    exact = end.push(*affine(lambda x: gaussian(process)(x, low)))
    assert_within_four_standard_errors(found.images, exact)


def test_adaptive_steps_reach_their_tolerance_image_by_image(x64):
    """Starts of different size take different numbers of steps, the same alone as together."""
    process = VP()
    starts = jnp.asarray(STATE) * jnp.array([0.0, 1.0, 30.0]).reshape(3, 1, 1, 1)
    times = log_snr_times(process, 11)
    exact = np.stack([exact_flow(process, x.ravel(), times[0], times[-1]) for x in starts])

    def run(tolerance, x):
        sampler = ProbabilityFlow(tolerance=tolerance)
        state = sampler.init(gaussian(process), x, times, None)
        w, steps = sampler.run(jax.random.key(0), gaussian(process), state, times, None, 0, 10)
        end, _ = from_circle(gaussian(process), w, process.log_snr(times[-1]), None)
        return end.ravel(), steps

    alone, together = jax.jit(run), jax.jit(jax.vmap(run, (None, 0)))
    for tolerance in (1e-3, 1e-6):
        ends, steps = together(tolerance, starts)
        allowed = 20 * tolerance * (1 + np.abs(exact).max(axis=1, keepdims=True))
        assert np.all(np.abs(ends - exact) < allowed)
        assert len(set(steps.tolist())) > 1
        for i in range(3):
            chex.assert_trees_all_close(alone(tolerance, starts[i]), (ends[i], steps[i]), rtol=1e-9)


def test_sampling_the_flow_is_the_flow_of_the_drawn_start(x64, key):
    """`sample` draws N(0, σ²) with the documented key, solves, and finishes with D."""
    process, denoiser = VP(), gaussian(VP())
    found = sample(
        key,
        denoiser,
        shape=SHAPE,
        sampler=ProbabilityFlow(tolerance=1e-8),
        times=10,
        samples=2,
    )
    low, high = (jnp.asarray(end) for end in process.span)
    for i, image in enumerate(found.images):
        draw = jax.random.fold_in(jax.random.fold_in(key, i), START)
        start = process.start(jnp.zeros(SHAPE), high).sample(draw)
        end = exact_flow(process, start.ravel(), high, low).reshape(SHAPE)
        chex.assert_trees_all_close(image, denoiser(end, low), atol=1e-6)
    assert found.diagnostics["solver_steps"] > 10


def test_the_flow_there_and_back_is_the_identity(x64):
    """dx/dt of the process from clean to noise in t, then the sampler's equation from noise to clean in ℓ."""
    process = Flow()
    denoiser, x = gaussian(process), jnp.asarray(STATE)
    low, high = process.span
    times = jnp.linspace(low + 0.05 * (high - low), high - 0.05 * (high - low), 3)
    noisy, _ = solve_ode(
        lambda t, x: process.velocity(x, t, denoiser(x, t)), x, times, tolerance=1e-9
    )
    chex.assert_trees_all_close(
        noisy.ravel(), exact_flow(process, x.ravel(), times[0], times[-1]), rtol=1e-6
    )
    sampler = ProbabilityFlow(tolerance=1e-9)
    back = times[::-1]
    state = sampler.init(denoiser, noisy, back, None)
    w, _ = sampler.run(jax.random.key(0), denoiser, state, back, None, 0, 2)
    found, _ = from_circle(denoiser, w, process.log_snr(back[-1]), None)
    chex.assert_trees_all_close(found, x, atol=1e-6)


def test_a_negative_noise_is_refused():
    with pytest.raises(ValueError, match=r"noise is -1\.0, expected 0"):
        ReverseSDE(noise=-1.0)


def test_a_solve_that_fails_is_reported(x64):
    """Steps that run out give NaN, and never half an integral."""
    field = functools.partial(jnp.multiply, -1e6)
    x, _ = solve_ode(
        lambda t, x: field(x), jnp.ones(2), jnp.array([0.0, 1.0]), tolerance=1e-9, max_steps=4
    )
    assert jnp.isnan(x).all()
