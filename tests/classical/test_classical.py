import json
from inspect import signature

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import ROOT
from skimage.restoration import denoise_tv_chambolle

from jaxir.classical import bicubic, total_variation, wiener
from jaxir.classical.tv import gradient, gradient_adjoint, primal_dual, variation
from jaxir.degradations import (
    Blur,
    Crop,
    Degradation,
    GaussianNoise,
    Identity,
    Mask,
    bicubic_downsample,
    bicubic_upsample,
    box_mask,
    from_function,
    motion_blur,
)
from jaxir.metrics import psnr
from jaxir.photos import photo

SHAPE = (96, 96, 3)


def noisy(x, sigma):
    noise = np.random.default_rng(0).standard_normal(x.shape)
    return jnp.asarray(x + sigma * noise, jnp.float32)


def energy(x, y, strength):
    return float(jnp.sum((x - y) ** 2) / 2 + strength * variation(x))


def test_the_adjoint_of_the_gradient_is_its_transpose(key):
    one, other = jax.random.split(key)
    x, p = jax.random.normal(one, (7, 9, 3)), jax.random.normal(other, (2, 7, 9, 3))
    (transpose,) = jax.linear_transpose(gradient, x)(p)
    np.testing.assert_allclose(gradient_adjoint(p), transpose, atol=1e-6)


@pytest.mark.parametrize("weight", [0.3, 1.5])
def test_denoising_reaches_the_energy_of_scikit_image(weight):
    y = noisy(photo("cat")[..., :1], 0.2)
    ours = total_variation(
        y, Degradation(Identity(y.shape), GaussianNoise(0.2)), weight=weight, steps=300
    )
    theirs = denoise_tv_chambolle(
        np.float64(y[..., 0]), weight=0.2 * weight, eps=1e-9, max_num_iter=3000
    )
    theirs = jnp.asarray(theirs[..., None], jnp.float32)
    assert energy(ours, y, 0.2 * weight) <= energy(theirs, y, 0.2 * weight) * (1 + 1e-4)
    assert float(jnp.max(jnp.abs(ours - theirs))) < 0.02


def test_the_duality_gap_falls_to_nothing():
    y, strength = noisy(photo("coffee"), 0.2), jnp.float32(0.2)

    def gap(steps):
        x, p = primal_dual(y, Identity(y.shape), strength, steps)
        assert float(jnp.max(jnp.sum(p**2, (0, 3)))) <= float(strength) ** 2 * (1 + 1e-5)
        dual = jnp.sum(y**2) / 2 - jnp.sum((y - gradient_adjoint(p)) ** 2) / 2
        return energy(x, y, strength) - float(dual)

    start = energy(y, y, strength)
    gaps = [gap(steps) / start for steps in (10, 40, 160)]
    assert gaps[0] > 4 * gaps[1] > 16 * gaps[2] > -1e-4
    assert abs(gaps[2]) < 1e-4


def test_at_the_optimum_the_dual_field_balances_the_misfit_of_a_blur():
    operator = motion_blur(SHAPE, 9, 30)
    y = noisy(operator(jnp.asarray(photo("cat"))), 0.1)
    x, p = primal_dual(y, operator, jnp.float32(0.05), 1000)
    misfit = operator.adjoint(y - operator(x))
    np.testing.assert_allclose(gradient_adjoint(p), misfit, atol=1e-3)


def test_a_hole_in_a_flat_or_striped_image_is_filled():
    stripes = jnp.where(jnp.arange(32) < 16, -0.6, 0.4)[:, None, None] * jnp.ones((32, 32, 3))
    plan = Degradation(box_mask((32, 32, 3), 10, corner=(11, 11)), GaussianNoise(0.0))
    for truth in (0.3 * jnp.ones((32, 32, 3)), stripes):
        filled = total_variation(plan(truth), plan, steps=3000)
        np.testing.assert_allclose(filled, truth, atol=0.03)


def test_channels_share_their_edges():
    """Where one channel has an edge, a faint one in another survives better than it does alone."""
    edge = jnp.where(jnp.arange(32) < 16, -1.0, 1.0)[None, :, None] * jnp.ones((32, 32, 1))
    plan = Degradation(Identity((32, 32, 2)), GaussianNoise(0.1))
    alone = jnp.concatenate([0 * edge, 0.1 * edge], -1)
    together = jnp.concatenate([edge, 0.1 * edge], -1)

    def step_height(y):
        x = total_variation(y, plan, weight=10.0)[..., 1]
        return float(x[16, 20] - x[16, 10])

    assert step_height(together) > 2 * step_height(alone)


def test_an_operator_that_is_solved_iteratively_gives_what_its_closed_form_gives():
    shape = (16, 16, 1)
    blur = Blur(jnp.full((3, 3), 1 / 9), shape)
    y = noisy(blur(jnp.asarray(photo("astronaut"))[20:36, 20:36, :1]), 0.1)
    closed, iterative = (
        total_variation(y, Degradation(operator, GaussianNoise(0.1)), weight=0.2, steps=30)
        for operator in (blur, Identity(shape) @ blur)
    )
    np.testing.assert_allclose(closed, iterative, atol=1e-4)


