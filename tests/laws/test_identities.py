"""Identities of the papers: processes that are one, and published updates written out in numpy beside our step."""

import itertools
import math

import chex
import jax.numpy as jnp
import numpy as np
import pytest
from affine import EVERY, REPRESENTATIVE, SHAPE, gaussian, sampled

from jaxir.denoisers import Estimate
from jaxir.processes import (
    EDM,
    IRSDE,
    VP,
    ConstantRate,
    Flow,
    Interpolation,
    LinearRate,
    ResShift,
    brownian_bridge,
    ddbm_ve,
    goub,
    i2sb,
    pin,
    uniform_times,
)
from jaxir.transitions import DDIM, Ancestral, Bridge

pytestmark = pytest.mark.usefixtures("x64")

TABLE = np.cumprod(1 - np.linspace(1e-4, 0.02, 1000))
"""ᾱ of DDPM, [ho2020ddpm] Sec. 4."""
T = np.linspace(0.02, 0.98, 25)
PAIRS = [(0.9, 0.6), (0.5, 0.45), (0.2, 0.01)]
each_pair = pytest.mark.parametrize(("t", "s"), PAIRS)
X = np.array([[[0.3, 1.0, -2.0]]])
X0 = np.array([[[0.1, 0.5, -1.0]]])
MU = np.array([[[-0.4, 0.8, 0.2]]])


def step(rule, process, t, s, x=X, x0=X0, y=MU):
    """The mean and the deviation of our step."""
    estimate = Estimate(jnp.asarray(x0))
    law, _ = rule.advance(
        process, None, jnp.asarray(x), estimate, jnp.asarray(t), jnp.asarray(s), jnp.asarray(y)
    )
    return np.asarray(law.mean), np.asarray(law.scale)


def close(found, *expected, rtol=1e-8):
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=rtol, atol=1e-12)


def as_reverting(low=0.1, high=20.0):
    """IR-SDE with λ = 1 and θ = β/2."""
    return IRSDE(1.0, math.exp(-0.25 * (low + high)), LinearRate(low / high))


@pytest.mark.parametrize("pinned", [False, True])
def test_vp_is_irsde_around_nothing_and_so_are_their_bridges(pinned):
    """μ = 0, λ = 1, θ = β/2; the bridge GOUB with μ = 0 is DDBM's on VP."""
    vp, reverting = (pin(p) if pinned else p for p in (VP(), as_reverting()))
    t, zero = jnp.asarray(T), np.zeros(SHAPE)
    (a, _, sigma), (a_r, _, sigma_r) = vp.coefficients(t), reverting.coefficients(t)
    np.testing.assert_allclose([a, sigma], [a_r, sigma_r], rtol=1e-10)
    np.testing.assert_allclose(vp.log_snr(t), reverting.log_snr(t), atol=1e-10)
    (f, _, g2), (f_r, _, g2_r) = vp.sde(t), reverting.sde(t)
    np.testing.assert_allclose([f, g2], [f_r, g2_r], rtol=1e-10)
    for rule in (DDIM(0.5), Ancestral(1.0)):
        close(step(rule, vp, 0.7, 0.4, y=zero), *step(rule, reverting, 0.7, 0.4, y=zero))


@pytest.mark.parametrize(
    ("rate", "bridge"),
    [(ConstantRate(), brownian_bridge(0.7)), (LinearRate(1e-9), ddbm_ve(0.7**0.5))],
    ids=["BBDM", "DDBM-VE"],
)
def test_goub_tends_to_the_brownian_bridge_as_it_forgets_less(rate, bridge):
    """θ → 0 with 2 λ² θ̄(1) = v fixed: σ² = v u (1 − u) in the clock u of the rate, to the order of θ̄."""
    t, gaps = jnp.asarray(T), []
    for decay in (1e-2, 1e-4):
        process = pin(IRSDE(math.sqrt(0.7 / (2 * decay)), math.exp(-decay), rate))
        found, expected = np.stack(process.coefficients(t)), np.stack(bridge.coefficients(t))
        gaps.append(np.abs(found - expected).max())
        slope = np.abs(np.stack(process.sde(t)) / np.stack(bridge.sde(t)) - 1).max()
        assert slope < 2 * decay
    assert gaps[0] < 1e-2
    assert gaps[1] < 1e-4


