"""An image is seen whole or in the largest tiles that fit, by its size and the memory alone."""

import jax
import jax.numpy as jnp
import pytest

from jaxir.denoisers import NetworkDenoiser, Noise, Tiled, in_tiles
from jaxir.denoisers.tile_size import free_bytes, held_bytes, tile_for
from jaxir.networks.convolution import convolve
from jaxir.processes import VP

MIB = 2**20


def wide(params, x, condition):
    """32 channels, and back."""
    first, second = params
    return jax.lax.fori_loop(0, 3, lambda _, h: jnp.tanh(h), convolve(x, first)) @ second


DENOISER = NetworkDenoiser(VP(), (jnp.ones((3, 3, 3, 32)), jnp.ones((32, 3))), wide, Noise())


@pytest.mark.parametrize(
    ("shape", "mebibytes", "size"),
    [
        ((1, 1, 3), 1, 0),
        ((512, 512, 3), 1, 0),  # small images are seen whole whatever there is
        ((513, 2, 3), 10**6, 512),
        ((2048, 3072, 3), 10**6, 512),
        ((2048, 3072, 3), 1024, 512),
        ((2048, 3072, 3), 1023, 256),
        ((2048, 3072, 3), 256, 256),
        ((2048, 3072, 3), 255, 128),
        ((2048, 3072, 3), 1, 128),
        ((100, 20000, 1), 1024, 512),
    ],
)
def test_the_largest_tile_that_fits(shape, mebibytes, size):
    """Of a network that holds 4 KiB for each pixel of a tile."""
    assert tile_for(shape, mebibytes * MIB, lambda size: 4096 * size**2) == size


def test_what_a_tile_takes_is_counted_on_the_program():
    """Three images of 32 channels, the one of a loop once, and some of 3; four times of twice the side."""
    small, large = (held_bytes(DENOISER, side, 3) for side in (32, 64))
    assert 3 < small / (4 * 32**2 * 32) < 4
    assert large / small == pytest.approx(4, rel=0.01)


def test_memory_is_known():
    assert 64 * MIB < free_bytes() < 2**50


def test_what_is_asked_for_comes_before_what_fits():
    photo = (600, 700, 3)
    assert in_tiles(DENOISER, photo, 0) is DENOISER
    assert in_tiles(DENOISER, photo, 700) is DENOISER
    assert in_tiles(DENOISER, (600, 300, 3)) == Tiled(DENOISER, 512, 64, 1, 16)
    assert in_tiles(DENOISER, photo, 100) == Tiled(DENOISER, 100, 25, 1, 6)
    assert in_tiles(DENOISER, photo, 100, 40, 3) == Tiled(DENOISER, 100, 40, 3, 10)
    own = Tiled(DENOISER, 48, 8)
    assert in_tiles(own, photo) is own
    with pytest.raises(ValueError, match="tile is -1, expected 0 for the whole image"):
        in_tiles(DENOISER, photo, -1)
