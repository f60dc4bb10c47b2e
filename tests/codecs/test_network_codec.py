"""Networks as codecs: the law of a code, its scale, sizes that do not divide, and tiles that are the whole."""

import dataclasses
import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxir.codecs import NetworkCodec, TiledCodec, unit_scale
from jaxir.networks import Code, KLAutoencoder, LatentNetwork, TinyAutoencoder, VQAutoencoder
from jaxir.networks.layers import fold, unfold
from jaxir.tiling import starts, windows

pytestmark = pytest.mark.usefixtures("quick_compile")

LOCAL = TinyAutoencoder(width=6, latent=3, encoder=(0, 0), decoder=(0, 0))
"""E sees three pixels beyond the two of a position, D two positions beyond its own."""
REACH = 2
encode = jax.jit(lambda codec, x: codec.encode(x))
decode = jax.jit(lambda codec, z: codec.decode(z))


@dataclasses.dataclass(frozen=True)
class Folding(LatentNetwork):
    """Blocks of 4 × 4 pixels as channels: no network loses less, and none sees less."""

    channels: int = 3
    latent: int = 48
    stride: int = 4

    def init(self, key):
        return {}

    def encode(self, params, x):
        return Code(fold(x, 4), 0.5)

    def decode(self, params, z):
        return unfold(z, 4)


@functools.cache
def weights(network):
    """Of which none is zero."""
    random = np.random.default_rng(0)
    shapes = jax.eval_shape(network.init, jax.random.key(0))
    return jax.tree.map(
        lambda leaf: jnp.asarray(
            random.normal(size=leaf.shape) / np.sqrt(np.prod(leaf.shape[:-1])), leaf.dtype
        ),
        shapes,
    )


def images(*shape):
    return jax.random.normal(jax.random.key(2), (*shape, 3))


def test_a_code_is_scaled_and_shifted_and_drawn_around_its_mean():
    """Of the folding network: mean c (x − m), deviation c/2; D undoes E."""
    x = images(8, 8)
    codec = NetworkCodec(Folding(), {}, (8, 8, 3), 2.5, 0.3)
    chex.assert_trees_all_close(codec.encode(x), 2.5 * (fold(x, 4) - 0.3), atol=1e-6)
    chex.assert_trees_all_close(codec.decode(codec.encode(x)), x, atol=1e-6)
    draws = jax.vmap(codec.sample, (0, None))(jax.random.split(jax.random.key(3), 400), x)
    rest = np.asarray(draws - codec.encode(x)) / 1.25
    # 76,800 standard normal numbers: mean within 5/√n, variance within 5 √(2/n)
    assert abs(rest.mean()) < 5 / np.sqrt(rest.size)
    assert abs(rest.var() - 1) < 5 * np.sqrt(2 / rest.size)


def test_the_measured_scale_gives_unit_deviation():
    batch = 0.4 * images(3, 7, 9) + 0.2
    scale = unit_scale(LOCAL, weights(LOCAL), batch)
    codec = NetworkCodec(LOCAL, weights(LOCAL), (7, 9, 3), scale)
    latents = jax.jit(jax.vmap(codec.encode))(batch)
    np.testing.assert_allclose(np.std(latents), 1, rtol=1e-5)


@pytest.mark.parametrize("size", [(13, 6), (3, 2), (1, 1)])
def test_every_size_comes_back_to_its_last_row_and_column(size):
    """What does not divide is mirrored before E and cut off after D, whole and in tiles: no border of another kind."""
    x = images(*size)
    whole = NetworkCodec(Folding(), {}, x.shape, 2.0)
    tiled = TiledCodec(NetworkCodec(Folding(), {}, (8, 8, 3), 2.0), x.shape, overlap=1)
    for codec in (whole, tiled):
        z = encode(codec, x)
        chex.assert_shape(z, codec.latent_shape)
        chex.assert_trees_all_close(decode(codec, z), x, atol=1e-5)


@pytest.mark.parametrize(("length", "size", "stride", "margin"), [(61, 16, 5, 3), (17, 16, 8, 4)])
def test_windows_sum_to_one_and_are_zero_within_the_margin(length, size, stride, margin):
    total, begin = np.zeros(length), starts(length, size, stride)
    for start, window in zip(begin, windows(length, size, stride, margin), strict=True):
        total[start : start + size] += window
        assert window.min() >= 0
        assert start == 0 or not window[:margin].any()
        assert start + size == length or not window[-margin:].any()
    np.testing.assert_allclose(total, 1, rtol=1e-12)


def test_with_a_margin_as_wide_as_the_network_sees_tiles_are_the_whole():
    """46 × 37 pixels are 23 × 19 positions: neither divides by the tile, and the width not by the stride."""
    x = images(46, 37)
    whole = NetworkCodec(LOCAL, weights(LOCAL), x.shape, 0.7)
    tile = NetworkCodec(LOCAL, weights(LOCAL), (20, 20, 3), 0.7)
    tiled = TiledCodec(tile, x.shape, 2 * REACH + 1, REACH)
    z = encode(whole, x)
    chex.assert_trees_all_close(encode(tiled, x), z, atol=1e-5)
    chex.assert_trees_all_close(decode(tiled, z), decode(whole, z), atol=1e-5)
    seam = TiledCodec(tile, x.shape, 2 * REACH + 1, batch=3)
    assert jnp.abs(encode(seam, x) - z).max() > 1e-3
    assert jnp.abs(decode(seam, z) - decode(whole, z)).max() > 1e-3


