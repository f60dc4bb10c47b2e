"""Every row of (u, v, w) gives back the clean image, on every process, and is what its paper prints."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from affine import PROCESSES, Y, name

from jaxir.denoisers import (
    AngleVelocity,
    CleanImage,
    Displacement,
    NetworkDenoiser,
    Noise,
    PairedPreconditioned,
    Preconditioned,
    Residual,
    Score,
    Velocity,
)
from jaxir.processes import IRSDE, VE, VP, Flow, brownian_bridge

ROWS = [
    *(CleanImage(), Noise(), Score(), Velocity(), AngleVelocity(), Preconditioned()),
    *(Residual(), PairedPreconditioned(0.6, 0.5, 0.2), Displacement()),
]
each_process = pytest.mark.parametrize("process", PROCESSES, ids=name)
each_row = pytest.mark.parametrize("row", ROWS, ids=name)

X0 = np.array([[[0.7, -0.2, 1.0]]])
EPS = np.array([[[0.5, 1.3, -2.0]]])


def recovered(process, row, dtype):
    """x0 from the row's target at 17 times of the span, and how much it magnifies rounding."""
    x0, eps, y = (jnp.asarray(image, dtype) for image in (X0, EPS, Y))

    def there_and_back(t):
        a, b, sigma = process.coefficients(t)
        u, v, w = row.row(process, t)
        p = row.target(process, x0, eps, t, y)
        found = row.x0(process, p, a * x0 + b * y + sigma * eps, t, y)
        size = jnp.abs(v) * (a + b + sigma) + sigma * (jnp.abs(u) + jnp.abs(v) + jnp.abs(w))
        return found, 3 * size / jnp.abs(a * v - sigma * u)

    low, high = process.span  # at t = 0 ResShift's velocity is infinite
    return jax.vmap(there_and_back)(jnp.linspace(max(low, 1e-5), high, 17, dtype=dtype))


@each_process
@each_row
def test_the_target_of_the_truth_gives_back_the_truth(process, row):
    """In float64 to 1e-10, in float32 to the rounding that the condition of the 2×2 system allows."""
    with jax.enable_x64(True):
        found, _ = recovered(process, row, jnp.float64)
        chex.assert_trees_all_close(found, np.broadcast_to(X0, found.shape), atol=1e-10)
    found, condition = recovered(process, row, jnp.float32)
    assert found.dtype == jnp.float32
    error = np.abs(np.asarray(found) - X0).max(axis=(1, 2, 3))
    assert np.all(error <= 4 * np.finfo(np.float32).eps * np.maximum(condition, 1))


@pytest.mark.parametrize(
    "row", [CleanImage(), AngleVelocity(), Preconditioned(), PairedPreconditioned()], ids=name
)
@each_process
def test_some_rows_are_safe_on_the_whole_span(process, row):
    """Their determinant does not vanish in units of what they multiply, so float32 keeps 5 digits everywhere."""
    found, _ = recovered(process, row, jnp.float32)
    chex.assert_trees_all_close(found, np.broadcast_to(X0, found.shape), atol=1e-5)


@pytest.mark.parametrize("data_std", [0.5, 1.3])
def test_preconditioned_is_the_printed_form_of_edm(x64, data_std):
    """D = c_skip x + c_out F with the c's of Karras et al. 2022, Table 1, on the process with a = 1."""
    process, row = VE(), Preconditioned(data_std)
    x, f = jnp.asarray(X0), jnp.asarray(EPS)
    for t in (0.0, 0.3, 1.0):
        sigma = 0.002 * (80 / 0.002) ** t
        c_skip = data_std**2 / (sigma**2 + data_std**2)
        c_out = sigma * data_std / np.sqrt(sigma**2 + data_std**2)
        found = row.x0(process, f, x, jnp.asarray(t))
        chex.assert_trees_all_close(found, c_skip * x + c_out * f, rtol=1e-11)