@pytest.mark.parametrize("sigma_max", [80.0, 20.0])
def test_the_bridge_on_ve_is_that_of_ddbm(sigma_max):
    """Mean (t²/T²) x_T + (1 − t²/T²) x_0, deviation t √(1 − t²/T²); drift 2t (x_T − x)/(T² − t²): Table 1."""
    t, end = sigma_max * T, sigma_max
    bridge = pin(EDM(sigma_max))
    a, b, sigma = bridge.coefficients(jnp.asarray(T))
    np.testing.assert_allclose(b, t**2 / end**2, rtol=1e-10)
    np.testing.assert_allclose(a, 1 - t**2 / end**2, rtol=1e-10)
    np.testing.assert_allclose(sigma, t * np.sqrt(1 - t**2 / end**2), rtol=1e-10)
    f, h, g2 = bridge.sde(jnp.asarray(T))  # in our clock t/T, hence T times its rates
    pull = 2 * t / (end**2 - t**2)
    np.testing.assert_allclose([f, h], [-end * pull, end * pull], rtol=1e-9)
    np.testing.assert_allclose(g2, end * 2 * t, rtol=1e-9)


@pytest.mark.parametrize(("low", "high"), [(0.1, 2.1), (0.1, 20.0)])
def test_the_bridge_on_vp_is_that_of_ddbm(low, high):
    """a, b, σ by SNR_T/SNR_t and the drift f x + g² ((α_t/α_T) x_T − x)/(σ_t² (SNR_t/SNR_T − 1)): Eq. 8, Table 1."""
    beta = low + (high - low) * T
    alpha, alpha_end = (np.exp(-0.5 * (low * t + (high - low) * t**2 / 2)) for t in (T, 1.0))
    var, var_end = 1 - alpha**2, 1 - alpha_end**2
    snr, snr_end = alpha**2 / var, alpha_end**2 / var_end
    bridge = pin(VP(low, high))
    a, b, sigma = bridge.coefficients(jnp.asarray(T))
    np.testing.assert_allclose(a, alpha * (1 - snr_end / snr), rtol=1e-10)
    np.testing.assert_allclose(b, snr_end / snr * alpha / alpha_end, rtol=1e-10)
    np.testing.assert_allclose(sigma**2, var * (1 - snr_end / snr), rtol=1e-10)
    f, h, g2 = bridge.sde(jnp.asarray(T))
    pull = beta / (var * (snr / snr_end - 1))
    np.testing.assert_allclose(f, -beta / 2 - pull, rtol=1e-9)
    np.testing.assert_allclose(h, pull * alpha / alpha_end, rtol=1e-9)
    np.testing.assert_allclose(g2, beta, rtol=1e-9)


def ou(decay, std):
    """θ̄_{s:t} ↦ σ̄²_{s:t} = λ² (1 − e^{−2 θ̄_{s:t}})."""
    return std**2 * (1 - np.exp(-2 * decay))


@pytest.mark.parametrize(("std", "terminal"), [(60 / 255, 0.005), (0.9, 0.1)])
def test_the_bridge_on_irsde_is_goub(std, terminal):
    """m = e^{−θ̄_t} σ̄²_{t:T}/σ̄²_T, σ = σ̄_t σ̄_{t:T}/σ̄_T, and drift (θ + g² e^{−2 θ̄_{t:T}}/σ̄²_{t:T}) (x_T − x)."""
    theta = -np.log(terminal)
    now, left = theta * T, theta * (1 - T)
    bridge = pin(IRSDE(std, terminal, ConstantRate()))
    a, b, sigma = bridge.coefficients(jnp.asarray(T))
    m = np.exp(-now) * ou(left, std) / ou(theta, std)
    np.testing.assert_allclose([a, b], [m, 1 - m], rtol=1e-10)
    expected = np.sqrt(ou(now, std) * ou(left, std) / ou(theta, std))
    np.testing.assert_allclose(sigma, expected, rtol=1e-10)
    f, h, g2 = bridge.sde(jnp.asarray(T))
    pull = theta + 2 * std**2 * theta * np.exp(-2 * left) / ou(left, std)
    np.testing.assert_allclose([f, h], [-pull, pull], rtol=1e-9)
    np.testing.assert_allclose(g2, 2 * std**2 * theta, rtol=1e-9)


ELLS = np.linspace(0.7, 3.1, 9)
"""Log-SNRs that all processes pass: ResShift begins at 3.2, DenoisingSDE ends at 0.6."""


@pytest.mark.slow
def test_on_one_grid_of_noise_levels_all_processes_have_the_same_samples():
    """With x̂ = (x − b y)/a and σ̂ = σ/a there is one process: nine levels, and D at the end."""
    for eta, labels in ((0.0, REPRESENTATIVE), (0.5, list(EVERY)), (1.0, REPRESENTATIVE)):
        laws = [
            sampled(DDIM(eta), gaussian(EVERY[label]), EVERY[label].time(jnp.asarray(ELLS)))
            for label in labels
        ]
        for label, law in zip(labels, laws, strict=True):
            chex.assert_trees_all_close(law, laws[0], atol=1e-10, custom_message=label)


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


