"""Every process: its curves agree with each other, with the SDE derived from them, and with its source's formulas."""

import dataclasses
import itertools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from affine import EVERY, PINNED, PROCESSES, REVERTING, Y, name

from jaxir.processes import (
    EDM,
    IRSDE,
    VE,
    VP,
    AsItIs,
    CosineRate,
    CosineVP,
    DenoisingSDE,
    Interpolation,
    LinearRate,
    Pinned,
    Process,
    ResShift,
    SubVP,
    SymmetricWiener,
    Wiener,
    brownian_bridge,
    ddbm_ve,
    ddbm_vp,
    pin,
)

each_process = pytest.mark.parametrize("process", PROCESSES, ids=name)
COUPLED = {**REVERTING, **PINNED}
each_coupled = pytest.mark.parametrize("process", COUPLED.values(), ids=COUPLED)
X0 = np.array([[[0.7, -0.2, 1.1]]])
EPS = np.array([[[0.5, 1.3, -0.6]]])


def inside(process: Process, count: int = 33, dtype: type = float) -> jax.Array:
    """Times over the whole span, dense at both ends."""
    low, high = process.span
    u = np.linspace(0, np.pi, count)
    return jnp.asarray(np.clip(low + (high - low) * 0.5 * (1 - np.cos(u)), low, high), dtype)


def vp(t, low=0.1, high=20.0):
    """α and σ² of Song et al. 2021, Eq. 33, with β(t) = β₀ + t (β₁ − β₀)."""
    log_a = -0.25 * t**2 * (high - low) - 0.5 * t * low
    return np.exp(log_a), 1 - np.exp(2 * log_a)


def cosine_decay(t, terminal=0.005):
    """θ̄ with θ ∝ 1 − f(t)/f(0), f = cos²((t + o)/(1 + o) π/2) of Nichol & Dhariwal 2021, integrated term by term."""
    phi = lambda u: (u + 0.008) / 1.008 * np.pi / 2  # noqa: E731
    cos2 = lambda u: u / 2 + np.sin(2 * phi(u)) / (4 * np.pi / 2 / 1.008)  # noqa: E731
    integral = lambda u: u - (cos2(u) - cos2(0.0)) / np.cos(phi(0.0)) ** 2  # noqa: E731
    return -np.log(terminal) * integral(t) / integral(1.0)


def irsde(decay, std):
    """(m, 1 − m, λ² (1 − e^{−2 θ̄})), Luo et al. 2023, Eq. 6."""
    return np.exp(-decay), 1 - np.exp(-decay), std**2 * (1 - np.exp(-2 * decay))


def ddbm(alpha, sigma2, alpha_end, sigma2_end):
    """Zhou et al. 2024, Eq. 8: with SNR = α²/σ², a = α (1 − SNR_T/SNR_t), b = (SNR_T/SNR_t) α_t/α_T."""
    ratio = (alpha_end**2 / sigma2_end) / (alpha**2 / sigma2)
    return alpha * (1 - ratio), ratio * alpha / alpha_end, sigma2 * (1 - ratio)


