"""Samplers that ask more than once a step, and Euler's steps: their laws, exactly."""

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
    SHAPE,
    VARIANCES,
    Y,
    gaussian,
    marginal,
    prior,
    sampled,
)

from jaxir.denoisers import Denoiser, Estimate, GaussianDenoiser
from jaxir.processes import IRSDE, VE, VP, Process, Rate, karras_times, log_snr_times
from jaxir.samplers import (
    AnnealedLangevin,
    DDBMSampler,
    Discrete,
    EDMSampler,
    NoiseShare,
    PredictorCorrector,
    SignalToNoise,
    Travel,
)
from jaxir.samplers.langevin import langevin
from jaxir.transitions import DDIM, Ancestral, DPMSolver, MeanODE, ReverseEuler
from jaxir.typing import Image

pytestmark = pytest.mark.usefixtures("x64", "quick_compile")


class Oracle(Denoiser):
    """Knows the clean image."""

    process: Process
    x0: Image

    def estimate(self, x, t, y=None):
        return Estimate(self.x0)


def variances(covariance):
    return np.einsum("di,...de,ei->...i", BASIS, covariance, BASIS)


def drive(sampler, denoiser, times, x, key):
    """D at the end of the whole grid."""
    y = jnp.asarray(Y)
    state = sampler.init(denoiser, x, times, y)
    stop = sampler.windows(len(times))[-1][1]
    state = sampler.run(key, denoiser, state, times, y, 0, stop)
    return sampler.finish(denoiser, state, times, y).x0_hat


@pytest.fixture
def errors(noise_as_keys):
    """Relative errors of the variances of a sampler's images; their mean must be exact."""

    def of(sampler, process, times, draws, start=None):
        denoiser = gaussian(process)
        found = noise_as_keys(
            lambda x, key: drive(sampler, denoiser, times, x, key),
            start or marginal(process, prior(), times[0]),
            (len(times), *draws, *SHAPE),
        )
        a, _, sigma = process.coefficients(times[-1])
        exact = (a * VARIANCES) ** 2 / (a**2 * VARIANCES + sigma**2)
        return found.mean - MEAN, variances(found.covariance) / np.asarray(exact) - 1

    return of


def test_edm_with_churn_converges(errors):
    """With S_churn fixed γ = S_churn/N, and a step takes away what it put back up to second order."""
    found = []
    for steps in (40, 80):
        mean, error = errors(EDMSampler(5.0), VP(), karras_times(VP(), steps), ())
        chex.assert_trees_all_close(mean, np.zeros(3), atol=1e-9)
        found.append(np.abs(error).max())
    np.testing.assert_allclose(np.log2(found[0] / found[1]), 2.0, atol=0.2)
    assert found[1] < 0.02


@pytest.mark.parametrize("process", ["VP", "BrownianBridge"])
def test_ddbms_hybrid_converges(errors, process):
    """At order 1, that of its stochastic part."""
    process, found = EVERY[process], []
    for steps in (80, 160):
        _, error = errors(DDBMSampler(), process, log_snr_times(process, steps), (1,))
        found.append(np.abs(error).max())
    np.testing.assert_allclose(np.log2(found[0] / found[1]), 1.0, atol=0.2)
    assert found[1] < 0.03


@pytest.mark.parametrize("process", ["VP", "IRSDE", "BrownianBridge"])
def test_eulers_reverse_sde_converges_at_order_one(process):
    process, steps = EVERY[process], (50, 100, 200, 400)
    padded = [jnp.pad(log_snr_times(process, n), (0, 400 - n), mode="edge") for n in steps]
    found = jax.jit(jax.vmap(lambda times: sampled(ReverseEuler(), gaussian(process), times)))(
        jnp.stack(padded)
    )
    a, _, sigma = (float(c) for c in process.coefficients(jnp.asarray(process.span[0])))
    errors = (
        variances(found.covariance) / ((a * VARIANCES) ** 2 / (a**2 * VARIANCES + sigma**2)) - 1
    )
    np.testing.assert_allclose(np.log2(np.abs(errors[:-1] / errors[1:]))[-1], 1.0, atol=0.2)
    assert np.all(np.abs(errors[-1]) < 0.1)


def test_the_mean_ode_has_the_mean_and_too_little_variance():
    """The reverse SDE's drift, less its noise; the probability flow with the same steps keeps the variance."""
    process = EVERY["GOUB"]
    times = log_snr_times(process, 400)
    found, flow = (
        jax.jit(lambda times, way=way: sampled(way, gaussian(process), times))(times)
        for way in (MeanODE(), ReverseEuler(0.0))
    )
    np.testing.assert_allclose(found.mean, MEAN, atol=0.02)
    assert np.all(variances(found.covariance) < 0.2 * VARIANCES)
    np.testing.assert_allclose(variances(flow.covariance) / VARIANCES, 1, atol=0.1)


