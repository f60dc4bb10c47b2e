"""The ways y enters: each works in each network, is seen where it acts, and is not at first where it says so."""

import dataclasses
import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxir.networks import Concatenation, CrossAttention, DiT, FiLM, NAFNet, UNet
from jaxir.networks.rotary import rotate

pytestmark = pytest.mark.usefixtures("quick_compile")

NETWORKS = {
    "unet": UNet(widths=(8, 8), blocks=(1, 1), embedding=8),
    "nafnet": NAFNet(width=4, encoder=(1,), middle=0, decoder=(1,), patch=2, embedding=8),
    "dit": DiT(width=8, depth=1, heads=1, patch=4, embedding=8),
}
LATE = {"attention": CrossAttention(channels=2, heads=1, width=8), "film": FiLM(2, features=8)}
KEY = jax.random.key(0)
X = jax.random.normal(KEY, (9, 14, 3))
Y = jax.random.normal(jax.random.key(1), (2, 9, 14, 2))


def rough(network):
    """Parameters of which none is zero."""
    random = np.random.default_rng(2)
    return jax.tree.map(
        lambda leaf: jnp.asarray(random.normal(size=leaf.shape) / 2, leaf.dtype),
        jax.eval_shape(network.init, KEY),
    )


def answers(network, params, *ys):
    """The outputs for one x and several y, of each of several parameters, from one program."""
    apply = jax.jit(jax.vmap(network.apply, (None, None, None, 0)))
    return [apply(p, X, jnp.asarray(0.3), jnp.stack(ys)) for p in params]


@functools.cache
def unconditional(name):
    """Parameters of the network without y, and its answer."""
    params = rough(NETWORKS[name])
    return params, jax.jit(NETWORKS[name].apply)(params, X, jnp.asarray(0.3))


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("part", LATE)
def test_what_starts_at_zero_leaves_the_network_alone_until_its_last_layer_moves(name, part):
    network = dataclasses.replace(NETWORKS[name], conditioning=LATE[part])
    others, alone = unconditional(name)
    moved = rough(network)["conditioning"]
    started = {**moved, "out": jax.tree.map(jnp.zeros_like, moved["out"])}
    before, after = answers(network, [{**others, "conditioning": p} for p in (started, moved)], *Y)
    chex.assert_trees_all_equal(before[0], before[1])
    chex.assert_trees_all_close(before[0], alone, atol=1e-6 * jnp.abs(alone).max())
    assert jnp.abs(after[0] - after[1]).max() > 1e-3


@pytest.mark.parametrize("name", NETWORKS)
def test_concatenation_is_seen_where_y_is_and_has_no_parameters_of_its_own(name):
    network = dataclasses.replace(NETWORKS[name], conditioning=Concatenation(2))
    (out,) = answers(network, [rough(network)], Y[0], Y[0].at[0, 0].add(1.0))
    assert jnp.abs(out[0] - out[1])[0, 0].max() > 1e-3
    joined = dataclasses.replace(NETWORKS[name], in_channels=5)
    chex.assert_trees_all_equal_shapes(jax.eval_shape(joined.init, KEY), rough(network))


def test_scores_of_turned_features_depend_on_the_difference_of_places_alone():
    """qᵀ R(Δ) k written with complex numbers: the k-th pair of each half turns by Δ θ_k of its own axis."""
    random = np.random.default_rng(0)
    q, k = random.normal(size=(2, 16))
    grid = np.ones((5, 6, 1, 1))
    turned_q, turned_k = (np.asarray(rotate(jnp.asarray(grid * v, jnp.float32))) for v in (q, k))
    scores = np.einsum("hwnd,klnd->hwkl", turned_q, turned_k)
    frequency = 100.0 ** (-np.arange(4) / 4)
    down, across = (
        np.exp(1j * (place - place[:, None])[..., None] * frequency)
        for place in (np.arange(5), np.arange(6))
    )
    rows, columns = np.split((q[:8] - 1j * q[8:]) * (k[:8] + 1j * k[8:]), 2)
    expected = (down @ rows).real[:, None, :, None] + (across @ columns).real[:, None]
    np.testing.assert_allclose(scores, expected, atol=1e-5)
