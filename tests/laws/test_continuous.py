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
    EVERY,
    MEAN,
    PROCESSES,
    REPRESENTATIVE,
    SHAPE,
    SOME,
    VARIANCES,
    Law,
    Y,
    affine,
    gaussian,
    marginal,
    name,
    prior,
)

from jaxir import integrate
from jaxir.integrate import Equation
from jaxir.processes import VP, Flow, log_snr_times
from jaxir.samplers import ProbabilityFlow, ReverseSDE, sample, trajectory
from jaxir.samplers.continuous import drift, from_circle, to_circle
from jaxir.samplers.sample import START

pytestmark = pytest.mark.usefixtures("quick_compile")
each_process = pytest.mark.parametrize("process", PROCESSES, ids=name)
STATE = np.array([[[0.7, -0.2, 1.5]]])


def exact_flow(process, x, start, stop):
    """The probability-flow ODE in closed form: x̂ − m shrinks by √((p + σ̂²)/(p + σ̂²)) along each direction."""
    (a, b, sigma), (a_stop, b_stop, sigma_stop) = (process.coefficients(t) for t in (start, stop))
    z = BASIS.T @ ((x - b * Y.ravel()) / a - MEAN)
    z = z * np.sqrt((VARIANCES + (sigma_stop / a_stop) ** 2) / (VARIANCES + (sigma / a) ** 2))
    return a_stop * (MEAN + BASIS @ z) + b_stop * Y.ravel()


@each_process
def test_the_drift_is_the_same_for_every_process(x64, process):
    """In (w, ℓ) the process is gone, as far as its span reaches."""
    low, high = (process.log_snr(jnp.asarray(end)) for end in reversed(process.span))
    for ell in low + (high - low) * jnp.array([0.01, 0.4, 0.99]):
        for noise in (0.0, 1.0, 2.5):
            found, expected = (
                drift(gaussian(p), jnp.asarray(STATE), ell, jnp.asarray(Y), noise=noise)
                for p in (process, VP())
            )
            chex.assert_trees_all_close(found, expected, rtol=1e-8, atol=1e-9)


@each_process
def test_the_drift_is_the_probability_flow_of_the_process(x64, process):
    """dw/dℓ is the velocity dx/dt, through x = √(a² + σ²) w + b y: by the chain rule, with a difference in t."""
    denoiser, t, gap, y = gaussian(process), jnp.asarray(0.4), 1e-6, jnp.asarray(Y)

    def state(t):  # w along the line x + (t − 0.4) dx/dt
        x = jnp.asarray(STATE)
        velocity = process.velocity(x, jnp.asarray(0.4), denoiser(x, jnp.asarray(0.4), y), y)
        return to_circle(denoiser, x + (t - 0.4) * velocity, t, y)

    dw = (state(t + gap) - state(t - gap)) / (2 * gap)
    dell = (process.log_snr(t + gap) - process.log_snr(t - gap)) / (2 * gap)
    found = drift(denoiser, state(t), process.log_snr(t), y, noise=0.0)
    chex.assert_trees_all_close(found, dw / dell, rtol=1e-6, atol=1e-7)


@each_process
def test_the_circle_and_the_state_are_inverse(x64, process):
    denoiser, y = gaussian(process), jnp.asarray(Y)
    for share in (0.0, 0.5, 1.0):
        low, high = process.span
        t = jnp.asarray(low + share * (high - low))
        w = to_circle(denoiser, jnp.asarray(STATE), t, y)
        x, back = from_circle(denoiser, w, process.log_snr(t), y)
        chex.assert_trees_all_close((x, back), (jnp.asarray(STATE), t), rtol=1e-7, atol=1e-9)


@functools.partial(jax.jit, static_argnames="sampler")
def finished(sampler, denoiser, times):
    """The affine map from the start x to the end of the sampler's own run through diffrax."""
    y = jnp.asarray(Y)

    def run(x):
        state = sampler.init(denoiser, x, times, y)
        w, *_ = sampler.run(jax.random.key(0), denoiser, state, times, y, 0, len(times) - 1)
        return from_circle(denoiser, w, denoiser.process.log_snr(times[-1]), y)[0]

    return affine(run)


