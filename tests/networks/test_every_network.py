"""What holds for every network, whatever is inside: sizes, batches, rounding, remat, training."""

import dataclasses
import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxir.networks import (
    Concatenation,
    ConditionalUNet,
    CrossAttention,
    DiT,
    FiLM,
    NAFNet,
    Sinusoids,
    UNet,
)

pytestmark = pytest.mark.usefixtures("quick_compile")

NETWORKS = {
    "unet": UNet(
        widths=(8, 16),
        blocks=(0, 1),
        embedding=16,
        conditioning=CrossAttention(channels=1, heads=2, width=16),
    ),
    "nafnet": NAFNet(
        width=8, encoder=(1,), middle=0, decoder=(1,), embedding=16, conditioning=Concatenation(1)
    ),
    "dit": DiT(
        width=16,
        depth=2,
        heads=2,
        patch=4,
        embedding=16,
        conditioning=FiLM(channels=1, features=16),
    ),
    "conditional_unet": ConditionalUNet(
        width=8,
        depth=2,
        heads=2,
        head_width=4,
        waves=Sinusoids(16),
        embedding=16,
        conditioning=Concatenation(1),
    ),
}
IMPORTED = {"conditional_unet"}
"""Here for published weights: without norms it would learn a hundred times slower than the others."""
KEY = jax.random.key(0)
CONDITION = jnp.asarray(0.3)
every = pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.slow) if name in IMPORTED else name for name in NETWORKS],
)


@functools.cache
def new(name):
    return NETWORKS[name].init(KEY)


@functools.cache
def rough(name):
    """Parameters of which none is zero, as many of a new network are, and none makes the signal grow."""
    random = np.random.default_rng(2)
    shapes = jax.eval_shape(NETWORKS[name].init, KEY)
    return jax.tree.map(
        lambda leaf: jnp.asarray(
            0.5 * random.normal(size=leaf.shape) / np.sqrt(np.prod(leaf.shape[:-1])), leaf.dtype
        ),
        shapes,
    )


@functools.cache
def compiled(name):
    return jax.jit(NETWORKS[name].apply)


def images(*shape):
    x, y = jax.random.split(jax.random.key(3))
    return jax.random.normal(x, (*shape, 3)), jax.random.normal(y, (*shape, 1))


@every
@pytest.mark.parametrize("size", [(1, 1), (7, 10)])
def test_any_height_and_width_keep_their_shape(name, size):
    x, y = images(*size)
    out = compiled(name)(rough(name), x, CONDITION, y)
    chex.assert_shape(out, (*size, 3))
    chex.assert_tree_all_finite(out)
    assert jnp.any(out != 0)


@every
def test_a_new_network_has_float32_parameters_and_answers_zero(name):
    x, y = images(7, 10)
    assert {leaf.dtype for leaf in jax.tree.leaves(new(name))} == {jnp.dtype("float32")}
    last = new(name).get("conditioning", {}).get("out", {})
    chex.assert_trees_all_equal(last, jax.tree.map(jnp.zeros_like, last))
    out = compiled(name)(new(name), x, CONDITION, y)
    chex.assert_trees_all_equal(out, jnp.zeros_like(x))


@every
def test_alone_equals_in_a_batch(name):
    x, y = images(4, 7, 10)
    conditions = jnp.linspace(-1.5, 1.5, 4)
    together = jax.jit(jax.vmap(NETWORKS[name].apply, (None, 0, 0, 0)))(
        rough(name), x, conditions, y
    )
    alone = [compiled(name)(rough(name), x[i], conditions[i], y[i]) for i in range(4)]
    chex.assert_trees_all_close(together, jnp.stack(alone), atol=1e-5)
    other = compiled(name)(rough(name), x[0], conditions[3], y[0])
    assert jnp.abs(together[0] - other).max() > 1e-3  # the noise level is seen


