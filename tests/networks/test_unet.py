"""The U-Net: any size, no size seen, one image at a time, parameters in float32."""

import dataclasses

import chex
import jax
import jax.numpy as jnp
import pytest

from jaxir.networks import UNet

pytestmark = pytest.mark.usefixtures("quick_compile")

SMALL = UNet(widths=(8, 16), blocks=(1, 1), embedding=16)
CONDITION = jnp.asarray(0.3)
REACH = 40
"""Pixels that SMALL sees to each side, rounded up: 17 cells of its finest level and the pooling, 2 pixels a cell."""


def rough(network: UNet) -> dict:
    """Parameters of which none is zero, as a new network's last layers are."""
    leaves, tree = jax.tree.flatten(network.init(jax.random.key(1)))
    keys = jax.random.split(jax.random.key(2), len(leaves))
    return tree.unflatten(
        [p + 0.1 * jax.random.normal(k, p.shape) for p, k in zip(leaves, keys, strict=True)]
    )


@pytest.fixture(scope="module")
def params():
    return rough(SMALL)


apply = jax.jit(SMALL.apply)


@pytest.mark.parametrize("size", [(1, 1), (7, 5), (17, 31), (16, 16), (1, 9)])
def test_any_height_and_width_keep_their_shape(params, key, size):
    x = jax.random.normal(key, (*size, 3))
    out = apply(params, x, CONDITION)
    chex.assert_shape(out, (*size, 3))
    chex.assert_tree_all_finite(out)


def test_inside_an_image_the_result_does_not_know_its_size(params, key):
    image = jax.random.normal(key, (120, 112, 3))
    crop = image[12:108, 8:104]  # shifted by multiples of the stride
    whole, part = apply(params, image, CONDITION), apply(params, crop, CONDITION)
    inside = slice(REACH, 96 - REACH)
    chex.assert_trees_all_close(
        whole[12:108, 8:104][inside, inside], part[inside, inside], atol=1e-5
    )
    assert jnp.abs(whole[12:108, 8:104] - part).max() > 1e-2  # at the border they differ


def test_a_far_pixel_changes_nothing(params, key):
    image = jax.random.normal(key, (120, 112, 3))
    changed = image.at[:4, :4].add(100.0)
    before, after = apply(params, image, CONDITION), apply(params, changed, CONDITION)
    far = slice(4 + REACH, None)
    chex.assert_trees_all_close(before[far, far], after[far, far], atol=1e-5)
    assert jnp.abs(before - after)[:4, :4].max() > 1e-2


def test_alone_equals_in_a_batch(params, key):
    x = jax.random.normal(key, (8, 16, 16, 3))
    conditions = jnp.linspace(-1.5, 1.5, 8)
    together = jax.jit(jax.vmap(SMALL.apply, (None, 0, 0)))(params, x, conditions)
    alone = jnp.stack([apply(params, x[i], conditions[i]) for i in range(8)])
    chex.assert_trees_all_close(together, alone, atol=1e-5)
    assert jnp.abs(together[0] - apply(params, x[0], conditions[7])).max() > 1e-2


def test_bfloat16_computes_near_float32_with_float32_parameters(params, key):
    half = dataclasses.replace(SMALL, dtype="bfloat16")
    chex.assert_trees_all_equal_shapes_and_dtypes(half.init(key), SMALL.init(key))
    x = jax.random.normal(key, (16, 16, 3))
    full, out = apply(params, x, CONDITION), jax.jit(half.apply)(params, x, CONDITION)
    assert out.dtype == jnp.float32
    error = jnp.linalg.norm(out - full) / jnp.linalg.norm(full)
    assert 1e-4 < error < 0.05  # it did round, at 2⁻⁸ a layer


def test_a_new_network_answers_zero(key):
    x = jax.random.normal(key, (8, 8, 3))
    chex.assert_trees_all_equal(apply(SMALL.init(key), x, CONDITION), jnp.zeros_like(x))


def test_the_number_of_parameters_is_that_of_the_layers():
    network = UNet(widths=(8,), blocks=(1,), patch=1, embedding=4)
    embedding = 2 * (4 * 4 + 4)
    entrance = 9 * 3 * 8 + 8
    block = (4 * 16 + 16) + 2 * 8 + 2 * (9 * 8 * 8 + 8)
    out = 9 * 8 * 3 + 3
    assert network.size() == embedding + entrance + 2 * block + out


def test_gradients_are_finite_even_where_the_image_is_flat(params):
    def loss(params, x):
        return jnp.mean(SMALL.apply(params, x, CONDITION) ** 2)

    gradients = jax.jit(jax.grad(loss, (0, 1)))(params, jnp.zeros((8, 8, 3)))
    chex.assert_tree_all_finite(gradients)
    assert all(jnp.any(leaf != 0) for leaf in jax.tree.leaves(gradients[0])[-4:])


def test_attention_sees_the_whole_image(key):
    network = dataclasses.replace(SMALL, heads=2)
    params, x = rough(network), jax.random.normal(key, (7, 90, 3))
    out = jax.jit(network.apply)(params, x, CONDITION)
    changed = jax.jit(network.apply)(params, x.at[:, 0].add(10.0), CONDITION)
    chex.assert_shape(out, (7, 90, 3))
    assert jnp.abs(out - changed)[:, -1].max() > 1e-6


@pytest.mark.parametrize("shape", [(8, 8, 1), (2, 8, 8, 3), (8, 8)])
def test_another_shape_names_what_came_and_what_to_do(params, shape):
    with pytest.raises(ValueError, match=r"x has shape .*expected \(height, width, 3\).*jax.vmap"):
        SMALL.apply(params, jnp.zeros(shape), CONDITION)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"blocks": (1,)}, "blocks has 1 entries but widths has 2"),
        ({"heads": 3}, "heads is 3 but the coarsest width 16"),
        ({"dtype": "float16"}, "dtype is 'float16', expected 'float32' or 'bfloat16'"),
    ],
)
def test_a_wrong_configuration_is_refused(change, text):
    with pytest.raises(ValueError, match=text):
        dataclasses.replace(SMALL, **change)