@functools.partial(jax.jit, static_argnames="sampler")
def over_grids(sampler, denoiser, grids):
    """`finished` for grids of one length: those of fewer steps end with steps of length zero."""
    return jax.vmap(lambda times: finished(sampler, denoiser, times))(grids)


def grids_of(process, counts):
    return jnp.stack(
        [jnp.pad(log_snr_times(process, n + 1), (0, counts[-1] - n), mode="edge") for n in counts]
    )


@pytest.mark.parametrize("label", REPRESENTATIVE)
@pytest.mark.parametrize(
    ("sampler", "order"),
    [(ProbabilityFlow(diffrax.Euler()), 1), (ProbabilityFlow(), 2)],
    ids=["Euler", "Heun"],
)
def test_the_ode_solvers_have_their_order(x64, sampler, order, label):
    """Through diffrax: the law at the end, from the exact marginal at the start."""
    process, counts = EVERY[label], (50, 100, 200)
    grids = grids_of(process, counts)
    matrices, offsets = over_grids(sampler, gaussian(process), grids)
    exact = marginal(process, prior(), grids[0, -1])
    errors = []
    for intervals, matrix, offset in zip(counts, matrices, offsets, strict=True):
        found = marginal(process, prior(), grids[0, 0]).push(matrix, offset)
        chex.assert_trees_all_close(found.mean, exact.mean, atol=4 / intervals**order)
        ratios = [np.einsum("di,de,ei->i", BASIS, law.covariance, BASIS) for law in (found, exact)]
        errors.append(ratios[0] / ratios[1] - 1)
    worst = np.abs(np.array(errors)).max(axis=1)
    assert worst[-1] < 0.1
    np.testing.assert_allclose(np.log2(worst[:-1] / worst[1:]), order, atol=0.25)


@pytest.mark.parametrize("label", SOME)
def test_adaptive_steps_are_the_closed_form_on_every_process(x64, label):
    """From one end of its span to the other, given y; the error is some steps times the tolerance."""
    process = EVERY[label]
    times = log_snr_times(process, 2)
    matrix, offset = finished(ProbabilityFlow(tolerance=1e-7), gaussian(process), times)
    found = matrix @ STATE.ravel() + offset
    exact = exact_flow(process, STATE.ravel(), times[0], times[-1])
    chex.assert_trees_all_close(found, exact, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "solver",
    [
        diffrax.Kvaerno3(),
        pytest.param(diffrax.Kvaerno5(), marks=pytest.mark.slow),
        diffrax.Dopri5(),
    ],
    ids=name,
)
def test_explicit_and_implicit_solvers_run_under_jit(x64, solver):
    process = VP()
    times = log_snr_times(process, 2)
    sampler = ProbabilityFlow(solver, tolerance=1e-6)
    matrix, offset = finished(sampler, gaussian(process), times)
    exact = exact_flow(process, STATE.ravel(), times[0], times[-1])
    chex.assert_trees_all_close(matrix @ STATE.ravel() + offset, exact, rtol=1e-4, atol=1e-4)


def test_an_implicit_solver_on_a_grid_says_what_it_lacks():
    times = log_snr_times(VP(), 3)
    with pytest.raises(ValueError, match="Kvaerno3 got fixed steps but no tolerance"):
        finished(ProbabilityFlow(diffrax.Kvaerno3()), gaussian(VP()), times)


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
            state = w, jnp.zeros((), jnp.int32), jnp.zeros((), jnp.int32)
            return ReverseSDE(noise=noise).run(key, denoiser, state, times, None, 0, 1)[0]

        ends = jax.jit(jax.vmap(run, (0, None)))(jax.random.split(key, 20_000), STATE)
        field = drift(denoiser, jnp.asarray(STATE), jnp.asarray(-0.5), None, noise=noise)
        scale = np.sqrt(0.6 * 2 * noise / (1 + np.exp(-1.0)))
        z = (np.asarray(ends) - np.asarray(STATE + 0.6 * field)) / scale
        np.testing.assert_allclose(z.mean(), 0.0, atol=4 / np.sqrt(60_000))
        np.testing.assert_allclose(z.var(), 1.0, atol=4 * np.sqrt(2 / 60_000))


