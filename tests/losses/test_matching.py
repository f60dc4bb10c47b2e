"""The matching loss: every row with every weight is w(t) · mean |x̂0 − x0|², and the weights are those of MATH.md §3."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxir.denoisers import (
    AngleVelocity,
    CleanImage,
    NetworkDenoiser,
    Noise,
    Preconditioned,
    Score,
    Velocity,
)
from jaxir.losses import (
    edm_weight,
    matching_loss,
    min_snr_weight,
    output_weight,
    simple_weight,
    vlb_weight,
)
from jaxir.networks import UNet
from jaxir.processes import (
    IRSDE,
    VE,
    VP,
    CosineVP,
    Flow,
    ResShift,
    goub,
    i2sb,
    uniform_times,
)

pytestmark = pytest.mark.usefixtures("x64", "quick_compile")

ROWS = [CleanImage(), Noise(), Score(), Velocity(), AngleVelocity(), Preconditioned()]
PROCESSES = [VP(), CosineVP(), VE(sigma_max=10.0), Flow()]
WEIGHTS = [
    output_weight,
    simple_weight,
    vlb_weight,
    min_snr_weight,
    functools.partial(min_snr_weight, gamma=1.0),
    edm_weight,
]


def name(value: object) -> str:
    return getattr(value, "__name__", type(value).__name__)


def untrained(params, x, condition):
    """A network in float64, wrong everywhere and different at each noise level."""
    return params * jnp.tanh(x + condition) + 0.3


def denoiser(process, row, data_std=0.5):
    return NetworkDenoiser(process, jnp.asarray(0.7), untrained, row, data_std)


def noisy(key, process, x0, t):
    """x_t and the ε in it, drawn as the loss draws them."""
    eps = jax.random.normal(key, x0.shape, x0.dtype)
    a, _, sigma = process.coefficients(t)
    return a * x0 + sigma * eps, eps


def inside(process):
    """Five times of the span, both ends among them."""
    return uniform_times(process, 5).astype(jnp.float64)


@pytest.fixture
def x0(x64):
    return 0.5 * jax.random.normal(jax.random.key(7), (4, 5, 3), jnp.float64)


@pytest.mark.parametrize("process", PROCESSES, ids=name)
@pytest.mark.parametrize("row", ROWS, ids=name)
def test_every_row_with_every_weight_is_the_weighted_error_of_x0(key, x0, process, row):
    d = denoiser(process, row)
    for t in inside(process):
        x, _ = noisy(key, process, x0, t)
        error = jnp.mean((d(x, t) - x0) ** 2)
        for weight in WEIGHTS:
            loss = matching_loss(key, d, x0, t, weighting=weight)
            np.testing.assert_allclose(loss, weight(d, t) * error, rtol=1e-8)


def seeing(params, x, condition, y):
    """The same, given y."""
    return untrained(params, x, condition) + 0.2 * y


@pytest.mark.parametrize("process", [IRSDE(), ResShift(), goub(), i2sb()], ids=name)
@pytest.mark.parametrize("row", ROWS, ids=name)
def test_on_a_process_that_moves_towards_y_it_is_the_same(key, x0, process, row):
    """The row's part of y and the state's drop out of the error, and the network sees y."""
    y = jnp.roll(x0, 1, axis=0) - 0.1
    d = NetworkDenoiser(process, jnp.asarray(0.7), seeing, row, sees_y=True)
    for t in inside(process)[:-1]:
        eps = jax.random.normal(key, x0.shape, x0.dtype)
        a, b, sigma = process.coefficients(t)
        error = jnp.mean((d(a * x0 + b * y + sigma * eps, t, y) - x0) ** 2)
        loss = matching_loss(key, d, x0, t, y, weighting=simple_weight)
        np.testing.assert_allclose(loss, simple_weight(d, t) * error, rtol=1e-8)


def test_sr3s_loss_is_the_mean_absolute_error_of_the_noise(key, x0):
    d, t = denoiser(VP(), Noise()), jnp.asarray(0.4)
    x, eps = noisy(key, VP(), x0, t)
    found = matching_loss(key, d, x0, t, power=1)
    np.testing.assert_allclose(found, jnp.mean(jnp.abs(d.output(x, t) - eps)), rtol=1e-10)


def test_the_weight_is_inside_the_power_whatever_the_row(key, x0):
    """|√w (x̂0 − x0)|^p for p = 1 and 3 with the weight of L_simple, from a row with another one."""
    d, t = denoiser(VP(), AngleVelocity()), jnp.asarray(0.4)
    x, _ = noisy(key, VP(), x0, t)
    error = jnp.sqrt(simple_weight(d, t)) * jnp.abs(d(x, t) - x0)
    for power in (1, 3.0):
        found = matching_loss(key, d, x0, t, weighting=simple_weight, power=power)
        np.testing.assert_allclose(found, jnp.mean(error**power), rtol=1e-8)


def test_only_the_pixels_that_count_are_in_the_mean(key, x0):
    """Palette's loss: one value a pixel for all channels, told by y."""
    y = jnp.roll(x0, 1, axis=0)
    d, t = NetworkDenoiser(VP(), jnp.asarray(0.7), seeing, Noise(), sees_y=True), jnp.asarray(0.4)
    x, eps = noisy(key, VP(), x0, t)
    found = matching_loss(key, d, x0, t, y, where=lambda y: y[..., :1] > 0)
    error = np.asarray(d.output(x, t, y) - eps)[np.asarray(y[..., 0] > 0)]
    np.testing.assert_allclose(found, np.mean(error**2), rtol=1e-10)


