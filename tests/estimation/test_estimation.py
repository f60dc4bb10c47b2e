"""What is read from a spoiled photograph is what it was spoiled with."""

import io

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage
from sharp import photograph

from jaxir.degradations import motion_blur
from jaxir.estimation import gaussian_blur_width, jpeg_quality, motion_blur_line, noise_level


@pytest.mark.parametrize("sigma", [0.02, 0.1, 0.4])
def test_the_noise_level_of_a_photograph_is_found_within_ten_per_cent(sigma):
    noise = sigma * np.random.default_rng(0).normal(size=photograph().shape)
    value, deviation = noise_level(photograph() + noise)
    assert value == pytest.approx(sigma, rel=0.25 if sigma == 0.02 else 0.1)
    assert 0 < deviation < 0.2 * sigma


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sigma", "bound"), [(0.01, 0.25), (0.02, 0.1), (0.05, 0.1), (0.1, 0.1), (0.2, 0.1)]
)
def test_the_median_error_of_the_noise_over_photographs_is_within_its_bound(data, sigma, bound):
    """Sigma in units of [0, 1]; the photographs are reduced by 2, which hides their own compression."""
    paths = sorted((data / "natural" / "bsds500" / "val").glob("*.jpg"))[:24]
    if len(paths) < 20:
        pytest.skip("fewer than 20 photographs")
    errors = []
    for number, path in enumerate(paths):
        levels = np.asarray(Image.open(path).convert("RGB"), float)[:320, :320]
        picture = levels.reshape(160, 2, 160, 2, 3).mean((1, 3)) / 127.5 - 1
        noise = 2 * sigma * np.random.default_rng(number).normal(size=picture.shape)
        errors.append(noise_level(picture + noise).value / (2 * sigma) - 1)
    assert np.median(np.abs(errors)) < bound


def test_noise_alone_and_none_at_all_are_measured_exactly():
    noise = np.random.default_rng(0).normal(size=(64, 64, 1))
    assert noise_level(0.3 * noise).value == pytest.approx(0.3, rel=0.05)
    assert noise_level(np.zeros((64, 64, 3))).value == 0


@pytest.mark.parametrize("width", [1.0, 2.0, 4.0])
def test_the_width_of_a_gaussian_blur_is_found_within_fifteen_per_cent(width):
    blurred = ndimage.gaussian_filter(photograph(), (width, width, 0))
    assert gaussian_blur_width(blurred).value == pytest.approx(width, rel=0.15)


def test_a_sharp_photograph_is_not_taken_for_a_blurred_one():
    assert gaussian_blur_width(photograph()).value < 0.5


@pytest.mark.parametrize(("length", "angle"), [(9.0, 20.0), (19.0, 130.0)])
def test_the_length_and_the_angle_of_a_motion_are_found(length, angle):
    kernel = np.asarray(motion_blur((64, 64, 1), length, angle).kernel)[..., None]
    found = motion_blur_line(ndimage.convolve(photograph(), kernel))
    assert found.length.value == pytest.approx(length, rel=0.1)
    assert abs((found.angle.value - angle + 90) % 180 - 90) < 3


@pytest.mark.parametrize("quality", [10, 50, 90])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_the_quality_of_a_jpeg_is_found(quality, mode):
    file = io.BytesIO()
    levels = np.round((photograph()[:96, :96] + 1) * 127.5).astype(np.uint8)
    Image.fromarray(levels).convert(mode).save(file, "JPEG", quality=quality)
    decoded = np.asarray(Image.open(file), float).reshape(96, 96, -1)
    assert abs(jpeg_quality(decoded / 127.5 - 1).value - quality) <= 5


def test_what_was_never_compressed_has_quality_100():
    levels = np.round((photograph()[:96, :96] + 1) * 127.5)
    assert jpeg_quality(levels / 127.5 - 1).value == 100


@pytest.mark.parametrize(
    "measure", [noise_level, gaussian_blur_width, motion_blur_line, jpeg_quality]
)
def test_a_picture_that_is_too_small_or_not_finite_is_refused(measure):
    with pytest.raises(ValueError, match="pass a larger part"):
        measure(np.zeros((16, 200, 3)))
    with pytest.raises(ValueError, match="not finite"):
        measure(np.full((128, 128, 3), np.nan))
