import jax
import jax.numpy as jnp
import numpy as np
import pytest
from skimage.color import rgb2ycbcr
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from jaxir.metrics import luma, mean_interval, measure, psnr, rgb, ssim
from jaxir.photos import photo


@pytest.fixture(params=[0.01, 0.2, 0.8], ids=lambda s: f"noise {s}")
def pair(request):
    truth = photo("cat")
    noise = np.random.default_rng(0).standard_normal(truth.shape)
    return np.float32(truth + request.param * noise), truth


def reference_ssim(restored, truth):
    return structural_similarity(
        *((np.float64(image) + 1) / 2 for image in (restored, truth)),
        data_range=1,
        channel_axis=-1,
        gaussian_weights=True,
        use_sample_covariance=False,
    )


def test_psnr_is_that_of_scikit_image(pair):
    restored, truth = pair
    expected = peak_signal_noise_ratio(np.float64(truth), np.float64(restored), data_range=2)
    assert float(psnr(restored, truth)) == pytest.approx(expected, abs=1e-5, rel=0)


def test_ssim_is_that_of_scikit_image(pair):
    assert float(ssim(*pair)) == pytest.approx(reference_ssim(*pair), abs=1e-5, rel=0)


def test_ssim_of_one_channel_and_of_unequal_sides_is_that_of_scikit_image(pair):
    restored, truth = (image[:23, :40, :1] for image in pair)
    assert float(ssim(restored, truth)) == pytest.approx(reference_ssim(restored, truth), abs=1e-5)


def test_luma_is_that_of_matlab(pair):
    expected = rgb2ycbcr(np.float64(pair[1] + 1) / 2)[..., :1] / 127.5 - 1
    np.testing.assert_allclose(luma(jnp.asarray(pair[1])), expected, atol=1e-6)


def test_the_psnr_of_super_resolution_is_on_luma_of_255_without_a_border(pair):
    restored, truth = pair
    y1, y2 = (rgb2ycbcr(np.float64(image + 1) / 2)[4:-4, 4:-4, 0] for image in (restored, truth))
    score = measure(psnr, restored, truth, crop=4, colour=luma)
    assert score.value == pytest.approx(10 * np.log10(255**2 / np.mean((y1 - y2) ** 2)), abs=1e-4)
    assert (score.metric, score.data_range, score.crop, score.colour) == ("psnr", 2, 4, "luma")
    assert str(score).endswith("(luma, range 2, border 4)")


def test_a_score_without_options_is_the_bare_number(pair):
    score = measure(ssim, *pair)
    assert score.value == float(ssim(*pair))
    assert (score.metric, score.crop, score.colour) == ("ssim", 0, rgb.__name__)


def test_equal_images_are_infinitely_close_and_have_a_gradient():
    x = jnp.asarray(photo("cat"))
    assert psnr(x, x) == jnp.inf
    assert float(ssim(x, x)) == pytest.approx(1, abs=1e-6)
    assert not jnp.any(jax.grad(psnr)(x, x))
    assert jnp.all(jnp.isfinite(jax.grad(ssim)(x, x)))


@pytest.mark.parametrize("metric", [psnr, ssim])
def test_gradients_point_towards_the_truth(metric, pair):
    restored, truth = map(jnp.asarray, pair)
    slope = jax.grad(metric)(restored, truth)
    assert float(jnp.sum(slope * (truth - restored))) > 0


@pytest.mark.parametrize("metric", [psnr, ssim])
def test_alone_equals_in_a_batch(metric):
    truth = jnp.asarray(photo("coffee"))[None] * jnp.array([0.2, 0.9])[:, None, None, None]
    restored = truth + 0.1 * jnp.sin(jnp.arange(truth.size)).reshape(truth.shape)
    batch = jax.jit(jax.vmap(metric))(restored, truth)
    alone = jnp.stack([metric(r, t) for r, t in zip(restored, truth, strict=True)])
    np.testing.assert_allclose(batch, alone, rtol=1e-5)


def test_half_precision_is_measured_in_single(pair):
    halves = [jnp.asarray(image).astype(jnp.bfloat16) for image in pair]
    wide = [image.astype(jnp.float32) for image in halves]
    assert ssim(*halves) == ssim(*wide)


@pytest.mark.parametrize("metric", [psnr, ssim])
def test_images_that_do_not_fit_are_refused(metric):
    x = jnp.zeros((16, 16, 3))
    with pytest.raises(ValueError, match=r"\(16, 16, 3\) and truth \(16, 15, 3\)"):
        metric(x, x[:, 1:])
    with pytest.raises(ValueError, match=r"jax\.vmap"):
        metric(x[None], x[None])
    with pytest.raises(ValueError, match="restored has dtype uint8"):
        metric(x.astype(jnp.uint8), x)


def test_bad_protocols_are_refused():
    x = jnp.zeros((16, 16, 1))
    with pytest.raises(ValueError, match="11 × 11"):
        ssim(x[:10], x[:10])
    with pytest.raises(ValueError, match="crop is 8"):
        measure(psnr, x, x, crop=8)
    with pytest.raises(ValueError, match="three channels"):
        measure(psnr, x, x, colour=luma)


def test_the_interval_of_a_mean_is_the_normal_one_where_there_are_many(key):
    """1.96 standard errors to each side; quantiles of 10,000 draws are within .06 of them."""
    values = np.asarray(jax.random.normal(key, (400,)))
    low, high = mean_interval(values)
    error = np.std(values) / 20
    np.testing.assert_allclose(
        (np.array([low, high]) - np.mean(values)) / error, [-1.96, 1.96], atol=0.15
    )
    assert mean_interval([3.0]) == (3.0, 3.0)
    with pytest.raises(ValueError, match="got no values"):
        mean_interval([])