def test_the_same_holds_for_an_untrained_unet(key, x0):
    network = UNet(widths=(8,), blocks=(1,), embedding=8)
    params = jax.tree.map(lambda p: p + 0.05, network.init(key))
    d = NetworkDenoiser(VP(), params, network.apply)
    t = jnp.asarray(0.3)
    x, _ = noisy(key, VP(), x0, t)
    loss = matching_loss(key, d, x0, t, weighting=simple_weight)
    expected = simple_weight(d, t) * jnp.mean((d(x, t) - x0) ** 2)
    np.testing.assert_allclose(loss, expected, rtol=1e-5)  # the network rounds to float32


def test_the_loss_is_zero_for_the_truth_and_draws_the_noise_it_was_given(key, x0):
    """A network that knows x0 answers the target of each row, so the loss vanishes."""
    for row in ROWS:
        process, t = VP(), jnp.asarray(0.4)
        _, eps = noisy(key, process, x0, t)
        u, v, _ = row.row(process, t)
        d = NetworkDenoiser(process, u * x0 + v * eps, lambda p, x, c: p, row)
        assert matching_loss(key, d, x0, t) == 0


LOG_SNR_SLOPES = {
    "VP": lambda t: -0.5 * (0.1 + 19.9 * t) / -np.expm1(-(0.1 * t + 9.95 * t**2)),
    "VE": lambda t: np.full_like(t, -np.log(10.0 / 0.002)),
    "Flow": lambda t: -1 / (1 - t) - 1 / t,
}
"""ℓ' by hand, from the curves of each process's source."""


@pytest.mark.parametrize("process", [VP(), VE(sigma_max=10.0), Flow()], ids=name)
@pytest.mark.parametrize("row", ROWS, ids=name)
def test_plain_mean_squared_error_on_the_output_has_the_weight_of_the_table(process, row):
    """MATH.md §3.1: x0 1, ε SNR, score a²/σ⁴, velocity (a ℓ')², v 1 + SNR, F SNR + 1/σ_d²."""
    t = inside(process)
    a, _, sigma = process.coefficients(t)
    snr = np.asarray((a / sigma) ** 2)
    expected = {
        "CleanImage": np.ones(5),
        "Noise": snr,
        "Score": snr / sigma**2,
        "Velocity": (a * LOG_SNR_SLOPES[name(process)](np.asarray(t))) ** 2,
        # on a VP 1 + SNR; elsewhere the angle's v of the rescaled state: (a² + σ²)/σ²
        "AngleVelocity": (a**2 + sigma**2) / sigma**2,
        "Preconditioned": snr + 1 / 0.5**2,
    }[name(row)]
    found = jax.vmap(functools.partial(output_weight, denoiser(process, row)))(t)
    np.testing.assert_allclose(found, expected, rtol=1e-9)


@pytest.mark.parametrize("process", PROCESSES, ids=name)
def test_the_simple_weight_is_mean_squared_error_on_the_noise(key, x0, process):
    for row in (CleanImage(), Preconditioned()):
        d = denoiser(process, row)
        for t in inside(process):
            x, eps = noisy(key, process, x0, t)
            expected = jnp.mean((process.eps(x, t, d(x, t)) - eps) ** 2)
            loss = matching_loss(key, d, x0, t, weighting=simple_weight)
            np.testing.assert_allclose(loss, expected, rtol=1e-7)


@pytest.mark.parametrize("process", PROCESSES, ids=name)
def test_the_variational_weight_is_the_limit_of_the_discrete_one(process):
    """½ (SNR_s − SNR_t)/(t − s) at t − s → 0: MATH.md Eq. 3.1."""
    d, gap = denoiser(process, CleanImage()), 1e-5
    for t in inside(process)[1:-1]:
        snr_s, snr_t = (jnp.exp(2 * process.log_snr(t + h)) for h in (-gap / 2, gap / 2))
        np.testing.assert_allclose(vlb_weight(d, t), 0.5 * (snr_s - snr_t) / gap, rtol=1e-6)


def test_min_snr_caps_the_snr():
    d = denoiser(Flow(), CleanImage())
    t = jnp.asarray([0.1, 0.25, 0.5, 0.9])  # SNR = ((1 − t)/t)² = 81, 9, 1, 1/81
    weight = jax.vmap(functools.partial(min_snr_weight, d))(t)
    np.testing.assert_allclose(weight, [5.0, 5.0, 1.0, 1 / 81], rtol=1e-12)
    weight = jax.vmap(functools.partial(min_snr_weight, d, gamma=20.0))(t)
    np.testing.assert_allclose(weight, [20.0, 9.0, 1.0, 1 / 81], rtol=1e-12)


@pytest.mark.parametrize("data_std", [0.5, 0.3])
@pytest.mark.parametrize("process", PROCESSES, ids=name)
def test_the_edm_weight_is_uniform_on_the_output_of_unit_variance(process, data_std):
    row = Preconditioned(data_std)
    d = denoiser(process, row, data_std)
    for t in inside(process):
        np.testing.assert_allclose(edm_weight(d, t), output_weight(d, t), rtol=1e-10)
        u, v, _ = row.row(process, t)
        np.testing.assert_allclose(u**2 * data_std**2 + v**2, 1.0, rtol=1e-12)


def test_every_weight_is_positive_so_none_rewards_an_error():
    for process in PROCESSES:
        d = denoiser(process, Noise())
        for weight in WEIGHTS:
            assert jnp.all(jax.vmap(functools.partial(weight, d))(inside(process)) > 0)
