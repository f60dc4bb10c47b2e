"""The blind pipelines: what is drawn has the published laws, and an image's key alone decides its result."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image
from scipy import special, stats

from jaxir.degradations import BSRGAN, RandomKernel, RealESRGAN
from jaxir.degradations.canvas import AREA, BICUBIC, BILINEAR, NEAREST, Canvas, resized
from jaxir.degradations.random_kernel import KernelDraw, sinc_kernel

pytestmark = pytest.mark.usefixtures("quick_compile")
SHAPE = (32, 48, 3)
COUNT = 4000
PIPELINES = {"Real-ESRGAN": RealESRGAN(SHAPE), "BSRGAN": BSRGAN(SHAPE)}
every = pytest.mark.parametrize("name", PIPELINES)


@functools.cache
def drawn(name):
    keys = jax.random.split(jax.random.key(0), COUNT)
    return jax.tree.map(np.asarray, jax.jit(jax.vmap(PIPELINES[name].draw))(keys))


def uniform(values, low, high):
    """The p-value of the hypothesis that the values are uniform between these."""
    return stats.kstest(values, stats.uniform(low, high - low).cdf).pvalue


def counts(values, shares):
    """That of the hypothesis that whole numbers from 0 have these shares."""
    found = np.bincount(np.asarray(values, int), minlength=len(shares))
    return stats.chisquare(found, COUNT * np.asarray(shares) / np.sum(shares)).pvalue


@pytest.mark.parametrize(
    ("which", "widths", "sizes", "factors", "level", "photons", "blur"),
    [
        ("first", (0.2, 3.0), (0.2, 0.7, 0.1), (0.15, 1.5), 30, 3.0, 1.0),
        ("second", (0.2, 1.5), (0.3, 0.4, 0.3), (0.3, 1.2), 25, 2.5, 0.8),
    ],
)
def test_real_esrgan_draws_the_published_laws(which, widths, sizes, factors, level, photons, blur):
    draw = getattr(drawn("Real-ESRGAN"), which)
    kernel = draw.kernel
    bell = kernel.kind < 6
    low, high = factors
    change = np.where(draw.factor > 1, 0, np.where(draw.factor < 1, 1, 2))
    shares = np.r_[0.9 * np.array([0.45, 0.25, 0.12, 0.03, 0.12, 0.03]), 0.1]
    generalised, plateau = (kernel.power[np.isin(kernel.kind, kinds)] for kinds in ((2, 3), (4, 5)))
    turned = np.isin(kernel.kind, (1, 3, 5))
    p = {
        "kind": counts(kernel.kind, shares),
        "size": counts((kernel.size - 7) // 2, np.ones(8)),
        "first width": uniform(kernel.widths[:, 0], *widths),
        "second width": uniform(kernel.widths[turned, 1], *widths),
        "angle": uniform(kernel.angle[turned], -np.pi, np.pi),
        "β below 1": uniform(generalised[generalised < 1], 0.5, 1),
        "β above 1": uniform(generalised[generalised > 1], 1, 4),
        "β of plateaus": uniform(plateau[plateau > 1], 1, 2),
        "β on either side": stats.binomtest(int((generalised < 1).sum()), generalised.size).pvalue,
        "small cutoff": uniform(kernel.cutoff[kernel.size < 13], np.pi / 3, np.pi),
        "large cutoff": uniform(kernel.cutoff[kernel.size >= 13], np.pi / 5, np.pi),
        "change": counts(change, sizes),
        "enlarged": uniform(draw.factor[change == 0], 1, high),
        "reduced": uniform(draw.factor[change == 1], low, 1),
        "way": counts(draw.way, np.ones(3)),
        "kind of noise": stats.binomtest(int(draw.gaussian.sum()), COUNT).pvalue,
        "level": uniform(draw.level, 1, level),
        "photons": uniform(draw.photons, 0.05, photons),
        "grey": stats.binomtest(int(draw.grey.sum()), COUNT, 0.4).pvalue,
        "quality": uniform(draw.quality, 30, 95),
        "blur": stats.binomtest(int(draw.blur.sum()), COUNT, blur).pvalue,
    }
    assert np.all(kernel.widths[bell & ~turned, 0] == kernel.widths[bell & ~turned, 1])
    assert not {name: value for name, value in p.items() if not value > 0.01 / len(p)}  # Bonferroni
    assert np.mean([value > 0.01 for value in p.values()]) > 0.9


def test_real_esrgan_ends_as_published():
    draw = drawn("Real-ESRGAN")
    assert stats.binomtest(int(draw.ringing.sum()), COUNT, 0.8).pvalue > 0.01
    assert stats.binomtest(int(draw.resize_first.sum()), COUNT).pvalue > 0.01
    assert uniform(draw.cutoff, np.pi / 3, np.pi) > 0.01


def test_bsrgan_draws_the_published_laws():
    draw = drawn("BSRGAN")
    assert np.all(np.sort(draw.order, 1) == np.arange(6))
    place = np.argsort(draw.order, 1)
    assert np.all(place[:, 2] < place[:, 3])  # the reduction to the final size is the later one
    for operation in (0, 1, 4, 5):
        assert counts(place[:, operation], np.ones(6)) > 0.01 / 4
    scale = np.where(draw.halved, 2, 4)
    chance = ~draw.antialiased
    assert stats.binomtest(int(draw.halved.sum()), COUNT, 0.25).pvalue > 0.01
    assert uniform(((draw.factor - 1) / (2 * scale - 1))[chance], 0, 1) > 0.01
    assert np.all((draw.factor == scale)[~chance])
    assert counts(draw.level - 2, np.ones(24)) > 0.01
    assert counts(draw.qualities[:, 1] - 30, np.ones(66)) > 0.01
    assert counts((draw.blurs.size[:, 0] - 7) // 2, np.ones(10)) > 0.01
    round_ones = draw.blurs.widths[:, 0, 0] == draw.blurs.widths[:, 0, 1]
    assert abs(round_ones.mean() - 0.5) < 0.05  # and the few of the least width


@functools.cache
def compiled(name):
    return jax.jit(jax.vmap(PIPELINES[name]))


@every
def test_the_same_key_gives_the_same_image_at_any_place_of_a_batch(name):
    run = compiled(name)
    keys = jax.random.split(jax.random.key(1), 6)
    x = jax.random.uniform(jax.random.key(2), (6, *SHAPE), minval=-1.0)
    y = run(keys, x)
    assert y.shape == (6, 8, 12, 3)
    levels = (np.asarray(y) + 1) * 127.5
    np.testing.assert_allclose(levels, np.round(levels), atol=1e-4)
    order = jnp.array([3, 5, 0, 1, 4, 2])
    np.testing.assert_array_equal(run(keys[order], x[order]), y[order])
    others = run(keys[::-1], x)
    assert np.abs(others - y).max() > 0.1


@pytest.mark.slow
@every
def test_an_image_alone_is_the_same_as_in_a_batch(name):
    keys = jax.random.split(jax.random.key(1), 6)
    x = jax.random.uniform(jax.random.key(2), (6, *SHAPE), minval=-1.0)
    alone = jax.jit(PIPELINES[name])(keys[3], x[3])
    # another program may round otherwise, which a quantiser can turn into a step of one block
    assert np.mean(np.abs(alone - compiled(name)(keys, x)[3]) > 1e-5) < 0.05


@every
def test_a_grey_image_keeps_its_brightness_on_average(name):
    """Blurs, resizing and JPEG keep a constant; what remains is noise, whose mean is 0 away from the ends."""
    y = np.asarray(compiled(name)(jax.random.split(jax.random.key(3), 6), jnp.zeros((6, *SHAPE))))
    means = y.mean((1, 2, 3))
    # noise of at most 0.25 that is grey and enlarged has few independent values
    assert np.abs(means).max() < 0.25
    assert np.abs(means.mean()) < 0.1


def test_kernels_have_sum_1_and_stay_in_their_square():
    keys = jax.random.split(jax.random.key(0), 200)
    draws = jax.jit(jax.vmap(RandomKernel().draw))(keys)
    kernels = np.asarray(jax.jit(jax.vmap(KernelDraw.kernel))(draws))
    np.testing.assert_allclose(kernels.sum((1, 2)), 1, atol=1e-5)
    reach = np.maximum(*np.abs(np.mgrid[-10:11, -10:11]))
    for kernel, size in zip(kernels, np.asarray(draws.size), strict=True):
        assert not np.any(kernel[reach > size // 2])


def test_the_sinc_is_the_published_formula():
    cutoff, size = 2.3, 13
    rows, columns = np.mgrid[-6:7, -6:7]
    r = np.hypot(rows, columns)
    with np.errstate(invalid="ignore"):
        expected = cutoff * special.j1(cutoff * r) / (2 * np.pi * r)
    expected[6, 6] = cutoff**2 / (4 * np.pi)
    expected /= expected.sum()
    found = np.asarray(sinc_kernel(jnp.asarray(size), jnp.asarray(cutoff)))[4:17, 4:17]
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.usefixtures("x64")
def test_resizing_to_a_traced_size_is_that_of_fixed_shapes():
    x = np.random.default_rng(0).normal(size=(20, 24, 1))
    canvas = Canvas(
        jnp.asarray(np.pad(x, ((0, 12), (0, 8), (0, 0)), mode="edge")), jnp.array([20, 24])
    )
    run = jax.jit(functools.partial(resized, within=(40, 40)))

    def to(size, way):
        pixels = np.asarray(run(canvas, jnp.asarray(size), jnp.asarray(way)).pixels)
        # beyond its size the last row and column go on
        np.testing.assert_array_equal(
            pixels[size[0] :], pixels[size[0] - 1 : size[0]].repeat(40 - size[0], 0)
        )
        return pixels[: size[0], : size[1], 0]

    plain = Image.fromarray(np.float32(x[..., 0]))
    for way, kernel in [(BILINEAR, Image.Resampling.BILINEAR), (NEAREST, Image.Resampling.NEAREST)]:
        expected = np.asarray(
            plain.resize((37, 31), kernel)
        )  # enlarging: no antialiasing in either
        np.testing.assert_allclose(to((31, 37), way), expected, atol=1e-5)
    expected = np.asarray(plain.resize((12, 10), Image.Resampling.BOX))
    np.testing.assert_allclose(to((10, 12), AREA), expected, atol=1e-6)
    for way in (AREA, BILINEAR, BICUBIC, NEAREST):
        np.testing.assert_allclose(to((20, 24), way), x[..., 0], atol=1e-12)
    found, at = to((31, 37), BICUBIC), (np.arange(31) + 0.5) * 20 / 31 - 0.5
    first = np.floor(at).astype(int)[:, None] + np.arange(-1, 3)
    d = np.abs(first - at[:, None])
    a = -0.75  # Keys' kernel as published, with its free parameter
    near, far = (a + 2) * d**3 - (a + 3) * d**2 + 1, a * d**3 - 5 * a * d**2 + 8 * a * d - 4 * a
    weights = np.where(d <= 1, near, far)
    columns = to((20, 37), BICUBIC)[np.clip(first, 0, 19)]
    np.testing.assert_allclose(found, np.einsum("ik,ikj->ij", weights, columns), atol=1e-10)


def test_new_laws_do_not_retrace():
    traces = []

    @jax.jit
    def draw(pipeline, key):
        traces.append(1)
        return pipeline.draw(key)

    for ringing in (0.8, 0.1):
        draw(RealESRGAN(SHAPE, ringing=ringing), jax.random.key(0))
    assert len(traces) == 1


@pytest.mark.parametrize("make", [RealESRGAN, BSRGAN])
def test_it_says_what_came_and_what_was_expected(make):
    with pytest.raises(ValueError, match=r"scale is 5 but the image is \(32, 48, 3\): crop"):
        make(SHAPE, scale=5)
    with pytest.raises(ValueError, match=r"use RGB"):
        make((32, 48, 1))
    with pytest.raises(ValueError, match=r"x has shape \(8, 8, 3\) but the clean image"):
        make(SHAPE).degrade(jax.random.key(0), None, jnp.zeros((8, 8, 3)))
