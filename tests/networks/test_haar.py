"""The wavelet transform is orthonormal and as printed, as a codec and around a network."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxir.codecs import HaarCodec
from jaxir.denoisers import NetworkDenoiser, Preconditioned
from jaxir.networks import Concatenation, Exposed, Haar, UNet
from jaxir.networks.haar import haar, unhaar
from jaxir.pretrained import load, save_denoiser
from jaxir.processes import VP

pytestmark = pytest.mark.usefixtures("quick_compile")

CODEC = HaarCodec((8, 4, 1), levels=2)


def test_a_block_becomes_half_its_sum_and_the_halved_differences():
    """LL = (a + b + c + d)/2, then along columns, rows and both: the four bands as they are published."""
    a, b, c, d = 1.0, 2.0, 4.0, 8.0
    found = haar(jnp.array([[[a], [b]], [[c], [d]]]), 1)
    expected = [a + b + c + d, a - b + c - d, a + b - c - d, a - b - c + d]
    np.testing.assert_allclose(found[0, 0], np.array(expected) / 2)


def test_the_first_channels_are_scaled_means_of_blocks(key):
    x, size = jax.random.normal(key, (8, 16, 3)), 8
    means = x.reshape(8 // size, size, 16 // size, size, 3).mean(axis=(1, 3))
    chex.assert_trees_all_close(haar(x, 3)[..., :3], size * means, atol=1e-5)


@pytest.mark.parametrize("levels", [1, 2, 3])
def test_the_round_trip_is_the_identity(key, levels):
    x = jax.random.normal(key, (8, 16, 3))
    chex.assert_trees_all_close(unhaar(haar(x, levels), levels), x, atol=1e-6)


def test_the_transform_is_orthonormal():
    matrix = jax.vmap(lambda e: CODEC.encode(e.reshape(CODEC.shape)).ravel())(jnp.eye(32))
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(32), atol=1e-6)


def test_the_second_level_splits_the_mean_alone(key):
    """The differences of the first level are those of one level, in another order."""
    x = jax.random.normal(key, (8, 4, 1))
    one, two = haar(x, 1), haar(x, 2)
    np.testing.assert_allclose(np.sort(two[..., 4:].ravel()), np.sort(one[..., 1:].ravel()))


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: HaarCodec((8, 6, 3), levels=2), r"shape is \(8, 6, 3\), expected sides that .* 4"),
        (lambda: HaarCodec((8, 8, 3), levels=0), "levels is 0"),
        (lambda: Haar(UNet(out_channels=12), 0), "levels is 0"),
        (lambda: Haar(UNet(out_channels=12), 2), "inner has 12 channels out, expected a multiple"),
        (lambda: Exposed(UNet()), "inner does not see y"),
        (lambda: Exposed(INNER, mean=1.5), "mean is 1.5"),
    ],
)
def test_what_does_not_fit_is_refused(make, text):
    with pytest.raises(ValueError, match=text):
        make()


INNER = UNet(
    in_channels=12,
    out_channels=12,
    widths=(8,),
    blocks=(1,),
    patch=1,
    embedding=8,
    conditioning=Concatenation(12),
)
NETWORK = Exposed(Haar(INNER, 1))


def test_a_network_of_bands_is_one_of_images_of_any_size_and_is_stored_as_such(key, tmp_path):
    params = jax.tree.map(lambda p: p + 0.1, NETWORK.init(key))
    denoiser = NetworkDenoiser(VP(), params, NETWORK.apply, Preconditioned(), 0.5, True)
    save_denoiser(tmp_path, denoiser, NETWORK)
    loaded = load(tmp_path)
    x, t = jax.random.normal(key, (6, 7, 3)), jnp.asarray(0.4)
    out = loaded(x, t, x)
    chex.assert_shape(out, (6, 7, 3))
    chex.assert_trees_all_close(out, denoiser(x, t, x), atol=1e-6)
    bands = INNER.apply(params, haar(x[:, :6], 1), t, haar(NETWORK.brightened(x[:, :6]), 1))
    chex.assert_trees_all_close(
        NETWORK.apply(params, x[:, :6], t, x[:, :6]), unhaar(bands, 1), atol=1e-5
    )


def test_every_exposure_is_brightened_to_the_same_mean(key):
    light = jax.random.uniform(key, (8, 8, 3))
    bright = [NETWORK.brightened(2 * exposure * light - 1) for exposure in (0.05, 0.3, 1.0)]
    chex.assert_trees_all_close(bright[0], bright[1], bright[2], atol=1e-5)
    np.testing.assert_allclose(jnp.mean((bright[0] + 1) / 2), 0.45, rtol=1e-5)
    assert jnp.all(jnp.isfinite(NETWORK.brightened(-jnp.ones((4, 4, 3)))))