def by_hand(label: str, t: np.ndarray) -> tuple[np.ndarray | float, ...]:
    """(a, b, σ²) as the sources print them, in numpy."""
    match label:
        case "VP":
            a, variance = vp(t)
            return a, 0, variance
        case "SubVP":  # Song et al. 2021, Eq. 29: the standard deviation is VP's variance
            a, variance = vp(t)
            return a, 0, variance**2
        case "CosineVP":  # Nichol & Dhariwal 2021, Eq. 17
            f = [np.cos((u + 0.008) / 1.008 * np.pi / 2) ** 2 for u in (t, 0.0)]
            return np.sqrt(f[0] / f[1]), 0, 1 - f[0] / f[1]
        case "Flow":  # Lipman et al. 2023, Eq. 20 with σ_min = 0 and time reversed
            return 1 - t, 0, t**2
        case "VE":  # Song et al. 2021, Eq. 31
            return 1, 0, (0.002 * (80 / 0.002) ** t) ** 2
        case "EDM":  # Karras et al. 2022, Table 1: σ is the time itself
            return 1, 0, (80 * t) ** 2
        case "Wiener":
            return 1, 0, t
        case "DenoisingSDE":  # IR-SDE with μ = x0
            return 1, 0, (140 / 255) ** 2 * (1 - np.exp(-2 * cosine_decay(t)))
        case "IRSDE":
            return irsde(cosine_decay(t), 100 / 255)
        case "IRSDE-constant":
            return irsde(-np.log(0.005) * t, 100 / 255)
        case "IRSDE-linear":  # the mean of the first and the present rate, times t
            return irsde(-np.log(0.005) * t * (0.005 + 0.005 + 0.995 * t) / 1.005, 100 / 255)
        case "ResShift":  # Yue et al. 2023, Eqs. 2 and 10
            eta = (0.02 * (0.99 / 0.02) ** (t**0.3)) ** 2
            return 1 - eta, eta, 2**2 * eta
        case "Interpolation":
            return 1 - t, t, (0.5 * t) ** 2
        case "BrownianBridge":  # Li et al. 2023, Eqs. 4 and 5 with m = t and s = 1
            return 1 - t, t, 2 * (t - t**2)
        case "I2SB":  # Liu et al. 2023, Eq. 11: √β rises from √0.1 to √0.3 in a time of 1, and is mirrored at ½
            first, rise = np.sqrt(0.1), np.sqrt(0.3) - np.sqrt(0.1)
            half = lambda u: ((first + rise * u) ** 3 - first**3) / (3 * rise)  # noqa: E731
            whole = 2 * half(0.5)
            forward = np.where(t < 0.5, half(np.minimum(t, 0.5)), whole - half(1 - t))
            back = whole - forward
            return back / whole, forward / whole, forward * back / whole
        case "DDBM-VE":
            return ddbm(1, (80 * t) ** 2, 1, 80**2)
        case "DDBM-VP":
            return ddbm(*vp(t, 0.1, 2.1), *vp(1.0, 0.1, 2.1))
        case "GOUB":  # Yue et al. 2024, Eqs. 9 to 11
            now, end, std = cosine_decay(t), cosine_decay(1.0), 60 / 255
            variance = lambda u: std**2 * (1 - np.exp(-2 * u))  # noqa: E731
            m = np.exp(-now) * variance(end - now) / variance(end)
            return m, 1 - m, variance(now) * variance(end - now) / variance(end)
    raise AssertionError(label)


@pytest.mark.parametrize("label", EVERY)
def test_coefficients_are_those_of_the_source(x64, label):
    t = inside(EVERY[label])
    found = EVERY[label].coefficients(t)
    a, b, variance = by_hand(label, np.asarray(t))
    np.testing.assert_allclose(found.a, np.broadcast_to(a, t.shape), rtol=1e-10)
    np.testing.assert_allclose(found.b, np.broadcast_to(b, t.shape), rtol=1e-10, atol=1e-14)
    np.testing.assert_allclose(found.sigma**2, variance, rtol=1e-9)  # by hand 1 − a² cancels


@each_process
def test_log_snr_is_the_logarithm_of_a_over_sigma_and_decreases(x64, process):
    t = inside(process)
    a, _, sigma = process.coefficients(t)
    np.testing.assert_allclose(process.log_snr(t), jnp.log(a / sigma), rtol=1e-11, atol=1e-11)
    assert jnp.all(jnp.diff(process.log_snr(t)) < 0)


@each_process
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_time_inverts_log_snr(process, dtype):
    """To 16 roundings of t, and of ℓ through |dt/dℓ|; for a bridge ℓ is that of its base, which is rounded first."""
    with jax.enable_x64(dtype is np.float64):
        t = inside(process, dtype=dtype)
        found = process.time(process.log_snr(t))
        assert found.dtype == dtype
    with jax.enable_x64(True):
        at = jnp.asarray(t, np.float64)
        base = process.base if isinstance(process, Pinned) else process
        ell, slope = map(np.asarray, jax.jvp(base.log_snr, (at,), (jnp.ones_like(at),)))
    error = np.abs(np.asarray(found, np.float64) - np.asarray(t))
    eps = np.finfo(dtype).eps
    assert np.all(error <= 16 * eps * (np.asarray(t) + (1 + abs(ell)) / abs(slope)) + eps**2)
    assert dtype is np.float32 or np.all(error < 1e-11)


@each_process
def test_sigma_in_float32_is_right_at_the_clean_end(process):
    t = np.geomspace(max(process.span[0], 1e-4), 0.1, 50).astype(np.float32)
    single = np.asarray(process.coefficients(jnp.asarray(t)).sigma)
    with jax.enable_x64(True):
        double = np.asarray(process.coefficients(jnp.asarray(t, jnp.float64)).sigma)
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, double, rtol=1e-6)


