"""A decoder with features of the degraded image: the plain one at w = 0, and nearer to the truth with more of them."""

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxir.codecs import NetworkCodec, Wrapped
from jaxir.data import Synthetic
from jaxir.metrics import psnr
from jaxir.networks import KLAutoencoder, Wrapping

NETWORK = KLAutoencoder(
    widths=(8, 12), blocks=1, latent=2, groups=4, middle_attention=False, post_quant=False
)
WRAPPING = Wrapping(NETWORK, features=6)
SHAPE = (8, 12, 3)


def rough(init):
    """Parameters of which none is zero."""
    random = np.random.default_rng(2)
    return jax.tree.map(
        lambda leaf: jnp.asarray(
            0.5 * random.normal(size=leaf.shape) / np.sqrt(np.prod(leaf.shape[:-1])), leaf.dtype
        ),
        jax.eval_shape(init, jax.random.key(0)),
    )


@functools.cache
def plain():
    return NetworkCodec(NETWORK, rough(NETWORK.init), SHAPE, scale=2.0, shift=0.1)


@functools.cache
def images():
    return jax.random.normal(jax.random.key(1), (2, *SHAPE))


@functools.cache
def decoded():
    """The image of one latent as it is, and as it is with w of the features of y."""
    codec, random = plain(), rough(WRAPPING.init)
    z = jax.random.normal(jax.random.key(2), codec.latent_shape)
    decode = jax.jit(lambda codec, z: codec.decode(z))

    def wrapped(w, y, params=random):
        return decode(Wrapped(codec, WRAPPING, params, y, w), z)

    return decode(codec, z), wrapped


@pytest.mark.usefixtures("quick_compile")
def test_at_weight_0_it_is_the_plain_decoder_to_the_last_bit_and_elsewhere_it_sees_y():
    alone, wrapped = decoded()
    one, other = images()
    chex.assert_trees_all_equal(wrapped(0.0, one), alone)
    assert jnp.abs(wrapped(1.0, one) - alone).max() > 1e-3
    assert jnp.abs(wrapped(1.0, one) - wrapped(1.0, other)).max() > 1e-3


@pytest.mark.usefixtures("quick_compile")
def test_it_is_the_plain_decoder_at_every_weight_until_the_last_layers_move():
    alone, wrapped = decoded()
    started = {
        level: layers | {"out": jax.tree.map(jnp.zeros_like, layers["out"])}
        for level, layers in rough(WRAPPING.init).items()
    }
    chex.assert_trees_all_equal(wrapped(1.0, images()[0], started), alone)


def test_there_are_features_of_each_level():
    hidden = jax.eval_shape(WRAPPING.hidden, plain().params, images()[0])
    assert [h.shape for h in hidden] == [(8, 12, 8), (4, 6, 12)]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"weight": 2.0}, "weight is 2.0"),
        ({"y": jnp.zeros((8, 8, 3))}, r"y has shape \(8, 8, 3\)"),
        ({"wrapping": Wrapping(KLAutoencoder(widths=(32,)))}, "wrapping is of KLAutoencoder"),
    ],
)
def test_what_does_not_fit_is_refused(change, text):
    settings = {"wrapping": WRAPPING, "params": {}, "y": images()[1], "weight": 0.5}
    with pytest.raises(ValueError, match=text):
        Wrapped(plain(), **settings | change)


@pytest.mark.slow
@pytest.mark.usefixtures("quick_compile")
def test_more_of_the_features_brings_the_image_nearer_to_the_truth():
    """32 numbers of latent for 768 of an image: an autoencoder trained alone, then Fuse on noisy images, at w = 1."""
    network = KLAutoencoder(widths=(8, 8, 8), blocks=1, latent=2, groups=4, middle_attention=False)
    wrapping, optimizer = Wrapping(network, features=8), optax.adam(5e-3)
    source = Synthetic(40, 16)
    clean = jnp.stack([source[i] for i in range(40)]) / 127.5 - 1
    train, test = clean[:32], clean[32:]

    def one(fuse, autoencoder, x, key, weight):
        y = x + 0.1 * jax.random.normal(key, x.shape)
        z = network.encode(autoencoder, y).mean
        hidden = wrapping.hidden(autoencoder, y)
        return wrapping.decode(fuse, autoencoder, z, hidden, weight)

    def loss(params, key, weight):
        picked, noise = jax.random.split(key)
        x = train[jax.random.randint(picked, (8,), 0, len(train))]
        restore = jax.vmap(one, (None, None, 0, 0, None))
        out = restore(params[0], params[1], x, jax.random.split(noise, 8), weight)
        return jnp.mean((out - x) ** 2)

    @jax.jit
    def step(params, state, key, weight):
        """At w = 0 the autoencoder learns, for nothing else has a gradient; else Fuse alone."""
        gradient = jax.grad(loss)(params, key, weight)
        kept = jax.tree.map(lambda g: jnp.where(weight > 0, 0 * g, g), gradient[1])
        updates, state = optimizer.update((gradient[0], kept), state)
        return optax.apply_updates(params, updates), state

    params = wrapping.init(jax.random.key(0)), network.init(jax.random.key(1))
    assert not any(jnp.any(leaf) for layer in params[0].values() for leaf in layer["out"].values())
    for weight in (0.0, 1.0):
        state = optimizer.init(params)
        for key in jax.random.split(jax.random.key(2), 250):
            params, state = step(params, state, key, jnp.asarray(weight))
    restore = jax.jit(jax.vmap(one, (None, None, 0, 0, None)))
    keys = jax.random.split(jax.random.key(3), len(test))
    reached = [
        float(np.mean(jax.vmap(psnr)(restore(*params, test, keys, jnp.asarray(w)), test)))
        for w in (0.0, 0.5, 1.0)
    ]
    assert reached[0] < reached[1] < reached[2]
    assert reached[2] > reached[0] + 3