@pytest.mark.parametrize("process", ["VP", "IRSDE", "BrownianBridge"])
@pytest.mark.parametrize("noise", [0.0, 0.5, 1.0, "mean"])
def test_eulers_drift_is_the_printed_one(process, noise):
    """f x + h y − ½ (1 + λ) g² score and √λ g, with f, h and g by finite differences of the marginal."""
    process = EVERY[process]
    t, gap = jnp.asarray(0.6), 1e-5
    (a, b, sigma), late, early = (process.coefficients(u) for u in (t, t + gap, t - gap))
    da, db, ds2 = ((late.a - early.a), (late.b - early.b), (late.sigma**2 - early.sigma**2))
    f = da / a / (2 * gap)
    h, g2 = db / (2 * gap) - f * b, ds2 / (2 * gap) - 2 * f * sigma**2
    x, x0, y = np.full(SHAPE, 0.7), np.full(SHAPE, -0.3), np.asarray(Y)
    score = -(x - a * x0 - b * y) / sigma**2
    pull = 1.0 if noise == "mean" else 0.5 * (1 + noise)
    expected = x - 0.1 * (f * x + h * y - pull * g2 * score)
    transition = MeanODE() if noise == "mean" else ReverseEuler(noise)
    denoiser = Oracle(process, jnp.asarray(x0))
    law = transition.step(denoiser, None, jnp.asarray(x), t, t - 0.1, jnp.asarray(y)).law
    np.testing.assert_allclose(law.mean, expected, rtol=1e-6)
    variance = 0.0 if noise == "mean" else noise * g2 * 0.1
    np.testing.assert_allclose(law.scale**2, variance, rtol=1e-6, atol=1e-12)


class Published(Rate):
    """IR-SDE's table of θ, its integral linear between the entries, as its sampler adds them up."""

    share_at: jax.Array

    def share(self, t):
        steps = len(self.share_at) - 1
        i = jnp.clip(jnp.ceil(t * steps - 1e-6).astype(int) - 1, 0, steps - 1)
        return self.share_at[i] + (t * steps - i) * (self.share_at[i + 1] - self.share_at[i])

    def time(self, share):
        return jnp.interp(share, self.share_at, jnp.linspace(0, 1, len(self.share_at)))


def ir_sde(steps):
    """The process on IR-SDE's table for so many steps: θ = 1 − cos², offset 0.008, a(T) = 0.005."""
    angle = (np.linspace(0, steps + 2, steps + 3) / (steps + 3) + 0.008) / 1.008 * np.pi / 2
    theta = 1 - (np.cos(angle) / np.cos(angle[0]))[1:-1] ** 2
    table = np.concatenate([[0.0], np.cumsum(theta[1:])])
    return IRSDE(std=0.4, rate=Published(jnp.asarray(table / table[-1])))


def test_ir_sde_recovers_the_image_from_its_exact_score():
    """The posterior exactly; Euler's last step leaves about (θ dt)²/3 of what was wrong, the flow's about a half.

    Euler's steps are the printed x − [θ (y − x) − p σ² score] dt on the published table, p = 1 and ½.
    """
    x0, left = MEAN.reshape(SHAPE), {}
    for steps in (8, 100):
        process, times = ir_sde(steps), jnp.linspace(1, 0, steps + 1)
        denoiser = Oracle(process, jnp.asarray(x0))
        for transition, pull in [
            (Ancestral(), None),
            (ReverseEuler(), 1.0),
            (ReverseEuler(0.0), 0.5),
        ]:

            def body(x, pair, transition=transition, denoiser=denoiser):
                return transition.step(denoiser, None, x, *pair, jnp.asarray(Y)).law.mean, None

            pairs = jnp.stack([times[:-1], times[1:]], axis=1)
            x = np.asarray(jax.lax.scan(body, jnp.asarray(Y) + 0.4, pairs)[0])
            left[pull, steps] = np.abs(x - x0).max()
            if pull is None:
                continue
            decays = -np.log(process.terminal) * np.asarray(process.rate.share_at)
            printed = Y + 0.4
            for now, then in zip(decays[:0:-1], decays[-2::-1], strict=True):
                theta_dt, bar = now - then, process.std**2 * -np.expm1(-2 * now)
                score = -(printed - Y - (x0 - Y) * np.exp(-now)) / bar
                drift = theta_dt * (Y - printed) - pull * 2 * process.std**2 * theta_dt * score
                printed = printed - drift
            np.testing.assert_allclose(x, printed, rtol=1e-9)
    assert max(left[None, 8], left[None, 100]) < 1e-12
    assert left[1.0, 8] < 1e-2
    assert left[1.0, 100] < 1e-7
    assert left[0.5, 100] < 8 / 100 * left[0.5, 8]  # Euler's order, at the least