@each_process
def test_the_sde_has_the_moments_of_the_marginal(x64, process):
    """m' = f m + h y and V' = 2 f V + g² for m = a x0 + b y and V = σ²; the derivatives by central differences."""
    low, high = process.span
    t = jnp.linspace(low + 0.02, high - 0.02, 25)
    gap = 1e-5

    def slope(f):
        return (f(t + gap) - f(t - gap)) / (2 * gap)

    f, h, g2 = process.sde(t)
    a, b, sigma = process.coefficients(t)
    x0, y = 0.7, -0.4

    def mean(t):
        a, b, _ = process.coefficients(t)
        return a * x0 + b * y

    variance = slope(lambda t: process.coefficients(t).sigma ** 2)
    chex.assert_trees_all_close(slope(mean), f * (a * x0 + b * y) + h * y, atol=1e-6, rtol=1e-6)
    chex.assert_trees_all_close(variance, 2 * f * sigma**2 + g2, atol=1e-6, rtol=1e-6)
    assert jnp.all(g2 > 0)


def test_the_sde_of_vp_is_the_printed_one(x64):
    """f = −β/2 and g² = β, Song et al. 2021, Eq. 32."""
    t = inside(VP())
    f, h, g2 = VP().sde(t)
    beta = 0.1 + t * 19.9
    chex.assert_trees_all_close(f, -beta / 2, rtol=1e-12)
    chex.assert_trees_all_close(g2, beta, rtol=1e-12)
    assert not h.any()


@pytest.mark.parametrize("bridge", [*PINNED.values(), pin(VP())], ids=[*PINNED, "pin(VP)"])
def test_a_bridge_has_the_noise_of_its_base_and_its_drift_pulled_to_the_end(x64, bridge):
    """Doob: the base's drift + g² ∇ₓ log p(x_T = y | x_t = x), and g² as it was."""
    base, end = bridge.base, jnp.asarray(bridge.base.span[1])
    x, y = jnp.asarray(X0), jnp.asarray(Y)
    for t in inside(bridge, 7)[1:-1]:
        f, h, g2 = bridge.sde(t)
        f0, h0, g02 = base.sde(t)
        pull = jax.grad(lambda x, t=t: base.forward(x, t, end, y).log_prob(y))(x)
        chex.assert_trees_all_close(g2, g02, rtol=1e-9)
        chex.assert_trees_all_close(f * x + h * y, f0 * x + h0 * y + g02 * pull, rtol=1e-8)


@each_process
def test_forward_laws_compose(x64, process):
    """From s to u and from u to t is from s to t, and the marginal at s goes over into the marginal at t."""
    low, high = process.span
    s, u, t = (jnp.asarray(low + share * (high - low)) for share in (0.15, 0.4, 0.8))
    x, y = jnp.array([[[0.3, -1.2, 2.0]]]), jnp.asarray(Y)

    def through(start, scale, *times):
        mean, variance = start, scale**2
        for now, then in itertools.pairwise(times):
            law = process.forward(mean, now, then, y)
            gain = process.coefficients(then).a / process.coefficients(now).a
            mean, variance = law.mean, gain**2 * variance + law.scale**2
        return mean, variance

    chex.assert_trees_all_close(through(x, 0.0, s, u, t), through(x, 0.0, s, t), rtol=1e-11)
    at_s, at_t = process.marginal(x, s, y), process.marginal(x, t, y)
    expected = (at_t.mean, at_t.scale**2)
    chex.assert_trees_all_close(through(at_s.mean, at_s.scale, s, u, t), expected, rtol=1e-11)


@each_process
def test_velocity_is_the_time_derivative_of_the_path(x64, process):
    """For the true x0 the probability flow carries a x0 + b y + σ ε along its own curve."""
    low, high = process.span
    t = jnp.linspace(low + 0.02, high - 0.02, 9)
    gap = 1e-5

    def path(t):
        a, b, sigma = process.coefficients(t)
        return a * X0 + b * Y + sigma * EPS

    found = jax.vmap(lambda t: process.velocity(path(t), t, X0, jnp.asarray(Y)))(t)
    expected = jax.vmap(lambda t: (path(t + gap) - path(t - gap)) / (2 * gap))(t)
    chex.assert_trees_all_close(found, expected, rtol=1e-6, atol=1e-6)


@each_process
def test_score_is_the_gradient_of_the_log_marginal_given_x0(x64, process):
    t, x0, x, y = jnp.asarray(0.4), jnp.asarray(X0), jnp.asarray(EPS), jnp.asarray(Y)
    expected = jax.grad(lambda x: process.marginal(x0, t, y).log_prob(x))(x)
    chex.assert_trees_all_close(process.score(x, t, x0, y), expected, rtol=1e-11)


def doubled(y):
    """An enlargement by 2."""
    return jnp.repeat(jnp.repeat(y, 2, axis=0), 2, axis=1)


