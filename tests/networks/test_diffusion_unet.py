"""The U-Net of published weights, beyond what its parity with the originals says: sizes, batches, rounding, errors."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxir.networks import (
    CrossAttention,
    DiffusionUNet,
    Filtered,
    GaussianWaves,
    InputSkip,
    Labels,
    Nearest,
    Norm,
    Sinusoids,
    Tokens,
)

pytestmark = pytest.mark.usefixtures("quick_compile")
NETWORK = DiffusionUNet(
    width=8,
    multipliers=(1, 2),
    blocks=1,
    attention=(False, True),
    heads=None,
    head_width=8,
    waves=Sinusoids(8),
    embedding=16,
    modulated=True,
    norm=Norm(4),
    conditioning=Labels(3),
)
CONDITION = jnp.asarray(17.0)


@functools.cache
def rough():
    """Weights of which none is zero, as many of a new network are."""
    random = np.random.default_rng(3)
    shapes = jax.eval_shape(NETWORK.init, jax.random.key(0))
    return jax.tree.map(
        lambda leaf: jnp.asarray(
            random.normal(size=leaf.shape) / np.sqrt(np.prod(leaf.shape[:-1])), leaf.dtype
        ),
        shapes,
    )


def image(height, width, seed=0):
    return jax.random.normal(jax.random.key(seed), (height, width, 3))


def test_any_height_and_width_keep_their_shape():
    for size in ((1, 1), (2, 5), (7, 4)):
        out = jax.eval_shape(NETWORK.apply, rough(), image(*size), CONDITION, jnp.asarray(1))
        assert out.shape == (*size, 3)


@pytest.mark.parametrize(
    "change",
    [
        {"resampling": Filtered(), "pyramid_in": InputSkip(), "pyramid_out": True},
        {"resampling": Nearest()},
        {"down_padding": (0, 1)},
        {"conditioning": CrossAttention(3, heads=1, width=4)},
    ],
)
def test_whatever_halves_the_sides_and_whatever_y_is_any_size_goes(change):
    network = dataclasses.replace(NETWORK, **{"conditioning": None} | change)
    params = jax.eval_shape(network.init, jax.random.key(0))
    for size in ((1, 1), (5, 7)):
        x = jax.ShapeDtypeStruct((*size, 3), jnp.float32)
        out = jax.eval_shape(network.apply, params, x, CONDITION, x if network.sees_y else None)
        assert out.shape == (*size, 3)


def test_the_frequencies_of_gaussian_waves_are_not_learnt():
    network = dataclasses.replace(NETWORK, waves=GaussianWaves(8), conditioning=None)
    params = network.init(jax.random.key(0))
    of = jax.grad(lambda params: jnp.sum(network.apply(params, image(2, 2), CONDITION)))(params)
    assert not np.any(of["waves"]["frequencies"])


def test_alone_equals_in_a_batch_and_no_class_adds_nothing():
    x, labels = jnp.stack([image(6, 4, seed) for seed in range(3)]), jnp.asarray([2, 0, -1])
    together = jax.jit(jax.vmap(NETWORK.apply, (None, 0, None, 0)))(rough(), x, CONDITION, labels)
    alone = jax.jit(NETWORK.apply)(rough(), x[1], CONDITION, labels[1])
    np.testing.assert_allclose(together[1], alone, atol=1e-5 * np.abs(alone).max())
    plain = dataclasses.replace(NETWORK, conditioning=None)
    without = {name: leaf for name, leaf in rough().items() if name != "conditioning"}
    none = jax.jit(plain.apply)(without, x[2], CONDITION)
    np.testing.assert_allclose(together[2], none, atol=1e-5 * np.abs(none).max())


@pytest.mark.slow
def test_computed_again_in_the_pullback_the_gradient_is_the_same():
    x = image(6, 4)
    again = dataclasses.replace(NETWORK, remat=True, resampling=Nearest())
    once = dataclasses.replace(NETWORK, resampling=Nearest())
    shapes = jax.eval_shape(once.init, jax.random.key(0))
    params = jax.tree.map(lambda leaf: 0.1 + jnp.zeros(leaf.shape), shapes)

    def of(network):
        total = jax.grad(lambda x: jnp.sum(network.apply(params, x, CONDITION, jnp.asarray(1))))
        return jax.jit(total)(x)

    np.testing.assert_allclose(of(again), of(once), rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_bfloat16_computes_near_float32():
    x, label = image(6, 4), jnp.asarray(1)
    full = jax.jit(NETWORK.apply)(rough(), x, CONDITION, label)
    half = jax.jit(dataclasses.replace(NETWORK, dtype="bfloat16").apply)(
        rough(), x, CONDITION, label
    )
    assert half.dtype == jnp.float32
    np.testing.assert_allclose(half, full, atol=0.1 * np.abs(full).max())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"attention": (True,)}, "attention has 1 entries but multipliers 2"),
        ({"heads": 2}, "heads is 2 and head_width 8: give one of the two"),
        ({"conditioning": Tokens()}, "a transformer needs Tokens, and Tokens a transformer"),
        ({"pyramid_in": InputSkip()}, "an image beside the features needs a resampling"),
    ],
)
def test_fields_that_do_not_fit_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(NETWORK, **change)


def test_a_class_in_the_place_of_an_image_and_an_image_in_that_of_a_class_are_named():
    with pytest.raises(ValueError, match=r"y has shape \(4, 4, 3\), expected \(\)"):
        NETWORK.apply(rough(), image(4, 4), CONDITION, image(4, 4))
