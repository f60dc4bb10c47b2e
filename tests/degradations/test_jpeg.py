"""JPEG against Pillow's files: the same picture, pixel by pixel."""

import functools
import io
from importlib import resources

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from jaxir.degradations import JPEG

pytestmark = pytest.mark.usefixtures("quick_compile")
PHOTOS = ("astronaut", "cat", "coffee")
QUALITIES = (1, 10, 25, 49, 50, 51, 75, 90, 95, 100)


def photo(name, height=96, width=96):
    with resources.as_file(resources.files("jaxir.photos") / f"{name}.png") as path:
        return np.asarray(Image.open(path).convert("RGB"))[:height, :width]


def pillow(pixels, quality, subsampling):
    file = io.BytesIO()
    Image.fromarray(pixels.squeeze()).save(
        file, "JPEG", quality=quality, **({"subsampling": subsampling} if pixels.ndim == 3 else {})
    )
    return np.asarray(Image.open(file)).reshape(pixels.shape)


@functools.cache
def coded(shape, subsampling):
    def one(quality, x):
        return JPEG(quality, shape, subsampling)(x)

    return jax.jit(jax.vmap(one, (0, None)))


@pytest.mark.parametrize("size", [(96, 96), (75, 53)])
@pytest.mark.parametrize(("subsampling", "name"), [(2, "4:2:0"), (1, "4:4:4")])
def test_every_pixel_is_pillows_for_every_photo_and_quality(size, subsampling, name):
    for photograph in PHOTOS:
        pixels = photo(photograph, *size)
        x = jnp.asarray(pixels, jnp.float32) / 127.5 - 1
        ours = coded(x.shape, subsampling)(jnp.asarray(QUALITIES), x)
        expected = np.stack([pillow(pixels, quality, name) for quality in QUALITIES])
        difference = np.abs((np.asarray(ours) + 1) * 127.5 - expected)
        # 1.5 levels are asked for; libraries other than libjpeg-turbo may round elsewhere
        assert difference.max() < 1.5
        assert difference.mean() < 1e-3


def test_grey_is_pillows():
    pixels = photo("cat")[..., :1]
    x = jnp.asarray(pixels, jnp.float32) / 127.5 - 1
    ours = (np.asarray(jax.jit(JPEG(30, x.shape))(x)) + 1) * 127.5
    assert np.abs(ours - pillow(pixels[..., 0], 30, None)[..., None]).max() < 1.5


def test_the_derivative_is_that_of_sub_sampled_chroma():
    shape = (16, 18, 3)
    x, v = jax.random.uniform(jax.random.key(0), (2, *shape), minval=-0.3, maxval=0.3)

    @jax.jit
    def derivatives(x, v, flat):
        _, vjp = jax.vjp(JPEG(50, shape), x)
        tangents = [jax.jvp(JPEG(50, shape), (x,), (u,))[1] for u in (v, flat)]
        return *tangents, vjp(v)[0], jax.jvp(JPEG(50, shape, 1), (x,), (v,))[1]

    flat = jnp.broadcast_to(v[0, 0], shape)
    tangent, still_flat, pulled, whole = derivatives(x, v, flat)
    luma = jnp.array([0.299, 0.587, 0.114])
    np.testing.assert_allclose(tangent @ luma, v @ luma, atol=1e-5)
    np.testing.assert_allclose(still_flat, flat, atol=1e-6)
    chroma = v - (v @ luma)[..., None]
    assert float(jnp.vdot(pulled, v)) == pytest.approx(float(jnp.vdot(v, tangent)), rel=1e-4)
    assert jnp.linalg.norm(tangent - v) > 0.5 * jnp.linalg.norm(chroma)  # noise of colour is lost
    np.testing.assert_allclose(whole, v, atol=1e-6)


def test_the_derivative_does_not_explain_what_no_rounding_would_change():
    x = jnp.full((8, 8, 1), 1.2)  # clipped
    assert not jnp.any(jax.jit(jax.grad(lambda x: JPEG(50, x.shape)(x).sum()))(x))


def test_a_new_quality_does_not_retrace():
    traces = []

    @jax.jit
    def run(operator, x):
        traces.append(1)
        return operator(x)

    x = jnp.asarray(photo("cat"), jnp.float32) / 127.5 - 1
    results = [run(JPEG(quality, x.shape), x) for quality in (20, 80)]
    assert len(traces) == 1
    assert jnp.abs(results[0] - results[1]).max() > 0.1


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: JPEG(0, (8, 8, 3)), "quality is 0, expected a number from 1 to 100"),
        (lambda: JPEG(50, (8, 8, 3), 4), "subsampling is 4, expected 2 for 4:2:0"),
        (lambda: JPEG(50, (8, 8, 2)), "one channel or three"),
    ],
)
def test_it_says_what_came_and_what_was_expected(make, message):
    with pytest.raises(ValueError, match=message):
        make()
