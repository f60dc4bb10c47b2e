"""Tiles cover every image, and averaging their estimates changes nothing that a tile can know."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxir.denoisers import Denoiser, Estimate, NetworkDenoiser, Noise, Tiled
from jaxir.networks.convolution import convolve
from jaxir.processes import VP, Process
from jaxir.samplers import Discrete, sample
from jaxir.tiling import starts, windows
from jaxir.transitions import DDIM
from jaxir.typing import Image

pytestmark = pytest.mark.usefixtures("quick_compile")

SIZE = (61, 53)


def test_tiles_cover_every_length_and_stay_inside():
    """Lengths to 119, tiles of 1 to 16 pixels, every stride up to the tile; a shorter axis is padded to one tile."""
    for size in range(1, 17):
        for stride in range(1, size + 1):
            for length in range(size, 120):
                begin = starts(length, size, stride)
                assert begin[0] == 0
                assert begin[-1] == length - size
                assert np.all(np.diff(begin) <= stride)


@pytest.mark.parametrize(("length", "size", "stride"), [(61, 16, 5), (61, 16, 16), (17, 16, 1)])
def test_windows_are_positive_and_sum_to_one(length, size, stride):
    found = windows(length, size, stride)
    assert found.min() > 0
    total = np.zeros(length)
    for start, window in zip(starts(length, size, stride), found, strict=True):
        total[start : start + size] += window
    np.testing.assert_allclose(total, 1, rtol=1e-12)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: starts(61, 16, 17), "stride is 17, expected 1 to size = 16"),
        (lambda: starts(5, 16, 4), "length is 5, expected at least the size of a tile, 16"),
        (lambda: Tiled(pixelwise(), 16, 16), r"overlap is 16, expected 0 to size − 1 = 15"),
        (lambda: Tiled(pixelwise(), 16, -1), "overlap is -1"),
        (lambda: Tiled(pixelwise(), 16, 4, batch=0), "batch is 0"),
    ],
)
def test_tiles_that_leave_gaps_or_bring_nothing_are_refused(make, text):
    with pytest.raises(ValueError, match=text):
        make()


def by_pixel(params, x, condition, y):
    return jnp.tanh(params * x) * condition + y**2


def by_neighbours(params, x, condition, y):
    """Sees two pixels far: two 3×3 convolutions."""
    return convolve(jnp.tanh(convolve(x, params)), params) + y


def pixelwise():
    return NetworkDenoiser(VP(), jnp.asarray(0.7), by_pixel, Noise(), sees_y=True)


def neighbourly():
    kernel = jax.random.normal(jax.random.key(5), (3, 3, 3, 3)) / 5
    return NetworkDenoiser(VP(), kernel, by_neighbours, Noise(), sees_y=True)


applied = jax.jit(lambda denoiser, x, t, y: denoiser(x, t, y))


def images(*size):
    x, y = jax.random.split(jax.random.key(1))
    return jax.random.normal(x, (*size, 3)), jax.random.normal(y, (*size, 3))


@pytest.mark.parametrize(("size", "overlap"), [(16, 11), (16, 0), (24, 8)])
def test_a_network_of_single_pixels_gives_the_same_in_tiles(size, overlap):
    """The size and the grid (61 × 53, p = 16, r = 5) at which a published grid leaves the border uncovered."""
    x, y = images(*SIZE)
    t = jnp.asarray(0.4)
    whole = pixelwise()(x, t, y)
    chex.assert_trees_all_close(
        applied(Tiled(pixelwise(), size, overlap), x, t, y), whole, rtol=1e-6, atol=1e-6
    )


def test_in_the_middle_of_a_tile_alone_a_network_of_neighbours_gives_the_same():
    """Where only one tile reaches, and that by more than the two pixels the network sees."""
    x, y = images(*SIZE)
    t, size, overlap = jnp.asarray(0.4), 32, 8
    whole, tiled = neighbourly()(x, t, y), applied(Tiled(neighbourly(), size, overlap), x, t, y)

    def same(length):
        """At least two pixels inside every tile that reaches the place; the border of the image is no edge."""
        place, fine = np.arange(length), np.ones(length, bool)
        for start in starts(length, size, size - overlap):
            inside = (place >= start) & (place < start + size)
            left = (place - start >= 2) | (start == 0)
            right = (start + size - 1 - place >= 2) | (start + size == length)
            fine &= ~inside | (left & right)
        return fine

    agree = np.outer(*(same(length) for length in SIZE))
    gap = np.abs(np.asarray(tiled - whole)).max(axis=-1)
    assert 0.5 < agree.mean() < 1
    assert gap[agree].max() < 1e-5
    assert gap[~agree].max() > 1e-3


def test_with_a_margin_as_wide_as_the_network_sees_tiles_are_the_whole():
    """The value, and the derivatives in both modes.

    Without a margin the pixels near the edge of a tile, which see zeros beyond it, would count a little.
    """
    x, y = images(*SIZE)
    t, push = jnp.asarray(0.4), images(*SIZE)[1]

    @jax.jit
    def found(denoiser):
        value, pushed = jax.jvp(lambda x: denoiser(x, t, y), (x,), (push,))
        return value, pushed, jax.vjp(lambda x: denoiser(x, t, y), x)[1](push)[0]

    chex.assert_trees_all_close(
        found(Tiled(neighbourly(), 16, 6, 3, 2)), found(neighbourly()), atol=1e-5
    )


class Ones(Denoiser):
    """1 everywhere."""

    process: Process = VP()

    def estimate(self, x, t, y=None):
        return Estimate(jnp.ones_like(x))


@pytest.mark.parametrize("size", [(1, 1), (17, 31), (61, 53), (513, 769)])
def test_all_windows_together_are_one_at_every_pixel(size):
    """Also where the last batch is not full: 5 at a time."""
    found = applied(Tiled(Ones(), 48, 17, 5, 3), jnp.zeros((*size, 1)), jnp.asarray(0.4), None)
    np.testing.assert_allclose(found, np.ones((*size, 1)), rtol=1e-6)


def test_there_is_one_network_in_the_program_and_no_other_for_the_last_batch():
    x, y = images(*SIZE)
    text = applied.lower(Tiled(neighbourly(), 16, 4, 7), x, jnp.asarray(0.4), y).as_text()
    assert text.count("stablehlo.convolution") == 2


def test_another_value_is_not_another_program():
    x, y = images(*SIZE)
    traced = []

    @jax.jit
    def found(denoiser, x, t):
        traced.append(1)
        return denoiser(x, t, y)

    for slope in (0.1, 0.2, 0.3):
        denoiser = NetworkDenoiser(VP(), jnp.asarray(slope), by_pixel, Noise(), sees_y=True)
        found(Tiled(denoiser, 16, 4), x, jnp.asarray(slope))
    assert len(traced) == 1


@pytest.mark.parametrize("mode", [pytest.param("value", marks=pytest.mark.slow), "pullback"])
def test_memory_grows_by_few_images_and_not_by_tiles(mode):
    """Of a network of 64 channels, by the compiler's plan; the whole would take 64 images for each of its layers.

    A value has the sum and what the program returns; a pullback also its cotangent, that of a batch and their sum.
    """
    kernel = jnp.ones((3, 3, 3, 64)), jnp.ones((3, 3, 64, 3))

    def wide(params, x, condition):
        return convolve(jnp.tanh(convolve(x, params[0])), params[1])

    denoiser = Tiled(NetworkDenoiser(VP(), kernel, wide, Noise()), 16, 4, 2)

    def run(denoiser, x):
        value, pull = jax.vjp(lambda x: denoiser(x, jnp.asarray(0.4)), x)
        return value if mode == "value" else pull(value)[0]

    def planned(side):
        x = jax.ShapeDtypeStruct((side, side, 3), jnp.float32)
        return jax.jit(run).lower(denoiser, x).compile().memory_analysis().temp_size_in_bytes

    image = 4 * 3 * (256**2 - 64**2)
    assert planned(256) - planned(64) < {"value": 2, "pullback": 5}[mode] * image


@pytest.mark.parametrize("size", [(9, 40), (5, 7), (1, 1)])
def test_an_image_smaller_than_a_tile_keeps_its_size(size):
    x, y = images(*size)
    t = jnp.asarray(0.4)
    chex.assert_trees_all_close(
        applied(Tiled(pixelwise(), 16, 4), x, t, y), pixelwise()(x, t, y), rtol=1e-6, atol=1e-6
    )


def test_alone_equals_in_a_batch_whatever_the_tiles_at_a_time():
    x, y = images(3, 21, 18)
    t = jnp.asarray(0.4)
    together = jax.jit(jax.vmap(Tiled(neighbourly(), 8, 3, batch=4).__call__, (0, None, 0)))(
        x, t, y
    )
    alone = jnp.stack(
        [applied(Tiled(neighbourly(), 8, 3, batch=1), x[i], t, y[i]) for i in range(3)]
    )
    chex.assert_trees_all_close(together, alone, atol=1e-5)


class Reporting(Denoiser):
    """Says the mean of its tile, as an image and among its figures."""

    process: Process = VP()

    def estimate(self, x: Image, t, y=None):
        mean = jnp.mean(x)
        return Estimate(jnp.full_like(x, mean), jnp.full_like(x, mean), {"mean": mean})


def test_the_largest_figure_over_the_tiles_is_reported():
    x = jnp.arange(4.0)[:, None, None] * jnp.ones((4, 2, 1))
    found = Tiled(Reporting(), 2, 0).estimate(x, jnp.asarray(0.5))
    assert found.info["mean"] == 2.5
    np.testing.assert_allclose(found.x0_hat[:, 0, 0], [0.5, 0.5, 2.5, 2.5], rtol=1e-6)
    np.testing.assert_allclose(found.mix, found.x0_hat)


def test_a_y_of_another_size_is_named():
    with pytest.raises(ValueError, match=r"y has shape \(5, 5, 3\), expected \(9, 9, channels\)"):
        Tiled(pixelwise(), 4, 2)(jnp.zeros((9, 9, 3)), jnp.asarray(0.5), jnp.zeros((5, 5, 3)))


@pytest.mark.slow
def test_samples_in_tiles_are_finite_to_the_last_row_and_follow_the_whole(key):
    """A network of single pixels: the deterministic sampler gives the same image with and without tiles."""
    _, y = images(21, 18)
    settings = {"shape": (21, 18, 3), "sampler": Discrete(DDIM(0.0)), "times": 4}
    whole = sample(key, pixelwise(), y, **settings).images
    tiled = sample(key, Tiled(pixelwise(), 8, 3), y, **settings).images
    # (x − σ ε̂)/a at the noisy end multiplies a rounding by σ̂ = 150
    chex.assert_trees_all_close(tiled, whole, rtol=1e-4, atol=1e-4)


MANY = """
import jax, jax.numpy as jnp, numpy as np
from jaxir.denoisers import Tiled
from denoisers.test_tiled import images, neighbourly
x, y = images(61, 53)
denoiser = Tiled(neighbourly(), 16, 6, 8)
def value(denoiser, x, y):
    out, pull = jax.vjp(lambda x: denoiser(x, jnp.asarray(0.4), y), x)
    return out, pull(out)[0]
for run in (value, lambda *args: jax.tree.map(lambda v: v[0], jax.vmap(value, (None, 0, 0))(*[
    args[0], *(v[None] for v in args[1:])]))):
    program = jax.jit(run).lower(denoiser, x, y).compile()
    out = program(denoiser, x, y)
    print(program.cost_analysis()["flops"])
np.savez("FILE", *out)
"""


@pytest.mark.slow
@pytest.mark.devices
def test_the_tiles_of_a_batch_are_shared_out_and_the_image_is_that_of_1_device(
    run_python, tmp_path
):
    """Alone and in a batch of images, with the gradient; eight devices do an eighth of the network's work each."""
    found = {}
    for devices in (1, 8):
        file = tmp_path / f"{devices}.npz"
        printed = run_python(MANY.replace("FILE", str(file)), devices=devices)
        with np.load(file) as arrays:
            found[devices] = [float(line) for line in printed.split()], *arrays.values()
    for one, eight in zip(found[1][0], found[8][0], strict=True):
        assert eight < one / 4
    chex.assert_trees_all_close(found[8][1:], found[1][1:], atol=1e-5)
