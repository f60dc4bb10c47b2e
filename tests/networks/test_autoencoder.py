"""The autoencoder with hidden skips: what its codec promises, what its latent saves, and that it learns."""

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxir.codecs import HiddenSkip
from jaxir.data import Synthetic
from jaxir.metrics import psnr
from jaxir.networks import Autoencoder, Concatenation, UNet

quick = pytest.mark.usefixtures("quick_compile")
"""Not for what trains: its program is compiled once and runs long."""

NETWORK = Autoencoder(widths=(8, 12, 16), latent=4)
encode = jax.jit(lambda codec, x: codec.encode(x))
decode = jax.jit(lambda codec, z: codec.decode(z))


@functools.cache
def params():
    return NETWORK.init(jax.random.key(0))


def pair():
    return jax.random.normal(jax.random.key(1), (2, 8, 12, 3))


@quick
def test_the_codec_of_a_photograph_is_the_network_on_it():
    x, y = pair()
    codec = HiddenSkip(NETWORK, params(), y, scale=3.0)
    z = encode(codec, x)
    chex.assert_shape(z, codec.latent_shape)
    assert codec.latent_shape == (2, 3, 4)
    whole = jax.jit(NETWORK.apply)(params(), x, jnp.zeros(()), y)
    chex.assert_trees_all_close(decode(codec, z), whole, atol=1e-5)
    other = HiddenSkip(NETWORK, params(), x, scale=3.0)
    chex.assert_trees_all_close(encode(other, x), z, atol=1e-6)  # the latent knows nothing of y
    assert jnp.abs(decode(other, z) - whole).max() > 1e-3  # the decoder does


@quick
def test_any_size_is_rebuilt_in_its_size_and_one_that_does_not_divide_has_no_codec():
    x, y = pair()[:, :7, :5]
    chex.assert_shape(NETWORK.apply(params(), x, jnp.zeros(()), y), (7, 5, 3))
    with pytest.raises(ValueError, match=r"y has shape \(7, 5, 3\), expected sides .* stride 4"):
        HiddenSkip(NETWORK, params(), y)


@pytest.mark.parametrize("widths", [(), (0,)])
def test_a_network_without_channels_is_refused(widths):
    with pytest.raises(ValueError, match="expected at least one level"):
        Autoencoder(widths=widths)


@quick
def test_a_step_in_the_latent_costs_less_than_half_of_one_in_pixels():
    """Operations, as the compiler counts them, of one evaluation of the same U-Net for an image of 64 × 64."""

    def operations(size, channels, patch):
        network = UNet(
            in_channels=channels,
            out_channels=channels,
            widths=(32, 64),
            blocks=(1, 1),
            patch=patch,
            conditioning=Concatenation(channels),
        )
        x = jax.ShapeDtypeStruct((size, size, channels), jnp.float32)
        shapes = jax.eval_shape(network.init, jax.random.key(0))
        t = jax.ShapeDtypeStruct((), jnp.float32)
        return jax.jit(network.apply).lower(shapes, x, t, x).cost_analysis()["flops"]

    assert operations(16, 8, 1) < operations(64, 3, 2) / 2


@pytest.mark.slow
def test_the_latent_and_the_hidden_features_make_an_image_again():
    """Above 30 dB on images it trained on; from features of an image in noise, so that the latent must say the rest."""
    source = Synthetic(8, 32)
    images = jnp.stack([source[i] for i in range(8)]) / 127.5 - 1
    optimizer = optax.adam(3e-3)

    def degraded(key):
        return images + 0.3 * jax.random.normal(key, images.shape)

    def rebuild(params, ys):
        return jax.vmap(NETWORK.apply, (None, 0, None, 0))(params, images, jnp.zeros(()), ys)

    @jax.jit
    def step(params, state, key):
        def loss(params):
            return jnp.mean(jnp.abs(rebuild(params, degraded(key)) - images))

        updates, state = optimizer.update(jax.grad(loss)(params), state)
        return optax.apply_updates(params, updates), state

    weights = NETWORK.init(jax.random.key(0))
    state = optimizer.init(weights)
    for key in jax.random.split(jax.random.key(2), 600):
        weights, state = step(weights, state, key)
    found = jax.jit(rebuild)(weights, degraded(jax.random.key(3)))
    reached = float(np.mean(jax.vmap(psnr)(found, images)))
    assert reached > 30
