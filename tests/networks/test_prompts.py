"""Prompts by what happened to y: the published formula, nothing at first, degradations told apart after training."""

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxir.data import Synthetic
from jaxir.losses import info_nce, similarity
from jaxir.networks import ImageEncoder, Prompts, UNet
from jaxir.networks.prompts import _Prompts

CONTROLLER = ImageEncoder(features=6, widths=(8, 8))
NETWORK = UNet(
    widths=(8,), blocks=(1,), embedding=8, conditioning=Prompts(CONTROLLER, count=3, features=5)
)
KEY = jax.random.key(0)
CONDITION = jnp.asarray(0.3)


@functools.cache
def rough():
    """Parameters of which none is zero."""
    random = np.random.default_rng(2)
    return jax.tree.map(
        lambda leaf: jnp.asarray(random.normal(size=leaf.shape) / 2, leaf.dtype),
        jax.eval_shape(NETWORK.init, KEY),
    )


def images():
    return jax.random.normal(jax.random.key(1), (3, 7, 9, 3))


@pytest.mark.slow
@pytest.mark.usefixtures("quick_compile")
def test_nothing_is_said_until_the_last_layer_moves():
    x, *ys = images()
    apply = jax.jit(jax.vmap(NETWORK.apply, (None, None, None, 0)))
    last = jax.tree.map(jnp.zeros_like, rough()["conditioning"]["out"])
    started = rough() | {"conditioning": rough()["conditioning"] | {"out": last}}
    before, after = (apply(p, x, CONDITION, jnp.stack(ys)) for p in (started, rough()))
    chex.assert_trees_all_equal(before[0], before[1])
    assert jnp.abs(after[0] - after[1]).max() > 1e-3


@pytest.mark.usefixtures("quick_compile")
def test_what_is_added_is_the_published_mixture():
    """Written out again with numpy, from the embedding that the controller alone gives."""
    y, params = images()[1], rough()["conditioning"]

    @jax.jit
    def both(params, y):
        added = _Prompts(NETWORK.conditioning, 8).apply({"params": params}, y)
        return CONTROLLER.apply(params["controller"], y), added

    e, found = both(params, y)
    params = jax.tree.map(np.asarray, params)

    def dense(name, v):
        return v @ params[name]["kernel"] + params[name]["bias"]

    h = dense("dense_0", np.asarray(e) / np.linalg.norm(e))
    scores = np.exp(dense("dense_1", h / (1 + np.exp(-h))))
    expected = dense("out", scores / scores.sum() @ params["prompts"])
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_any_size_has_an_embedding_and_a_configuration_without_features_is_refused():
    params = rough()["conditioning"]["controller"]
    for size in ((1, 1), (5, 8)):
        found = jax.eval_shape(CONTROLLER.apply, params, jnp.ones((*size, 3)))
        assert found.shape == (6,)
    with pytest.raises(ValueError, match="features 0, expected at least one level and one feature"):
        ImageEncoder(features=0)


def degraded(key, x, kind):
    """Noise, a blur of 3 × 3 or half the light."""
    noisy = x + 0.3 * jax.random.normal(key, x.shape)
    padded = jnp.pad(x, ((1, 1), (1, 1), (0, 0)), mode="edge")
    blurred = sum(padded[i : i + 16, j : j + 16] for i in range(3) for j in range(3)) / 9
    return jnp.stack([noisy, blurred, (x - 1) / 2])[kind]


@pytest.mark.slow
@pytest.mark.usefixtures("quick_compile")
def test_a_controller_tells_three_degradations_apart_and_the_network_answers_to_its_embedding():
    """Nine of ten and more on new images, by the nearest of three learnt keys."""
    source = Synthetic(96, 16)
    waves = jnp.stack([source[i] for i in range(96)]) / 127.5 - 1
    clean = waves + 0.1 * jnp.asarray(np.random.default_rng(0).normal(size=waves.shape))
    optimizer = optax.adam(1e-2)
    told = functools.partial(info_nce, temperature=0.2)
    embed = jax.jit(jax.vmap(CONTROLLER.apply, (None, 0)))

    @jax.jit
    def spoil(key, x, kind):
        return jax.vmap(degraded)(jax.random.split(key, len(x)), x, kind)

    def loss(params, key):
        picked, noise = jax.random.split(key)
        kind = jnp.arange(24) % 3
        ys = spoil(noise, clean[jax.random.randint(picked, (24,), 0, 64)], kind)
        return jnp.mean(jax.vmap(told, (0, None, 0))(embed(params[0], ys), params[1], kind))

    @jax.jit
    def step(params, state, key):
        updates, state = optimizer.update(jax.grad(loss)(params, key), state)
        return optax.apply_updates(params, updates), state

    params = CONTROLLER.init(KEY), jax.random.normal(KEY, (3, 6))
    state = optimizer.init(params)
    for key in jax.random.split(jax.random.key(1), 300):
        params, state = step(params, state, key)
    kind = jnp.arange(32) % 3
    ys = spoil(jax.random.key(2), clean[64:], kind)
    said = jnp.argmax(jax.vmap(similarity, (0, None))(embed(params[0], ys), params[1]), axis=1)
    assert jnp.mean(said == kind) > 0.9

    part = rough()["conditioning"] | {"controller": params[0]}
    answers = jax.jit(jax.vmap(NETWORK.apply, (None, None, None, 0)))
    out = answers(rough() | {"conditioning": part}, clean[0], CONDITION, ys)
    gaps = np.linalg.norm((out[:, None] - out[None]).reshape(32, 32, -1), axis=-1)
    same = kind[:, None] == kind[None]
    assert gaps[~same].mean() > 3 * gaps[same].mean()