@pytest.mark.parametrize(
    ("steps", "draws"), [(100, 10_000), pytest.param(400, 100_000, marks=pytest.mark.slow)]
)
def test_shark_draws_the_exact_law(x64, key, steps, draws):
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
        w, steps, _ = sampler.run(jax.random.key(0), gaussian(process), state, times, None, 0, 10)
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
    equation = Equation(lambda t, x: process.velocity(x, t, denoiser(x, t)))
    noisy = integrate.trajectory(equation, x, times, tolerance=1e-9)[0][-1]
    exact = exact_flow(process, x.ravel(), times[0], times[-1])
    chex.assert_trees_all_close(noisy.ravel(), exact, rtol=1e-6)
    matrix, offset = finished(ProbabilityFlow(tolerance=1e-9), denoiser, times[::-1])
    chex.assert_trees_all_close(matrix @ noisy.ravel() + offset, x.ravel(), atol=1e-6)


def test_the_trajectory_is_the_closed_form_at_every_time(x64):
    """Dense output of adaptive steps, which fall where they like; on a grid, the steps themselves."""
    process = EVERY["DDBM-VP"]
    denoiser, y, x = gaussian(process), jnp.asarray(Y), jnp.asarray(STATE)
    times = log_snr_times(process, 201)
    exact = np.stack([exact_flow(process, STATE.ravel(), times[0], t) for t in times])
    for sampler, allowed in [(ProbabilityFlow(tolerance=1e-7), 1e-6), (ProbabilityFlow(), 1e-4)]:
        run = jax.jit(
            lambda x, sampler=sampler: trajectory(
                jax.random.key(0), denoiser, x, times, y, sampler=sampler
            )
        )
        way = run(x)
        np.testing.assert_allclose(way.x.reshape(201, 3), exact, atol=10 * allowed, rtol=allowed)
        chex.assert_trees_all_close(way.x0_hat[7], denoiser(way.x[7], times[7], y), rtol=1e-6)
        assert way.solver_steps == 200 if sampler.tolerance is None else way.solver_steps < 200


@pytest.mark.parametrize("noise", [None, 1.0])
def test_windows_one_after_the_other_are_the_whole(x64, key, noise):
    """The same image, noise included, whoever looks in between; with traced bounds, as `sample` has them."""
    sampler = ProbabilityFlow(diffrax.Tsit5()) if noise is None else ReverseSDE(noise)
    denoiser, times, y = gaussian(EVERY["IRSDE"]), log_snr_times(EVERY["IRSDE"], 42), jnp.asarray(Y)
    start = sampler.init(denoiser, jnp.asarray(STATE), times, y)
    run = jax.jit(lambda state, i, j: sampler.run(key, denoiser, state, times, y, i, j))
    windows = sampler.windows(42)
    assert windows[0] == (0, 3)
    assert windows[-1] == (39, 41)
    state = start
    for window in windows:
        state = run(state, *window)
    chex.assert_trees_all_close(state[0], run(start, 0, 41)[0], rtol=1e-12)
    assert state[1:] == (41, 14)