@every
def test_bfloat16_computes_near_float32_with_float32_parameters(name):
    half = dataclasses.replace(NETWORKS[name], dtype="bfloat16")
    chex.assert_trees_all_equal_shapes_and_dtypes(jax.eval_shape(half.init, KEY), rough(name))
    x, y = images(7, 10)
    full = compiled(name)(rough(name), x, CONDITION, y)
    out = jax.jit(half.apply)(rough(name), x, CONDITION, y)
    assert out.dtype == jnp.float32
    error = jnp.linalg.norm(out - full) / jnp.linalg.norm(full)
    # Input, kernel and output of a layer are each rounded by at most u = 2⁻⁸, independently: u √(3 layers) in all.
    layers = sum(leaf.ndim > 1 for leaf in jax.tree.leaves(rough(name)))
    assert 2**-8 / 20 < error < 2**-8 * (3 * layers) ** 0.5


@every
def test_remat_is_in_the_program_and_not_in_the_names_of_parameters(name):
    x, y = images(8, 8)
    again = dataclasses.replace(NETWORKS[name], remat=True)
    chex.assert_trees_all_equal_shapes(jax.eval_shape(again.init, KEY), rough(name))
    for network, is_there in ((again, True), (NETWORKS[name], False)):
        program = str(jax.make_jaxpr(network.apply)(rough(name), x, CONDITION, y))
        assert ("remat2[" in program) == is_there


@pytest.mark.parametrize(
    "name",
    [
        name if name == "dit" else pytest.param(name, marks=pytest.mark.slow)
        for name in NETWORKS
        if name not in IMPORTED
    ],
)
def test_sixty_steps_learn_what_only_y_tells(name):
    """The target is the sign of the mean of y: without y no estimate has a loss below its variance, 1."""
    network, optimizer = NETWORKS[name], optax.adam(1e-2)

    def loss(params, key):
        ks = jax.random.split(key, 4)
        x = jax.random.normal(ks[0], (16, 8, 8, 3))
        level = jax.random.rademacher(ks[1], (16, 1, 1, 1), float)
        y = level + 0.3 * jax.random.normal(ks[2], (16, 8, 8, 1))
        out = jax.vmap(network.apply, (None, 0, 0, 0))(
            params, x, jax.random.uniform(ks[3], (16,)), y
        )
        return jnp.mean((out - level) ** 2)

    def step(carry, key):
        params, state = carry
        updates, state = optimizer.update(jax.grad(loss)(params, key), state)
        return (optax.apply_updates(params, updates), state), None

    @jax.jit
    def train(params):
        keys = jax.random.split(jax.random.key(5), 61)
        (params, _), _ = jax.lax.scan(step, (params, optimizer.init(params)), keys[1:])
        return loss(params, keys[0])

    assert train(new(name)) < 0.25


@pytest.mark.parametrize(
    ("network", "y"),
    [
        (NETWORKS["dit"], None),
        (NETWORKS["dit"], jnp.zeros((8, 8, 3))),
        (NETWORKS["dit"], jnp.zeros((4, 4, 1))),
        (dataclasses.replace(NETWORKS["dit"], conditioning=None), jnp.zeros((8, 8, 1))),
    ],
)
def test_a_y_that_does_not_fit_is_named(network, y):
    with pytest.raises(ValueError, match=r"y has shape .*, expected .*conditioning"):
        network.apply(rough("dit"), jnp.zeros((8, 8, 3)), CONDITION, y)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: NAFNet(decoder=(1,)), "decoder has 1 entries but encoder has 4"),
        (lambda: DiT(width=20, heads=2), r"width is 20, expected a multiple of 4 · heads = 8"),
        (lambda: CrossAttention(width=6), r"width is 6, expected a multiple of 4 · heads = 16"),
        (lambda: DiT(dtype="float16"), "dtype is 'float16', expected 'float32' or 'bfloat16'"),
    ],
)
def test_a_wrong_configuration_is_refused(make, text):
    with pytest.raises(ValueError, match=text):
        make()