@each_process
def test_paired_preconditioning_has_variance_one_on_both_sides_of_the_network(x64, process):
    """With Var x0 = .36, Var y = .25 and Cov = .2; x̂0 is c_skip x + c_out F as Zhou et al. 2024 print them."""
    row, joint = PairedPreconditioned(0.6, 0.5, 0.2), np.diag([0.36, 1.0, 0.25])
    joint[0, 2] = joint[2, 0] = 0.2
    low, high = process.span
    for t in jnp.linspace(low, high, 7):
        a, b, sigma = (float(c) for c in process.coefficients(t))
        target = np.array([float(c) for c in row.row(process, t)])
        if not process.coupled:
            target[2] = 0.0
        np.testing.assert_allclose(target @ joint @ target, 1, rtol=1e-10)
        seen = NetworkDenoiser(process, None, lambda _, x, c, y: x, row, 0.6, sees_y=True)
        c_in = float(seen.output(jnp.ones((1, 1, 1)), t, jnp.zeros((1, 1, 1)))[0, 0, 0])
        np.testing.assert_allclose(c_in**2 * (a**2 * 0.36 + sigma**2), 1, rtol=1e-10)  # of x − b y
        total = a**2 * 0.36 + b**2 * 0.25 + 2 * a * b * 0.2 + sigma**2
        c_skip = (a * 0.36 + b * 0.2) / total
        c_out = np.sqrt((b**2 * (0.36 * 0.25 - 0.2**2) + sigma**2 * 0.36) / total)
        x, f, y = jnp.asarray(X0), jnp.asarray(EPS), jnp.asarray(Y)
        found = row.x0(process, f, x, t, y)
        np.testing.assert_allclose(found, c_skip * X0 + c_out * EPS, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("process", [VP(), VE()], ids=name)
def test_without_a_degraded_image_paired_preconditioning_is_that_of_edm(x64, process):
    for t in (0.05, 0.5, 0.95):
        rows = (p.row(process, jnp.asarray(t)) for p in (PairedPreconditioned(), Preconditioned()))
        np.testing.assert_allclose(*map(np.array, rows), rtol=1e-10)


def test_the_displacement_of_a_brownian_bridge_is_the_target_of_bbdm(x64):
    """m (y − x0) + √(2 s (m − m²)) ε with s = 1, Li et al. 2023."""
    t = jnp.asarray(0.3)
    expected = 0.3 * (Y - X0) + np.sqrt(2 * (0.3 - 0.09)) * EPS
    found = Displacement().target(brownian_bridge(), X0, EPS, t, jnp.asarray(Y))
    np.testing.assert_allclose(found, expected, rtol=1e-10)


def test_the_network_sees_what_the_network_of_edm_sees(x64):
    """c_in = 1/√(σ² + σ_d²) and c_noise = ln(σ)/4, Karras et al. 2022, Table 1."""
    seen = NetworkDenoiser(VE(), None, lambda _, x, condition: x + 10 * condition, data_std=0.5)
    sigma = 0.3
    t = VE().time(jnp.asarray(-np.log(sigma)))
    expected = X0 / np.sqrt(sigma**2 + 0.25) + 10 * np.log(sigma) / 4
    chex.assert_trees_all_close(seen.output(jnp.asarray(X0), t), expected, rtol=1e-12)


@each_process
def test_the_velocity_target_is_the_derivative_of_the_path(x64, process):
    low, high = process.span
    t, gap = jnp.linspace(low + 0.02, high - 0.02, 9), 1e-5

    def path(t):
        a, b, sigma = process.coefficients(t)
        return a * X0 + b * Y + sigma * EPS

    target = jax.vmap(lambda t: Velocity().target(process, X0, EPS, t, jnp.asarray(Y)))(t)
    slope = jax.vmap(lambda t: (path(t + gap) - path(t - gap)) / (2 * gap))(t)
    chex.assert_trees_all_close(target, slope, rtol=1e-6, atol=1e-6)


def test_targets_are_those_of_the_papers(x64):
    t = jnp.asarray(0.3)
    a, _, sigma = VP().coefficients(t)
    chex.assert_trees_all_close(Noise().target(VP(), X0, EPS, t), EPS)
    chex.assert_trees_all_close(Score().target(VP(), X0, EPS, t), -EPS / sigma, rtol=1e-12)
    angle = AngleVelocity().target(VP(), X0, EPS, t)
    chex.assert_trees_all_close(angle, a * EPS - sigma * X0, rtol=1e-12)  # α ε − σ x0
    flow = Velocity().target(Flow(), X0, EPS, t)
    chex.assert_trees_all_close(flow, EPS - X0, rtol=1e-12)  # noise minus image


def test_a_residual_network_that_says_nothing_at_the_noisy_end_gives_the_degraded_image_back():
    """There a = 0.005 leaves nothing of the clean image in the state: c_skip, σ_d²/(σ̂² + σ_d²), is below 10⁻⁴."""
    process, t = IRSDE(std=1.0), jnp.asarray(1.0)
    x = process.coefficients(t).b * jnp.asarray(Y) + jnp.asarray(EPS)
    found = Residual().x0(process, jnp.zeros_like(x), x, t, jnp.asarray(Y))
    np.testing.assert_allclose(found, Y, atol=1e-2)