@each_pair
def test_ancestral_is_the_posterior_step_of_irsde(t, s):
    """With A = e^{−θ̄_{s:t}}, B = e^{−θ̄_t}, C = e^{−θ̄_s}: Luo et al. 2023, Prop. 2."""
    std, theta = 0.3, -np.log(0.005)
    a, b, c = np.exp(-theta * (t - s)), np.exp(-theta * t), np.exp(-theta * s)
    mean = a * (1 - c**2) / (1 - b**2) * (X - MU) + c * (1 - a**2) / (1 - b**2) * (X0 - MU) + MU
    deviation = std * np.sqrt((1 - a**2) * (1 - c**2) / (1 - b**2))
    close(step(Ancestral(), IRSDE(std, 0.005, ConstantRate()), t, s), mean, deviation)


@each_pair
def test_a_step_of_goub_is_the_posterior_of_its_forward_step(t, s):
    """Bayes' rule on x_t = m x_s + (1 − m) μ + σ ξ, the bridge started at s instead of 0."""
    std, theta = 0.25, -np.log(0.005)

    def forward(u, v):
        whole, left = ou(theta * (1 - u), std), ou(theta * (1 - v), std)
        m = np.exp(-theta * (v - u)) * left / whole
        return m, ou(theta * (v - u), std) * left / whole

    (m, variance), (m_s, variance_s) = forward(s, t), forward(0.0, s)
    precision = 1 / variance_s + m**2 / variance
    prior_mean = m_s * X0 + (1 - m_s) * MU
    mean = (prior_mean / variance_s + m * (X - (1 - m) * MU) / variance) / precision
    process = pin(IRSDE(std, 0.005, ConstantRate()))
    close(step(Ancestral(), process, t, s), mean, precision**-0.5)


def i2sb_variance(t):
    """σ_t² of its Eq. 11: the integral of the mirrored β, by quadrature."""
    edges = np.concatenate([np.linspace(0, min(t, 0.5), 4001), np.linspace(min(t, 0.5), t, 4001)])
    middle = (edges[1:] + edges[:-1]) / 2
    root = np.sqrt(0.1) + (np.sqrt(0.3) - np.sqrt(0.1)) * np.minimum(middle, 1 - middle)
    return np.sum(root**2 * np.diff(edges))


@each_pair
@pytest.mark.parametrize("rule", [Bridge(), Ancestral(), DDIM(1.0)], ids=repr)
def test_bridge_is_the_posterior_of_i2sb(rule, t, s):
    """With α² = σ_t² − σ_s²: (α² x0 + σ_s² x_t)/(α² + σ_s²) and variance α² σ_s²/(α² + σ_s²), Liu et al., Eq. 4."""
    late, early = i2sb_variance(t), i2sb_variance(s)
    between = late - early
    mean = (between * X0 + early * X) / (between + early)
    deviation = np.sqrt(between * early / (between + early))
    close(step(rule, i2sb(), t, s), mean, deviation, rtol=1e-6)