def test_one_langevin_step_has_the_stationary_law_of_its_docstring(noise_as_keys):
    """x ↦ (1 − δ/v) x + √(2δ) ξ keeps V = v/(1 − δ/(2v)) along a direction of total variance v."""
    process, t = VP(), jnp.asarray(0.4)
    a, _, sigma = process.coefficients(t)
    total = a**2 * VARIANCES + sigma**2
    delta = 0.1 * sigma**2
    stationary = total / (1 - delta / (2 * total))
    start = marginal(process, prior(), t)._replace(
        covariance=jnp.asarray(BASIS @ np.diag(stationary) @ BASIS.T)
    )

    def step(x, key):
        how = {"step_size": NoiseShare(0.1), "steps": 1}
        return langevin(key, gaussian(process), x, t, None, **how)[0]

    found = noise_as_keys(step, start, (1, *SHAPE))
    chex.assert_trees_all_close(found, start, rtol=1e-10)


def test_annealed_langevin_is_calibrated(errors):
    """From N(0, σ_max²), by ten levels of a hundred steps as published."""
    process = VE(0.05, 20.0)
    times = log_snr_times(process, 10)
    start = prior().push(jnp.zeros((3, 3)), jnp.zeros(3), 20.0)
    mean, error = errors(AnnealedLangevin(), process, times, (100,), start)
    assert np.all(np.abs(mean) < 0.05 * np.sqrt(VARIANCES))
    assert np.all(np.abs(error) < 0.1)


def test_a_predictor_with_a_gentle_corrector_converges(errors):
    """With the predictor, at order 1; the corrector takes away some of its error."""
    found = []
    for steps in (50, 100):
        times = log_snr_times(VP(), steps)
        corrected = PredictorCorrector(Ancestral(), NoiseShare(0.02), 2)
        mean, error = errors(corrected, VP(), times, (2, 2))
        chex.assert_trees_all_close(mean, np.zeros(3), atol=1e-9)
        found.append(np.abs(error).max())
    np.testing.assert_allclose(np.log2(found[0] / found[1]), 1.0, atol=0.2)
    _, alone = errors(Discrete(Ancestral()), VP(), times, ())
    assert found[1] < 0.9 * np.abs(alone).max()