def test_a_new_weight_or_noise_does_not_retrace():
    y = jnp.asarray(photo("cat"))[:16, :16]
    traces = []

    def counted(y, plan, weight):
        traces.append(1)
        return total_variation(y, plan, weight=weight, steps=3)

    run = jax.jit(counted)
    for sigma, weight in ((0.1, 0.2), (0.2, 0.3)):
        run(y, Degradation(Identity(y.shape), GaussianNoise(sigma)), weight)
    assert len(traces) == 1


def test_wiener_is_the_posterior_mean_of_a_stationary_gaussian_field(x64):
    """Against dense matrices: (AᵀA/σ² + C⁻¹)⁻¹ Aᵀy/σ²."""
    height, width, power, exponent, chroma, sigma = 5, 6, 1e-2, 2.0, 0.3, 0.15
    rng = np.random.default_rng(1)
    shape = (height, width, 3)
    operator = Blur(jnp.asarray(rng.uniform(size=(3, 3))), shape)
    y = jnp.asarray(rng.standard_normal(shape))

    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)[None])
    inverse = frequency**exponent / power  # 0 for the mean: an improper prior on it
    n = height * width
    fourier = np.kron(np.fft.fft(np.eye(height)), np.fft.fft(np.eye(width))) / np.sqrt(n)
    precision = (fourier.conj().T * inverse.ravel() @ fourier).real
    grey = np.full((3, 3), 1 / 3)
    joint = np.kron(precision, grey) + np.kron(precision / chroma, np.eye(3) - grey)
    a = np.asarray(jax.jacfwd(operator)(jnp.zeros(shape))).reshape(3 * n, 3 * n)
    expected = np.linalg.solve(a.T @ a / sigma**2 + joint, a.T @ np.ravel(y) / sigma**2)

    plan = Degradation(operator, GaussianNoise(sigma))
    law = {"power": power, "exponent": exponent, "chroma": chroma}
    ours = jax.jit(wiener)(y, plan, **law)
    np.testing.assert_allclose(np.ravel(ours), expected, rtol=1e-9, atol=1e-11)


def test_wiener_without_noise_inverts_a_blur_that_can_be_inverted(x64):
    x = jnp.asarray(photo("cat"), jnp.float64)[:32, :32]
    operator = Blur(jnp.array([[0.1, 0.7, 0.2]]), x.shape)
    plan = Degradation(operator, GaussianNoise(0.0))
    np.testing.assert_allclose(jax.jit(wiener)(operator(x), plan), x, atol=1e-10)


def test_bicubic_enlarges_to_the_size_of_the_image():
    x = jnp.asarray(photo("cat"))
    plan = Degradation(bicubic_downsample(SHAPE, 4), GaussianNoise(0.0))
    np.testing.assert_array_equal(bicubic(plan(x), plan), bicubic_upsample(plan(x), 4))


@pytest.mark.parametrize("name", ["cat", "astronaut", "coffee"])
def test_baselines_beat_a_blurred_and_noisy_photograph(name):
    x = jnp.asarray(photo(name))
    plan = Degradation(motion_blur(SHAPE, 11, 30), GaussianNoise(0.1))
    y = noisy(plan(x), 0.1)
    before = float(psnr(y, x))
    assert float(psnr(wiener(y, plan), x)) > before + 1
    assert float(psnr(total_variation(y, plan), x)) > before + 1


def test_the_defaults_are_the_weights_that_were_tuned():
    tuned = json.loads((ROOT / "benchmarks" / "results" / "tune_classical.json").read_text("utf-8"))
    defaults = {
        function: {name: p.default for name, p in signature(function).parameters.items()}
        for function in (wiener, total_variation)
    }
    assert tuned["chosen"]["wiener"].items() <= defaults[wiener].items()
    blur = tuned["tv"]["motion 9 to 15, 0.05"]
    assert blur["weight"] == defaults[total_variation]["weight"]


def test_what_they_cannot_do_is_refused():
    y = jnp.zeros((16, 16, 3))
    mask = Degradation(Mask(jnp.ones((16, 16)), y.shape), GaussianNoise(0.1))
    with pytest.raises(TypeError, match="wiener got Mask"):
        wiener(y, mask)
    curve = Degradation(from_function(jnp.tanh, y.shape), GaussianNoise(0.1))
    with pytest.raises(TypeError, match="total_variation got"):
        total_variation(y, curve)
    with pytest.raises(ValueError, match=r"y has shape \(8, 8, 3\)"):
        total_variation(y[:8, :8], mask)
    crop = Degradation(Crop((16, 16, 3), 3), GaussianNoise(0.1))
    with pytest.raises(ValueError, match="one whole factor"):
        bicubic(y[:10, :10], crop)