@each_coupled
def test_a_measurement_is_lifted_to_an_image_wherever_y_enters(process):
    lifted = dataclasses.replace(process, lift=jax.tree_util.Partial(doubled))
    small, t, s = jnp.asarray(Y, jnp.float32), jnp.asarray(0.6), jnp.asarray(0.3)
    large, x = doubled(small), jnp.full((2, 2, 3), 0.4)
    for use in (
        lambda process, y: process.start(x, t, y),
        lambda process, y: process.marginal(x, t, y),
        lambda process, y: process.forward(x, s, t, y),
        lambda process, y: process.score(x, t, 0.5 * x, y),
        lambda process, y: process.velocity(x, t, 0.5 * x, y),
    ):
        chex.assert_trees_all_equal(use(lifted, small), use(process, large))


def test_a_bridge_lifts_as_its_base_does_unless_told_otherwise():
    lift = jax.tree_util.Partial(doubled)
    assert pin(IRSDE(lift=lift)).lift is lift
    assert pin(VP(), lift=lift).lift is lift
    assert pin(VP()).lift == AsItIs()


@each_coupled
def test_without_the_degraded_image_a_coupled_process_refuses(process):
    with pytest.raises(ValueError, match="moves towards the degraded image but y is None"):
        process.marginal(jnp.asarray(X0), jnp.asarray(0.5))


@each_process
def test_new_values_of_its_parameters_do_not_retrace(process):
    traces = []

    @jax.jit
    def levels(process, t):
        traces.append(1)
        return process.coefficients(t), process.time(process.log_snr(t))

    other = jax.tree.map(lambda value: 0.99 * value, process)
    found = [levels(p, jnp.asarray(0.5)) for p in (process, other)]
    chex.assert_tree_all_finite(found)
    assert len(traces) == 1
    assert not jax.tree.leaves(process) or found[0][0] != found[1][0]


def test_parameters_can_be_traced():
    """Made inside `grad` or `vmap`, where values cannot be compared, a process is not refused."""
    slope = jax.grad(lambda top: VP(beta_max=top).coefficients(jnp.asarray(0.5)).a)(20.0)
    assert slope < 0
    levels = jax.vmap(lambda top: VE(sigma_max=top).coefficients(jnp.asarray(1.0)).sigma)
    chex.assert_trees_all_close(levels(jnp.array([10.0, 80.0])), jnp.array([10.0, 80.0]), rtol=1e-5)
    slope = jax.grad(lambda std: pin(IRSDE(std)).coefficients(jnp.asarray(0.5)).sigma)(0.2)
    assert slope > 0


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: VP(beta_min=0.0), "beta_min is 0.0 and beta_max 20.0, expected 0 < beta_min"),
        (lambda: VP(beta_min=5.0, beta_max=1.0), "beta_min is 5.0 and beta_max 1.0"),
        (lambda: SubVP(beta_max=0.1), "beta_min is 0.1 and beta_max 0.1"),
        (lambda: ddbm_vp(2.0, 1.0), "beta_min is 2.0 and beta_max 1.0"),
        (lambda: CosineVP(offset=-0.1), "offset is -0.1, expected a positive"),
        (lambda: VE(sigma_min=0.0), "sigma_min is 0.0 and sigma_max 80.0"),
        (lambda: EDM(-1.0), "sigma_max is -1.0, expected a positive"),
        (lambda: ddbm_ve(0.0), "sigma_max is 0.0, expected a positive"),
        (lambda: Wiener(0.0), "variance is 0.0, expected a positive"),
        (lambda: brownian_bridge(-2.0), "variance is -2.0, expected a positive"),
        (lambda: SymmetricWiener(0.4, 0.3), "g_end is 0.4 and g_middle 0.3"),
        (lambda: DenoisingSDE(std=0.0), "std is 0.0, expected a positive"),
        (lambda: DenoisingSDE(terminal=0.0), r"terminal is 0.0, expected a number in \(0, 1\)"),
        (lambda: IRSDE(std=-1.0), "std is -1.0, expected a positive"),
        (lambda: IRSDE(terminal=1.0), r"terminal is 1.0, expected a number in \(0, 1\)"),
        (lambda: ResShift(gain=0.0), "gain is 0.0, expected a positive"),
        (lambda: ResShift(power=-0.3), "power is -0.3, expected a positive"),
        (lambda: ResShift(last=1.0), "first is 0.02 and last 1.0, expected 0 < first < last < 1"),
        (lambda: Interpolation(-0.1), "std is -0.1, expected 0 or more"),
        (lambda: LinearRate(0.0), "first is 0.0, expected a positive"),
        (lambda: CosineRate(-0.1), "offset is -0.1, expected a positive"),
    ],
)
def test_impossible_parameters_are_refused(make, text):
    with pytest.raises(ValueError, match=text):
        make()
