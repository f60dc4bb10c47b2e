"""What a photograph is said to suffer from is what it was spoiled with, and a sound one is left alone."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage
from sharp import photograph

from jaxir.degradations import Degradation, GaussianNoise, Identity, motion_blur
from jaxir.degradations.jpeg import LUMA_STEPS
from jaxir.estimation import Motion, diagnose, jpeg_error, noise_level
from jaxir.estimation.diagnosis import FLOOR, KERNEL
from jaxir.estimation.estimate import squares_of
from jaxir.estimation.jpeg import rounding_error
from jaxir.guidance import DiffPIR
from jaxir.processes import VP
from jaxir.restoration import SIGMA_MIN
from jaxir.testbeds import LinearGaussian


def noise(sigma):
    return sigma * np.random.default_rng(0).normal(size=photograph().shape)


def rounded(picture):
    """As a file of 8 bits keeps it."""
    return np.round((picture + 1) * 127.5) / 127.5 - 1


def test_a_sound_photograph_is_left_alone():
    found = diagnose(rounded(photograph()))
    assert found.blur is None
    assert not found.noisy
    assert found.sigma == FLOOR


def test_noise_is_found_and_nothing_else():
    found = diagnose(photograph() + noise(0.08))
    assert found.blur is None
    assert found.sigma == pytest.approx(0.08, rel=0.1)


def test_a_gaussian_blur_is_told_from_a_motion_and_from_none():
    """With a noise of 0.005 of [0, 1], which is left out."""
    kernel = np.asarray(motion_blur((64, 64, 1), 9.0, 30.0).kernel)[..., None]
    moved = diagnose(ndimage.convolve(photograph(), kernel) + noise(0.01))
    assert isinstance(moved.blur, Motion)
    assert moved.blur.length.value == pytest.approx(9, rel=0.15)
    assert moved.blur.angle.value == pytest.approx(30, abs=5)
    defocused = diagnose(ndimage.gaussian_filter(photograph(), (1.5, 1.5, 0)) + noise(0.01))
    assert defocused.blur == defocused.width
    assert defocused.blur.value == pytest.approx(1.5, rel=0.15)
    assert moved.sigma == defocused.sigma == KERNEL


@pytest.mark.parametrize(
    "shape", [(1, 1, 3), (17, 31, 3), (33, 70, 1), (64, 64, 3), (40, 600, 3), (520, 40, 2)]
)
def test_a_picture_of_any_size_and_of_one_colour_has_nothing_to_undo(shape):
    for colour in (-1.0, 0.3):
        found = diagnose(np.full(shape, colour))
        assert found.blur is None
        assert found.sigma == FLOOR


def test_what_is_not_an_image_is_refused():
    with pytest.raises(ValueError, match=r"needs \(H, W, C\)"):
        diagnose(np.zeros((64, 64)))
    with pytest.raises(ValueError, match="not finite"):
        diagnose(np.full((8, 8, 3), np.nan))


@pytest.mark.parametrize("ratio", [0.1, 1.0, 4.0])
def test_the_error_of_rounding_is_that_of_a_sample_of_laplace_s_law(ratio):
    drawn = np.random.default_rng(0).laplace(scale=ratio, size=1_000_000)
    square = (drawn - np.round(drawn)) ** 2
    error = 4 * square.std() / 1000  # four standard errors of the mean
    assert rounding_error(np.ones(1), np.full(1, ratio))[0] == pytest.approx(
        square.mean(), abs=error
    )


def test_the_error_of_a_jpeg_is_that_of_its_coefficients():
    """Blocks whose coefficients follow Laplace's law, rounded to the steps of quality 50, within 5 %."""
    k = np.arange(8)
    cosines = np.cos(k[:, None] * (k + 0.5) * np.pi / 8) / 2
    cosines[0] /= np.sqrt(2)
    clean = np.random.default_rng(0).laplace(scale=25, size=(1024, 8, 8))
    coded = np.round(clean / LUMA_STEPS) * LUMA_STEPS
    levels = cosines.T @ coded @ cosines
    picture = levels.reshape(32, 32, 8, 8).swapaxes(1, 2).reshape(256, 256, 1) / 127.5
    inside = np.abs(levels).max((1, 2)) < 127
    lost = np.sqrt(np.mean((coded - clean)[inside] ** 2)) / 127.5
    assert jpeg_error(picture, 50) == pytest.approx(lost, rel=0.05)


def test_a_large_photograph_is_measured_on_squares_of_it():
    """16 of them at most, from end to end, on the grid of a JPEG; so time and memory do not grow."""
    rows = np.arange(1111.0)[:, None, None] * np.ones((1, 1030, 1))
    squares = squares_of(rows, 32)
    assert squares.shape == (16, 256, 256, 1)
    starts = squares[::4, 0, 0, 0]
    assert not np.any(starts % 8)
    assert starts[0] == 0
    assert 1111 - 256 - starts[-1] < 8
    assert squares_of(rows[:511, :600], 32).shape == (2, 511, 256, 1)
    noisy = 0.1 * np.random.default_rng(0).normal(size=(40, 2100, 1))
    assert noise_level(noisy).value == pytest.approx(0.1, rel=0.03)


def test_a_photograph_that_is_left_alone_comes_back_as_it_was():
    """Whatever the prior believes: with a residual r the step of DiffPIR is σ_y²|r|/max(σ̂², 4 (r² − σ_y²)), which has
    its largest value, σ_y²/2σ̂, where the two are equal, for the last σ̂: 77 dB.
    """
    degradation = Degradation(Identity((4, 4, 1)), GaussianNoise(FLOOR))
    zero, covariance = np.zeros((4, 4, 1), np.float32), np.eye(16, dtype=np.float32)
    prior = LinearGaussian(zero, 1e-8 * covariance, degradation).denoiser(VP())
    last = VP().time(-np.log(SIGMA_MIN))

    def moved(residual):
        y = jnp.full((4, 4, 1), residual)
        return jnp.abs(DiffPIR(prior, degradation).estimate(zero, last, y).x0_hat - y).max()

    furthest = float(jnp.max(jax.vmap(moved)(jnp.geomspace(1e-3, 2, 400))))
    assert 0.9 < furthest / (FLOOR**2 / (2 * SIGMA_MIN)) < 1.05
    assert -20 * np.log10(furthest / 2) > 76