@pytest.mark.parametrize("steps", [20, 100, 1000])
def test_no_noise_level_of_i2sb_leaks_through_its_end(steps):
    """Published sums count the last β on both sides, so that x_1 has the weight U/(U + β): .966 at 20 steps; ours 1."""
    rise = np.linspace(np.sqrt(1e-4 * 1000 / steps), np.sqrt(0.3 / steps), steps) ** 2
    beta = np.concatenate([rise[: steps // 2], rise[: steps // 2][::-1]])
    forward, back = np.cumsum(beta), np.cumsum(beta[::-1])[::-1]
    leaky = forward[-1] / (forward[-1] + back[-1])
    np.testing.assert_allclose(1 - leaky, {20: 0.0342, 100: 0.007, 1000: 7e-4}[steps], rtol=0.05)

    process = i2sb()
    grid = uniform_times(process, steps).at[0].set(1.0)
    a, b, sigma = process.coefficients(grid)
    assert (a[0], b[0], sigma[0]) == (0, 1, 0)
    np.testing.assert_allclose(a + b, 1, rtol=1e-12)
    law = process.marginal(jnp.asarray(X0), grid[1], jnp.asarray(MU))
    close(step(DDIM(0.0), process, 1.0, grid[1], x=MU), law.mean, law.scale)


def published_bbdm(t, s, eta, scale=2.0):
    """Mean weights and variance of the published step: η scales the noise alone (Li et al. 2023, Eq. 11 for η = 1)."""
    now, then = scale * t * (1 - t), scale * s * (1 - s)
    fresh = (now - then * ((1 - t) / (1 - s)) ** 2) * then / now
    keep = np.sqrt((then - fresh) / now)
    return keep, (1 - s) - keep * (1 - t), s - keep * t, eta**2 * fresh


@each_pair
def test_ancestral_is_the_step_of_bbdm(t, s):
    keep, on_x0, on_y, variance = published_bbdm(t, s, 1.0)
    mean = keep * X + on_x0 * X0 + on_y * MU
    for rule in (Ancestral(), DDIM(1.0), Bridge()):
        close(step(rule, brownian_bridge(), t, s), mean, np.sqrt(variance))


@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
def test_with_less_noise_ddim_keeps_the_marginal_of_bbdm_and_the_published_step_does_not(eta):
    """From t = 0.6 to s = 0.4 the published step leaves s (1 − t)/(t (1 − s)) = 0.444 of the variance at η = 0."""
    t, s, process = 0.6, 0.4, brownian_bridge()
    now, then = 2 * t * (1 - t), 2 * s * (1 - s)
    zero = np.zeros(SHAPE)
    mean, deviation = step(DDIM(eta), process, t, s, x=X, x0=zero, y=zero)
    keep = mean.ravel()[0] / X.ravel()[0]
    np.testing.assert_allclose(keep**2 * now + deviation**2, then, rtol=1e-12)

    keep, _, _, variance = published_bbdm(t, s, eta)
    left = (keep**2 * now + variance) / then
    np.testing.assert_allclose(left, 4 / 9 + eta**2 * 5 / 9, rtol=1e-12)
    assert eta == 1 or left < 0.6


@pytest.mark.parametrize("n", [2, 8, 15])
def test_bridge_is_the_step_of_resshift(n):
    """(η_{n−1}/η_n) x_n + (α_n/η_n) x0 with variance κ² (η_{n−1}/η_n) α_n, 15 steps: Yue et al. 2023, Eq. 7."""
    place = np.arange(15) / 14
    eta = (0.02 * (0.99 / 0.02) ** (place**0.3)) ** 2
    late, early = eta[n - 1], eta[n - 2]
    alpha = late - early
    mean = early / late * X + alpha / late * X0
    found = step(Bridge(), ResShift(), place[n - 1], place[n - 2])
    close(found, mean, 2.0 * np.sqrt(early / late * alpha))


@each_pair
@pytest.mark.parametrize("process", [VP(), goub(), EDM(5.0)], ids=lambda p: type(p).__name__)
def test_ancestral_is_sde_dpm_solver_of_order_one(process, t, s):
    """x − b y: (σ_s/σ_t) e^{−h} x + α_s (1 − e^{−2h}) D + σ_s √(1 − e^{−2h}) ξ, Lu et al. 2022, App. B."""
    (a, b, sigma), (a_s, b_s, sigma_s) = (map(float, process.coefficients(u)) for u in (t, s))
    h = np.log(a_s / sigma_s) - np.log(a / sigma)
    mean = sigma_s / sigma * np.exp(-h) * (X - b * MU) + a_s * -np.expm1(-2 * h) * X0 + b_s * MU
    close(step(Ancestral(), process, t, s), mean, sigma_s * np.sqrt(-np.expm1(-2 * h)))


@each_pair
def test_deterministic_steps_between_two_images_are_those_of_indi_and_cold_diffusion(t, s):
    """(s/t) x + (1 − s/t) D of InDI and of I2SB's OT-ODE, and x − D(x̂0, t) + D(x̂0, s) of cold diffusion's Algorithm 2.

    There the degradation is D(x0, t) = (1 − t) x0 + t y with the y that x and x̂0 imply.
    """
    indi = s / t * X + (1 - s / t) * X0
    implied = (X - (1 - t) * X0) / t
    cold = X - ((1 - t) * X0 + t * implied) + ((1 - s) * X0 + s * implied)
    close(step(Bridge(), Interpolation(0.0), t, s), indi, 0.0)
    close((indi,), cold)
    for process in (Interpolation(1e-9), brownian_bridge(1e-18)):
        for rule in (Bridge(), DDIM(0.0)) if isinstance(process, Interpolation) else (Bridge(),):
            mean, deviation = step(rule, process, t, s)
            np.testing.assert_allclose(mean, indi, rtol=1e-8, atol=1e-8)
            assert deviation < 1e-8


def test_without_noise_only_bridge_steps_are_taken_for_a_path_between_two_images():
    """From the degraded image in n steps of `Bridge` with the true x0: it is reached, by a straight line."""
    x, times = MU, np.linspace(1, 0, 8)
    for t, s in itertools.pairwise(times):
        x, deviation = step(Bridge(), Interpolation(0.0), t, s, x=x)
        np.testing.assert_allclose(x, (1 - s) * X0 + s * MU, rtol=1e-12, atol=1e-15)
        assert deviation == 0