@pytest.mark.slow
def test_the_memory_of_a_gradient_in_tiles_is_that_of_some_tiles():
    """Of 12 by 12 tiles one at a time, less than a fifth of what the whole needs; the compiler's own count."""
    network = TinyAutoencoder(width=32, latent=3, encoder=(0, 0), decoder=(1, 1))
    shape = (160, 160, 3)
    whole = NetworkCodec(network, weights(network), shape)
    tiled = TiledCodec(NetworkCodec(network, weights(network), (20, 20, 3)), shape, 4)

    def memory(codec):
        slope = jax.grad(lambda z: jnp.sum(codec.decode(z) ** 2))
        program = jax.jit(slope).lower(jnp.zeros(codec.latent_shape)).compile()
        return program.memory_analysis().temp_size_in_bytes

    assert memory(tiled) < memory(whole) / 5


def test_codes_of_a_codebook_are_the_nearest_and_gradients_pass_them():
    """q(z) by brute force; D(q(z)) has the derivative of D at q(z) with respect to z, and none to the codebook."""
    network = VQAutoencoder(
        widths=(4,), blocks=0, latent=2, inner=3, codes=9, groups=2, middle_attention=False
    )
    params, z = weights(network), 0.3 * jax.random.normal(jax.random.key(5), (5, 4, 2))
    book = np.asarray(params["codebook"])
    distances = np.linalg.norm(np.asarray(z)[..., None, :] - book, axis=-1)
    replaced, indices = network.quantise(params, z)
    np.testing.assert_array_equal(indices, distances.argmin(axis=-1))
    np.testing.assert_array_equal(replaced, book[indices])
    probe = images(5, 4)

    @jax.jit
    @jax.grad
    def slopes(moved, params):
        codebook, z = moved
        return jnp.vdot(network.decode({**params, "codebook": codebook}, z), probe)

    of_codebook, of_z = slopes((params["codebook"], z), params)
    chex.assert_trees_all_close(
        of_z, slopes((params["codebook"], replaced), params)[1], rtol=1e-5, atol=1e-6
    )
    assert jnp.linalg.norm(of_z) > 1e-3
    assert not of_codebook.any()


def test_images_of_a_batch_do_not_meet_and_a_new_scale_does_not_retrace():
    x, traced = images(3, 7, 6), []

    @jax.jit
    def drawn(codec, keys, x):
        traced.append(1)
        return jax.vmap(lambda key, x: codec.decode(codec.sample(key, x)))(keys, x)

    codec = NetworkCodec(LOCAL, weights(LOCAL), (7, 6, 3), jnp.asarray(0.5))
    keys = jax.random.split(jax.random.key(6), 3)
    together = drawn(codec, keys, x)
    reordered = drawn(dataclasses.replace(codec, scale=jnp.asarray(0.8)), keys[::-1], x[::-1])
    chex.assert_trees_all_close(reordered[::-1], together, atol=1e-5)  # D undoes the scale
    assert len(traced) == 1


@pytest.mark.parametrize(
    ("make", "line"),
    [
        (
            lambda: NetworkCodec(Folding(), {}, (8, 8, 1)),
            r"shape is \(8, 8, 1\), expected \(height, width, 3\)",
        ),
        (lambda: NetworkCodec(Folding(), {}, (8, 8, 3), 0.0), r"scale is 0.0, expected a positive"),
        (
            lambda: NetworkCodec(Folding(), {}, (8, 8, 3)).encode(jnp.zeros((8, 7, 3))),
            r"x has shape \(8, 7, 3\)",
        ),
        (
            lambda: TiledCodec(NetworkCodec(Folding(), {}, (8, 6, 3)), (9, 9, 3), 1),
            r"codec is of images of shape \(8, 6, 3\), expected square ones",
        ),
        (
            lambda: TiledCodec(NetworkCodec(Folding(), {}, (8, 8, 3)), (9, 9, 3), 2),
            "overlap is 2, expected 0 to size − 1 = 1",
        ),
        (
            lambda: TiledCodec(NetworkCodec(Folding(), {}, (8, 8, 3)), (9, 9, 3), 1, 1),
            "margin is 1, expected 0 to half the overlap, 0",
        ),
        (lambda: KLAutoencoder(widths=()), "expected at least one level"),
        (lambda: KLAutoencoder(widths=(40,)), r"widths is \(40,\), expected multiples of groups"),
        (lambda: TinyAutoencoder(decoder=(1,)), "expected numbers of blocks of equally many"),
    ],
)
def test_what_does_not_fit_is_refused(make, line):
    with pytest.raises(ValueError, match=line):
        make()