@pytest.mark.parametrize("tolerance", [None, 1e-6])
def test_the_gradient_through_the_solve_is_that_of_the_flow(x64, tolerance):
    """Reverse mode: the Jacobian of the end in the start, against the closed form and a difference of the solve."""
    process, denoiser = VP(), gaussian(VP())
    times, sampler = log_snr_times(process, 201), ProbabilityFlow(tolerance=tolerance)

    def end(x):
        state = sampler.init(denoiser, x.reshape(SHAPE), times, None)
        w, *_ = sampler.run(jax.random.key(0), denoiser, state, times, None, 0, 200)
        return from_circle(denoiser, w, process.log_snr(times[-1]), None)[0].ravel()

    x, gap = jnp.asarray(STATE.ravel()), 1e-4
    found = jax.jit(jax.jacrev(end))(x)
    ends = jax.jit(jax.vmap(end))(x + gap * jnp.concatenate([jnp.eye(3), -jnp.eye(3)]))
    np.testing.assert_allclose(found.T, (ends[:3] - ends[3:]) / (2 * gap), atol=1e-4)
    exact = [exact_flow(process, x, times[0], times[-1]) for x in (np.eye(3)[0], np.zeros(3))]
    np.testing.assert_allclose(found[:, 0], exact[0] - exact[1], atol=2e-3)


@pytest.mark.parametrize("tolerance", [None, pytest.param(1e-2, marks=pytest.mark.slow)])
def test_the_gradient_through_an_sde_is_that_of_its_affine_map(x64, key, tolerance):
    """With its noise fixed the end is affine in the start, so the Jacobian is a difference of two ends."""
    denoiser, times = gaussian(VP()), log_snr_times(VP(), 21)
    sampler = ReverseSDE(tolerance=tolerance)

    def end(x):
        state = sampler.init(denoiser, x.reshape(SHAPE), times, None)
        return sampler.run(key, denoiser, state, times, None, 0, 20)[0].ravel()

    x = jnp.asarray(STATE.ravel())
    found = jax.jit(jax.jacrev(end))(x)
    if tolerance is None:
        ends = jax.jit(jax.vmap(end))(x + jnp.concatenate([jnp.eye(3), -jnp.eye(3)]))
        chex.assert_trees_all_close(found.T, (ends[:3] - ends[3:]) / 2, atol=1e-9)
    assert jnp.isfinite(found).all()


STAGES = [
    (ProbabilityFlow(diffrax.Euler()), 1, 0),
    (ProbabilityFlow(), 2, 0),
    (ProbabilityFlow(diffrax.Tsit5()), 6, 1),
    (ProbabilityFlow(diffrax.Dopri5()), 6, 1),
    (ReverseSDE(), 1, 0),
    (ReverseSDE(solver=diffrax.ShARK()), 2, 0),
    (ReverseSDE(solver=diffrax.SRA1()), 2, 0),
    (ReverseSDE(solver=diffrax.SPaRK()), 3, 0),
    (ReverseSDE(solver=diffrax.SlowRK()), 2, 0),
]
"""Drift evaluations of a step, and of a window's first: the stages that diffrax documents, less the one kept."""


@pytest.mark.parametrize(("sampler", "each", "first"), STAGES, ids=repr)
def test_the_evaluations_reported_are_the_documented_stages(sampler, each, first):
    """20 steps in 4 windows, and D at the end."""
    denoiser, times = gaussian(VP()), log_snr_times(VP(), 21)
    state = jnp.asarray(STATE), jnp.asarray(20), jnp.asarray(4)
    info = sampler.finish(denoiser, state, times, None).info
    assert info == {"solver_steps": 20, "evaluations": 20 * each + 4 * first + 1}


def test_where_the_stages_are_not_known_no_evaluations_are_reported():
    for solver in (diffrax.Kvaerno3(), diffrax.HalfSolver(diffrax.Euler())):
        steps = jnp.asarray(20)
        assert integrate.evaluations(solver, steps, steps, noisy=False, adaptive=True) is None


def test_a_callback_sees_the_windows_of_a_continuous_sampler(key):
    seen = []
    sample(
        key,
        gaussian(VP()),
        shape=SHAPE,
        sampler=ReverseSDE(),
        times=8,
        callback=lambda *w: seen.append(w),
    )
    assert seen == [(i, 7) for i in range(1, 8)]


SDE_SOLVERS = [diffrax.EulerHeun(), diffrax.SPaRK(), diffrax.GeneralShARK(), diffrax.SEA()]


