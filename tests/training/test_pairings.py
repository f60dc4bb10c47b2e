"""What the paired experiments train on: the ways to spoil a crop, in `jit` and `vmap` as a training step has them."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from _photographs import compressed, greyed, low_resolution
from irsde_deblur import REACH, blurred, shake
from irsde_denoise import grain, noisy
from palette import Known, cut, holed, missing, spoiled

from jaxir.data import Synthetic
from jaxir.denoisers import NetworkDenoiser, Noise
from jaxir.processes import VP

pytestmark = pytest.mark.usefixtures("quick_compile")
PAIRINGS = (low_resolution, greyed, compressed, holed, cut, spoiled, blurred, noisy)
COUNT = 8


@functools.cache
def pairs(pairing):
    """Crops of bytes and what becomes of them."""
    source = Synthetic(COUNT, 48)
    crops = jnp.stack([source[i] for i in range(COUNT)]).astype(jnp.float32) / 127.5 - 1
    return jax.jit(jax.vmap(pairing))(jax.random.split(jax.random.key(0), COUNT), crops)


@pytest.mark.parametrize("pairing", PAIRINGS, ids=lambda pairing: pairing.__name__)
def test_the_degraded_image_has_the_size_of_the_crop_and_its_range(pairing):
    x0, y = pairs(pairing)
    assert y.shape == x0.shape
    assert y.dtype == jnp.float32
    most = 1.3 if pairing is low_resolution else 1 + 1e-6  # a cubic overshoots at an edge
    assert jnp.max(jnp.abs(y)) <= most
    assert not np.allclose(x0, y)


@pytest.mark.parametrize("pairing", [holed, cut])
def test_what_is_missing_is_told_by_zeros_and_the_rest_is_the_photograph(pairing):
    x0, y = pairs(pairing)
    hole = np.broadcast_to(jax.vmap(missing)(y), x0.shape)
    np.testing.assert_array_equal(y[~hole], x0[~hole])
    shares = hole.mean(axis=(1, 2, 3))
    assert np.all((shares > 0.05) & (shares < 0.55))


@pytest.mark.parametrize("pairing", [greyed, compressed])
def test_where_nothing_is_missing_every_pixel_counts(pairing):
    assert jnp.all(jax.vmap(missing)(pairs(pairing)[1]))


def test_known_pixels_stay_as_they_are():
    x0, y = (v[0] for v in pairs(holed))
    network = NetworkDenoiser(VP(), None, lambda _, x, c, y: x, Noise(), sees_y=True)
    found = Known(network)(jnp.ones_like(x0), jnp.asarray(0.5), y)
    hole = np.broadcast_to(missing(y), x0.shape)
    np.testing.assert_array_equal(found[~hole], x0[~hole])
    other = network(jnp.ones_like(x0), jnp.asarray(0.5), y)
    np.testing.assert_array_equal(found[hole], other[hole])


def test_the_grain_of_a_camera_has_variance_one_however_it_is_smeared(key):
    """Over 400 draws of 24 × 24 × 3: shared and smeared noise has few independent values, about 20 in the worst."""
    draws = jax.jit(jax.vmap(lambda key: grain(key, (24, 24, 3))))(jax.random.split(key, 400))
    variances = np.mean(np.square(draws), axis=(1, 2, 3))
    error = np.std(variances) / 400**0.5
    assert error < 0.02
    np.testing.assert_allclose(np.mean(variances), 1, atol=4 * error)


def test_the_line_of_a_shake_keeps_the_light_and_the_place(key):
    kernels = jax.jit(jax.vmap(shake))(jax.random.split(key, 50))
    np.testing.assert_allclose(np.sum(kernels, axis=(1, 2)), 1, rtol=1e-5)
    place = np.arange(-REACH, REACH + 1)
    for axis in (1, 2):
        np.testing.assert_allclose(np.sum(kernels, axis=axis) @ place, 0, atol=1e-3)