def test_the_corrector_alone_leaves_the_marginal_as_its_ratio_vanishes():
    """Exact draws, 100 steps with snr 0.02; each variance, over 3000 draws, within 5 % (four standard errors)."""
    size, count = 64, 1500
    scales = jnp.where(jnp.arange(size) < size // 2, 0.3, 2.0)
    bed = GaussianDenoiser(VP(), jnp.zeros((8, 8, 1)), jnp.eye(size), scales)
    t = jnp.asarray(0.3)
    a, _, sigma = VP().coefficients(t)
    std = jnp.sqrt(a**2 * scales + sigma**2)

    def one(key):
        first, rest = jax.random.split(key)
        x = (std * jax.random.normal(first, (size,))).reshape(8, 8, 1)
        how = {"step_size": SignalToNoise(0.02), "steps": 100}
        return langevin(rest, bed, x, t, None, **how)[0].ravel() / std

    found = jax.jit(jax.vmap(one))(jax.random.split(jax.random.key(0), count))
    for half in (found[:, : size // 2], found[:, size // 2 :]):
        assert abs(float(jnp.mean(half**2)) - 1) < 0.05


def test_the_step_by_the_ratio_of_norms_has_that_ratio():
    """Drift over noise: δ ‖score‖/(√(2δ) ‖ξ‖) = r, and "ald" is 2 (snr σ)²."""
    score, noise = jnp.asarray(np.arange(1.0, 4.0)), jnp.asarray([0.3, -1.0, 2.0])
    delta = SignalToNoise(0.16)(score, noise, jnp.asarray(0.5))
    drift, spread = delta * jnp.linalg.norm(score), jnp.sqrt(2 * delta) * jnp.linalg.norm(noise)
    np.testing.assert_allclose(drift / spread, 0.16, rtol=1e-12)
    np.testing.assert_allclose(NoiseShare(2 * 0.16**2)(score, noise, 0.5), 2 * (0.16 * 0.5) ** 2)


def test_reverse_diffusion_on_ve_is_ancestral_with_the_wide_noise():
    """Song et al. 2021: x + (σ_t² − σ_s²) score + √(σ_t² − σ_s²) ξ; ancestral has σ_s/σ_t of that noise."""
    process, t, s = VE(), jnp.asarray(0.6), jnp.asarray(0.5)
    x, x0 = jnp.full(SHAPE, 0.7), jnp.full(SHAPE, -0.3)
    now, then = (float(process.coefficients(u).sigma) for u in (t, s))
    for mix, share in [(1.0, 1.0), (0.0, then / now)]:
        law = Ancestral(mix).step(Oracle(process, x0), None, x, t, s).law
        expected = x + (now**2 - then**2) * process.score(x, t, x0)
        np.testing.assert_allclose(law.mean, expected, rtol=1e-10)
        np.testing.assert_allclose(law.scale, share * np.sqrt(now**2 - then**2), rtol=1e-10)


def repaint_schedule(total, length, repeats):
    """RePaint's published schedule: the times that are visited, −1 at the end."""
    jumps = dict.fromkeys(range(0, total - length, length), repeats - 1)
    t, times = total, []
    while t >= 1:
        t -= 1
        times.append(t)
        if jumps.get(t, 0) > 0:
            jumps[t] -= 1
            for _ in range(length):
                t += 1
                times.append(t)
    return [*times, -1]


@pytest.mark.parametrize(("total", "length", "repeats"), [(250, 10, 10), (12, 3, 4), (7, 1, 2)])
def test_the_walk_is_the_published_schedule(total, length, repeats):
    """Each time from which the published one goes down is a visit; its way up is one draw here."""
    times = repaint_schedule(total, length, repeats)
    down = [total - 1 - t for t, s in itertools.pairwise(times) if s < t]
    np.testing.assert_array_equal(Travel(length=length, repeats=repeats).walk(total), down)


@pytest.mark.parametrize("process", ["VP", "IRSDE", "BrownianBridge"])
def test_travel_keeps_the_marginal_of_the_true_image(noise_as_keys, process):
    """Down and up any number of times: x at the last time is N(a x0 + b y, σ²)."""
    process, sampler = EVERY[process], Travel(DDIM(0.5), length=2, repeats=3)
    times = log_snr_times(process, 7)
    x0, y = jnp.asarray(MEAN).reshape(SHAPE), jnp.asarray(Y)
    denoiser, visits = Oracle(process, x0), len(sampler.walk(7))
    assert visits == 7 + 3 * 2 * 2

    def last(x, key):
        state = sampler.init(denoiser, x, times, y)
        return sampler.run(key, denoiser, state, times, y, 0, visits - 1)[0]

    point = prior().push(jnp.zeros((3, 3)), jnp.asarray(MEAN))
    found = noise_as_keys(last, marginal(process, point, times[0]), (visits, 2, *SHAPE))
    chex.assert_trees_all_close(found, marginal(process, point, times[-1]), rtol=1e-8, atol=1e-12)


def test_travel_forgets_the_history_of_a_multistep_method():
    """After a jump the step is of order 1: the walk of `DPMSolver` from there is that of a fresh one."""
    process, times = VP(), log_snr_times(VP(), 4)
    sampler = Travel(DPMSolver(), length=2, repeats=2)
    np.testing.assert_array_equal(sampler.walk(4), [0, 1, 2, 1, 2, 3])
    state = sampler.init(gaussian(process), jnp.zeros(SHAPE), times, None)
    key = jax.random.key(0)
    _, carry, _ = sampler.run(key, gaussian(process), state, times, None, 0, 3)
    chex.assert_trees_all_equal(carry, DPMSolver().init(jnp.zeros(SHAPE)))


def test_edm_has_the_published_gamma_and_stays_inside_the_span():
    """γ = min(S_churn/N, √2 − 1) within [S_min, S_max]: read off the variance that one move adds to a point."""
    process = VE(0.01, 100.0)
    x0, times = jnp.zeros(SHAPE), process.time(-jnp.log(jnp.array([8.0, 4.0])))

    def spread(times, **how):
        sampler = EDMSampler(**how)
        moved = [
            sampler.move(key, Oracle(process, x0), None, x0, times, 0, None).x
            for key in jax.random.split(jax.random.key(0), 2)
        ]
        draws = [jax.random.normal(k, SHAPE) for k in jax.random.split(jax.random.key(0), 2)]
        return float(((moved[0] - moved[1]) / (draws[0] - draws[1])).mean())

    for churn, gamma in [(0.0, 0.0), (0.4, 0.2), (40.0, 2**0.5 - 1)]:  # N = 2
        up = 8 * (1 + gamma)
        np.testing.assert_allclose(
            spread(times, churn=churn, inflation=1.003),
            1.003 * np.sqrt(up**2 - 64) * 4 / up,  # the flow of a point scales with σ̂
            rtol=1e-9,
        )
    assert spread(times, churn=40.0, sigma_max=7.9) == 0
    assert spread(times, churn=40.0, sigma_min=8.1) == 0
    # at the top no churn, but for the square root of a rounding error
    assert spread(process.time(-jnp.log(jnp.array([100.0, 4.0]))), churn=40.0) < 1e-5
