"""Resizing against two independent implementations: Pillow, and files reduced by MATLAB."""

import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from jaxir.degradations import area_downsample, bicubic_downsample, bicubic_upsample

pytestmark = pytest.mark.usefixtures("x64")


def pillow(x, size, kernel):
    """Pillow's resize of a float image, channel by channel in its mode F."""
    channels = [Image.fromarray(np.asarray(c, np.float32)).resize(size, kernel) for c in x.T]
    return np.stack([np.asarray(c) for c in channels], -1).transpose(1, 0, 2)


@pytest.fixture
def x():
    return jnp.asarray(np.random.default_rng(0).normal(size=(48, 36, 2)))


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_bicubic_is_pillows_inside(x, factor):
    # x.T swaps height and width, so Pillow, which takes (width, height), is told (height, width).
    expected = pillow(x, (48 // factor, 36 // factor), Image.Resampling.BICUBIC)
    ours = bicubic_downsample(x.shape, factor)(x)
    inside = slice(2, -2)  # the kernel reaches two new pixels; beyond the border Pillow cuts it off
    np.testing.assert_allclose(ours[inside, inside], expected[inside, inside], atol=1e-6)


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_area_is_pillows_box(x, factor):
    expected = pillow(x, (48 // factor, 36 // factor), Image.Resampling.BOX)
    np.testing.assert_allclose(area_downsample(x.shape, factor)(x), expected, atol=1e-6)


@pytest.mark.parametrize("factor", [2, 3])
def test_bicubic_upsampling_is_pillows_inside(x, factor):
    expected = pillow(x, (48 * factor, 36 * factor), Image.Resampling.BICUBIC)
    ours = bicubic_upsample(x, factor)
    inside = slice(2 * factor, -2 * factor)
    np.testing.assert_allclose(ours[inside, inside], expected[inside, inside], atol=2e-6)


@pytest.mark.parametrize("factor", [2, 3, 4])
@pytest.mark.parametrize("name", ["bird", "head", "woman"])
def test_bicubic_is_matlabs_border_included(data, name, factor):
    folder = data / "testsets" / "set5"
    reference = folder / "lr_bicubic" / f"x{factor}" / f"{name}x{factor}.png"
    if not reference.is_file():
        pytest.skip(f"no MATLAB reduction: {reference} does not exist")
    expected = np.asarray(Image.open(reference), float)
    height, width, _ = expected.shape
    image = np.asarray(Image.open(folder / "hr" / f"{name}.png"), float)
    image = image[: factor * height, : factor * width]
    operator = bicubic_downsample(image.shape, factor)

    # imresize takes the rows first and keeps what comes out in 8 bits before it takes the columns.
    half_way = np.einsum("ih,hwc->iwc", operator.rows.matrix, image)
    half_way = np.clip(np.floor(half_way + 0.5), 0, 255)
    ours = np.einsum("jw,iwc->ijc", operator.columns.matrix, half_way)
    np.testing.assert_allclose(np.clip(ours, 0, 255), expected, atol=0.5 + 1e-9)

    # Without those roundings the operator itself is as near as they allow: 0.25 is the last one alone.
    error = np.abs(np.clip(operator(jnp.asarray(image)), 0, 255) - expected)
    assert error.mean() < 0.3


@pytest.mark.parametrize("make", [bicubic_downsample, area_downsample])
def test_a_grey_image_stays_as_bright(make):
    y = make((24, 16, 3), 4)(jnp.full((24, 16, 3), 0.7))
    np.testing.assert_allclose(y, 0.7, atol=1e-14)


def test_bicubic_upsampling_is_exact_on_a_plane():
    plane = jnp.arange(12.0)[:, None, None] + 2 * jnp.arange(10.0)[None, :, None]
    old = bicubic_upsample(plane, 2)[5:-5, 5:-5, 0]
    rows, columns = (np.arange(n) / 2 - 0.25 for n in (24, 20))  # centres of the new pixels
    np.testing.assert_allclose(old, (rows[:, None] + 2 * columns)[5:-5, 5:-5], atol=1e-12)
