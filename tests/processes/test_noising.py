"""Every process: its curves agree with each other, with the SDE derived from them, and with its source's formulas."""

import itertools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from affine import PROCESSES, name

from jaxir.processes import VE, VP, CosineVP, Process

each_process = pytest.mark.parametrize("process", PROCESSES, ids=name)


def inside(process: Process, count: int = 33) -> jax.Array:
    """Times over the whole span, dense at both ends."""
    low, high = process.span
    u = np.linspace(0, np.pi, count)
    return jnp.asarray(low + (high - low) * 0.5 * (1 - np.cos(u)))


def by_hand(process: Process, t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(a, σ²) as the sources print them, in numpy."""
    match name(process):
        case "VP":  # Song et al. 2021, Eq. 33, with β(t) = β₀ + t (β₁ − β₀)
            log_a = -0.25 * t**2 * (20 - 0.1) - 0.5 * t * 0.1
            return np.exp(log_a), 1 - np.exp(2 * log_a)
        case "CosineVP":  # Nichol & Dhariwal 2021, Eq. 17
            f = [np.cos((u + 0.008) / 1.008 * np.pi / 2) ** 2 for u in (t, 0.0)]
            return np.sqrt(f[0] / f[1]), 1 - f[0] / f[1]
        case "VE":  # Song et al. 2021, Eq. 31
            return np.ones_like(t), (0.002 * (80 / 0.002) ** t) ** 2
        case _:  # Lipman et al. 2023, Eq. 20 with σ_min = 0 and time reversed
            return 1 - t, t**2


@each_process
def test_coefficients_are_those_of_the_source(x64, process):
    t = inside(process)
    a, b, sigma = process.coefficients(t)
    a_hand, variance = by_hand(process, np.asarray(t))
    np.testing.assert_allclose(a, a_hand, rtol=1e-12)
    np.testing.assert_allclose(sigma**2, variance, rtol=1e-9)  # by hand 1 − a² cancels
    assert not b.any()


@each_process
def test_log_snr_is_the_logarithm_of_a_over_sigma_and_decreases(x64, process):
    t = inside(process)
    a, _, sigma = process.coefficients(t)
    np.testing.assert_allclose(process.log_snr(t), jnp.log(a / sigma), rtol=1e-11, atol=1e-11)
    assert jnp.all(jnp.diff(process.log_snr(t)) < 0)


@each_process
@pytest.mark.parametrize(
    ("x64_on", "tolerance"), [(True, 1e-12), (False, 3e-7)], ids=["f64", "f32"]
)
def test_time_inverts_log_snr(process, x64_on, tolerance):
    """Back from ℓ, the error of ℓ is that of t through |dℓ/dt|, 1000 at the noisy end of a flow."""
    with jax.enable_x64(x64_on):
        t = inside(process)
        chex.assert_trees_all_close(process.time(process.log_snr(t)), t, atol=tolerance)
        low, high = (process.log_snr(jnp.asarray(end)) for end in process.span)
        ell = jnp.linspace(high, low, 33)
        chex.assert_trees_all_close(process.log_snr(process.time(ell)), ell, atol=1e3 * tolerance)


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


@each_process
def test_forward_laws_compose(x64, process):
    """From s to u and from u to t is from s to t, and the marginal at s goes over into the marginal at t."""
    low, high = process.span
    s, u, t = (jnp.asarray(low + share * (high - low)) for share in (0.15, 0.4, 0.8))
    x = jnp.array([[[0.3, -1.2, 2.0]]])

    def through(start, scale, *times):
        mean, variance = start, scale**2
        for now, then in itertools.pairwise(times):
            law = process.forward(mean, now, then)
            gain = process.coefficients(then).a / process.coefficients(now).a
            mean, variance = law.mean, gain**2 * variance + law.scale**2
        return mean, variance

    chex.assert_trees_all_close(through(x, 0.0, s, u, t), through(x, 0.0, s, t), rtol=1e-12)
    at_s, at_t = process.marginal(x, s), process.marginal(x, t)
    expected = (at_t.mean, at_t.scale**2)
    chex.assert_trees_all_close(through(at_s.mean, at_s.scale, s, u, t), expected, rtol=1e-11)


@each_process
def test_velocity_is_the_time_derivative_of_the_path(x64, process):
    """For the true x0 the probability flow carries a x0 + σ ε along its own curve."""
    low, high = process.span
    t = jnp.linspace(low + 0.02, high - 0.02, 9)
    x0, eps, gap = jnp.array([[[0.7, -0.2]]]), jnp.array([[[0.5, 1.3]]]), 1e-5

    def path(t):
        a, _, sigma = process.coefficients(t)
        return a * x0 + sigma * eps

    found = jax.vmap(lambda t: process.velocity(path(t), t, x0))(t)
    expected = jax.vmap(lambda t: (path(t + gap) - path(t - gap)) / (2 * gap))(t)
    chex.assert_trees_all_close(found, expected, rtol=1e-6, atol=1e-6)


@each_process
def test_score_is_the_gradient_of_the_log_marginal_given_x0(x64, process):
    t, x0, x = jnp.asarray(0.4), jnp.array([[[0.7, -0.2]]]), jnp.array([[[0.1, 1.5]]])
    expected = jax.grad(lambda x: process.marginal(x0, t).log_prob(x))(x)
    chex.assert_trees_all_close(process.score(x, t, x0), expected, rtol=1e-12)


def test_a_new_rate_does_not_retrace():
    @jax.jit
    @chex.assert_max_traces(n=1)
    def sigma(process, t):
        return process.coefficients(t).sigma

    found = [sigma(VP(beta_max=top), 0.5) for top in (20.0, 10.0, 5.0)]
    assert found[0] > found[1] > found[2]


def test_parameters_can_be_traced():
    """Made inside `grad` or `vmap`, where values cannot be compared, a process is not refused."""
    slope = jax.grad(lambda top: VP(beta_max=top).coefficients(jnp.asarray(0.5)).a)(20.0)
    assert slope < 0
    levels = jax.vmap(lambda top: VE(sigma_max=top).coefficients(jnp.asarray(1.0)).sigma)
    chex.assert_trees_all_close(levels(jnp.array([10.0, 80.0])), jnp.array([10.0, 80.0]), rtol=1e-5)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: VP(beta_min=0.0), "beta_min is 0.0 and beta_max 20.0, expected 0 < beta_min"),
        (lambda: VP(beta_min=5.0, beta_max=1.0), "beta_min is 5.0 and beta_max 1.0"),
        (lambda: CosineVP(offset=-0.1), "offset is -0.1, expected a positive"),
        (lambda: VE(sigma_min=0.0), "sigma_min is 0.0 and sigma_max 80.0"),
    ],
)
def test_impossible_parameters_are_refused(make, text):
    with pytest.raises(ValueError, match=text):
        make()
