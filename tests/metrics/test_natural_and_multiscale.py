"""NIQE and MS-SSIM against independent programs."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage, stats

from jaxir.data import read_image
from jaxir.metrics import NIQE, ms_ssim, niqe
from jaxir.photos import photo
from jaxir.pretrained import WeightsError, load_niqe

pytestmark = pytest.mark.usefixtures("quick_compile")


@pytest.mark.parametrize(
    ("name", "expected"), [("bird", 4.362078438448303), ("butterfly", 5.154898254953515)]
)
def test_niqe_is_that_of_basicsr(data, name, expected):
    """`calculate_niqe(image, 0)` of XPixelGroup/BasicSR at 8d56e3a0, which follows the authors' MATLAB.

    It works in single precision, where flat parts of a picture are not quite flat.
    """
    metric = load_niqe(data / "weights" / "niqe_pris_params.npz")
    image = read_image(data / "testsets" / "set5" / "hr" / f"{name}.png")
    assert metric(image) == pytest.approx(expected, abs=1e-3)


def pristine():
    return NIQE(np.zeros(36), np.eye(36))


def test_the_window_and_the_halving_of_niqe_are_those_of_matlab():
    grey = np.random.default_rng(0).random((14, 10))
    y, x = np.mgrid[-3:4, -3:4]
    window = np.exp(-(x**2 + y**2) / (2 * (7 / 6) ** 2))
    expected = ndimage.convolve(grey, window / window.sum(), mode="nearest")
    np.testing.assert_allclose(niqe._windowed(grey), expected, rtol=1e-12)
    d = np.abs(np.arange(-7, 8, 2) / 4)  # imresize(x, .5): Keys' cubic of twice the width
    taps = np.where(d <= 1, 1.5 * d**3 - 2.5 * d**2 + 1, -0.5 * d**3 + 2.5 * d**2 - 4 * d + 2) / 2
    for axis in (0, 1):
        padded = ndimage.correlate1d(grey, taps, axis, mode="reflect", origin=-1)
        grey = np.take(padded, range(0, grey.shape[axis], 2), axis)
    np.testing.assert_allclose(
        niqe._halved(np.random.default_rng(0).random((14, 10))), grey, rtol=1e-12
    )


@pytest.mark.parametrize(("shape", "left", "right"), [(2.0, 1.0, 1.0), (0.7, 0.5, 1.5)])
def test_the_law_that_niqe_fits_is_the_one_that_was_drawn(shape, left, right):
    """400 × 400 samples of x ∝ exp(−(|x|/β)^α), sides weighted by their widths; shapes to 3 %, widths to 3 %."""
    generator = np.random.default_rng(0)
    size = stats.gennorm.rvs(shape, size=(1, 400, 400), random_state=generator)
    side = np.where(generator.random(size.shape) < left / (left + right), -left, right)
    found = niqe._asymmetric_law(np.abs(size) * side)[:, 0]
    np.testing.assert_allclose(found, [shape, left, right], rtol=0.03)


def test_niqe_of_noise_is_worse_than_that_of_a_photograph(data):
    metric = load_niqe(data / "weights" / "niqe_pris_params.npz")
    image = read_image(data / "testsets" / "set5" / "hr" / "bird.png")
    noise = np.random.default_rng(0).standard_normal(image.shape).astype(np.float32)
    assert metric(np.clip(image + 0.2 * noise, -1, 1)) > 2 * metric(image)


def test_images_that_niqe_cannot_judge_are_refused(tmp_path):
    with pytest.raises(ValueError, match="two or more blocks of 96 × 96"):
        pristine()(np.zeros((100, 190, 3), np.float32))
    with pytest.raises(ValueError, match="constant"):
        pristine()(np.zeros((96, 192, 1), np.float32))
    with pytest.raises(ValueError, match="dtype uint8"):
        pristine()(np.zeros((96, 192, 3), np.uint8))
    np.savez(tmp_path / "a", x=np.zeros(3))
    with pytest.raises(WeightsError, match="holds x, expected mu_pris_param"):
        load_niqe(tmp_path / "a.npz")


def published_ms_ssim(x, y):
    """Of one channel in [0, 255], written from the authors' description with scipy's filters, in float64."""
    taps = np.exp(-(np.arange(-5, 6) ** 2) / (2 * 1.5**2))
    taps /= taps.sum()
    inside = (slice(5, -5), slice(5, -5))

    def blur(image):
        for axis in (0, 1):
            image = ndimage.correlate1d(image, taps, axis)
        return image[inside]

    result = 1.0
    for scale, weight in enumerate([0.0448, 0.2856, 0.3001, 0.2363, 0.1333]):
        mx, my = blur(x), blur(y)
        contrast = 2 * (blur(x * y) - mx * my) + (0.03 * 255) ** 2
        contrast /= blur(x * x) - mx**2 + blur(y * y) - my**2 + (0.03 * 255) ** 2
        means = (2 * mx * my + (0.01 * 255) ** 2) / (mx**2 + my**2 + (0.01 * 255) ** 2)
        result *= max((contrast * means if scale == 4 else contrast).mean(), 0) ** weight
        x, y = (
            ndimage.correlate(image, np.full((2, 2), 0.25), mode="reflect", origin=-1)[::2, ::2]
            for image in (x, y)
        )
    return result


@pytest.fixture(scope="module")
def pair():
    truth = np.tile(photo("cat"), (2, 2, 1))[:171, :162]
    noise = np.random.default_rng(0).standard_normal(truth.shape)
    return np.float32(truth + 0.2 * noise), truth


def test_ms_ssim_is_the_published_formula(pair):
    channels = np.moveaxis(np.float64(pair) * 127.5 + 127.5, -1, 0)
    expected = np.mean([published_ms_ssim(*channel) for channel in channels])
    assert float(ms_ssim(*pair)) == pytest.approx(expected, abs=1e-5)


def test_ms_ssim_of_equal_and_of_opposite_images(pair):
    x = jnp.asarray(pair[1])
    assert float(ms_ssim(x, x)) == pytest.approx(1, abs=1e-6)
    value, slope = jax.value_and_grad(ms_ssim)(-x, x)  # negative correlations count as 0
    assert value == 0
    assert jnp.all(jnp.isfinite(slope))
    with pytest.raises(ValueError, match="five scales need 161 pixels a side"):
        ms_ssim(x[:160], x[:160])