@pytest.mark.slow
@pytest.mark.parametrize("solver", [diffrax.ShARK(), diffrax.SRA1()], ids=name)
@pytest.mark.parametrize("evaluations", [80, 160])
def test_order_one_and_a_half_beats_euler_maruyama_at_equal_evaluations(
    x64, key, solver, evaluations
):
    """By the variance along the worst direction, of 100 000 draws: its standard error is 0.5 %."""
    process, low = VP(), jnp.asarray(VP().span[0])
    exact = marginal(process, prior(), low).push(*affine(lambda x: gaussian(process)(x, low)))
    target = np.einsum("di,de,ei->i", BASIS, np.asarray(exact.covariance), BASIS)

    def error(sampler, steps):
        images = sample(
            key, gaussian(process), shape=SHAPE, sampler=sampler, times=steps + 1, samples=100_000
        ).images
        found = np.einsum("di,de,ei->i", BASIS, law_of(images).covariance, BASIS)
        return np.abs(found / target - 1).max()

    ours, euler = (
        error(ReverseSDE(solver=solver), evaluations // 2),
        error(ReverseSDE(), evaluations),
    )
    assert ours < euler - 0.005


@pytest.mark.slow
@pytest.mark.parametrize("solver", SDE_SOLVERS, ids=name)
def test_every_sde_solver_draws_the_law(x64, key, solver):
    """At 400 steps the worst of them, of order one, is within 5 % of the least variance."""
    process = VP()
    sampler = ReverseSDE(solver=solver)
    found = sample(key, gaussian(process), shape=SHAPE, sampler=sampler, times=401, samples=20_000)
    low = jnp.asarray(process.span[0])
    exact = marginal(process, prior(), low).push(*affine(lambda x: gaussian(process)(x, low)))
    assert_within_four_standard_errors(found.images, exact, allowance=0.05)


@pytest.mark.slow
@pytest.mark.parametrize("label", ["VP", "GOUB"])
def test_adaptive_steps_of_the_sde_draw_the_exact_law(x64, key, label):
    """ShARK with a Brownian tree, each image with steps of its own, on a grid of which only the ends count."""
    process, y = EVERY[label], jnp.asarray(Y)
    found = sample(
        key,
        gaussian(process),
        y,
        shape=SHAPE,
        sampler=ReverseSDE(tolerance=0.02),
        times=2,
        samples=2000,
    )
    low = jnp.asarray(process.span[0])
    exact = marginal(process, prior(), low).push(*affine(lambda x: gaussian(process)(x, low, y)))
    assert_within_four_standard_errors(found.images, exact)
    assert found.diagnostics["solver_steps"] > 20


def test_a_start_without_noise_is_refused(key):
    """A bridge ends in y exactly, where ℓ = −∞."""
    process = EVERY["GOUB"]
    denoiser, y = gaussian(process), jnp.asarray(Y, jnp.float32)
    times = jnp.array([1.0, 0.5, 0.1])
    for sampler in (ProbabilityFlow(), ReverseSDE()):
        with pytest.raises(ValueError, match=r"times has 1, where Pinned has a = 0 and σ = 0"):
            sample(key, denoiser, y, shape=SHAPE, sampler=sampler, times=times)
    with pytest.raises(ValueError, match=r"times has 1, where Pinned"):
        trajectory(key, denoiser, y, times, y)


def test_a_negative_noise_is_refused():
    with pytest.raises(ValueError, match=r"noise is -1\.0, expected 0"):
        ReverseSDE(noise=-1.0)


def test_a_solve_that_fails_is_reported(x64):
    """Steps that run out give NaN, and never half an integral."""
    equation = Equation(lambda t, x: -1e6 * x)
    ends = jnp.array([0.0, 1.0])
    x, _ = integrate.trajectory(equation, jnp.ones(2), ends, tolerance=1e-9, max_steps=4)
    assert jnp.isnan(x[-1]).all()
