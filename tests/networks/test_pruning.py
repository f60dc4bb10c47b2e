"""Pruning: channels that say nothing are removed without a trace, the least are chosen, and parameters are counted."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxir.networks import DiT, NAFNet, UNet, prune

pytestmark = pytest.mark.usefixtures("quick_compile")

NETWORKS = {
    "unet": UNet(widths=(8,), blocks=(1,), embedding=16),
    "nafnet": NAFNet(width=8, encoder=(), middle=1, decoder=(), embedding=16),
}
SILENT = {
    "ResidualBlock": ("Conv_0",),
    "NAFBlock": ("Dense_1", "_Depthwise_0", "Dense_4"),
}
"""The layers whose output has the channels inside of a block."""


@functools.cache
def weights(name):
    random = np.random.default_rng(2)
    shapes = jax.eval_shape(NETWORKS[name].init, jax.random.key(0))
    return jax.tree.map(
        lambda leaf: jnp.asarray(
            random.normal(size=leaf.shape) / np.sqrt(np.prod(leaf.shape[:-1])), leaf.dtype
        ),
        shapes,
    )


def silenced(params, which):
    """Weights whose channels `which`, a function of their number, are zero and read with nothing."""
    params = jax.tree.map(np.array, params)
    for name, block in params.items():
        for layer in SILENT.get(name.rpartition("_")[0], ()):
            size = block[layer]["bias"].size
            channels = which(size)
            block[layer]["kernel"][..., channels] = 0
            block[layer]["bias"][channels] = 0
        if "ResidualBlock" in name:
            block["Conv_1"]["kernel"][:, :, which(block["Conv_0"]["bias"].size)] = 0
            block["PixelNorm_1"]["gain"][which(block["Conv_0"]["bias"].size)] = 0
        if "NAFBlock" in name:
            channels = which(block["Dense_3"]["kernel"].shape[0])
            block["Dense_3"]["kernel"][channels] = 0
            block["Dense_2"]["kernel"][channels] = 0
            block["Dense_2"]["kernel"][:, channels] = 0
            block["Dense_2"]["bias"][channels] = 0
            block["Dense_5"]["kernel"][channels] = 0
    return jax.tree.map(jnp.asarray, params)


def odd(size):
    """Every fourth channel and the one behind it, in both halves of a gated layer."""
    return np.arange(size) % 4 < 2


@pytest.mark.parametrize("name", NETWORKS)
def test_channels_of_zeros_are_removed_without_a_change(name, key):
    """Half of them, so that the pruned network has all of the others: equal but for PixelNorm's 1e-6 and rounding."""
    network, params = NETWORKS[name], silenced(weights(name), odd)
    smaller, pruned = prune(network, params, 0.5)
    assert smaller == dataclasses.replace(network, inner=0.5)
    shapes = jax.eval_shape(smaller.init, key)
    assert jax.tree.map(jnp.shape, pruned) == jax.tree.map(jnp.shape, shapes)
    x, condition = jax.random.normal(key, (8, 8, 3)), jnp.asarray(0.3)
    full = jax.jit(network.apply)(params, x, condition)
    found = jax.jit(smaller.apply)(pruned, x, condition)
    np.testing.assert_allclose(found, full, atol=1e-5 * jnp.abs(full).max())
    assert jnp.abs(full).max() > 1e-2


def test_a_share_of_the_channels_is_a_share_of_the_parameters_of_the_blocks():
    """By hand: an inner channel of a block of width 40 is made by 9 · 40 + 1, has a gain, and is read by 9 · 40."""
    network = UNet(widths=(40,), blocks=(1,), patch=1, embedding=8)
    smaller, _ = prune(network, zeros(network), 0.3)
    assert network.size() - smaller.size() == 2 * 12 * (9 * 40 + 1 + 1 + 9 * 40)
    again, params = prune(smaller, zeros(smaller), 0.5)
    assert params["ResidualBlock_0"]["Conv_0"]["kernel"].shape == (3, 3, 40, 14)
    assert again.inner == pytest.approx(0.35)


def zeros(network):
    shapes = jax.eval_shape(network.init, jax.random.key(0))
    return jax.tree.map(lambda leaf: jnp.zeros(leaf.shape), shapes)


def test_the_channels_of_the_least_norm_go():
    """Of a block whose channel i has weights i, the first ones go; the others stay in their order."""
    network = UNet(widths=(8,), blocks=(1,), patch=1, embedding=8)
    params = zeros(network)
    rank = jnp.asarray([3.0, 0.0, 7.0, 1.0, 6.0, 2.0, 5.0, 4.0])
    params["ResidualBlock_0"]["Conv_0"]["kernel"] += rank
    block = prune(network, params, 0.5)[1]["ResidualBlock_0"]
    np.testing.assert_array_equal(block["Conv_0"]["kernel"][0, 0, 0], [7, 6, 5, 4])


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: prune(NETWORKS["unet"], {}, 0.0), r"share is 0.0, expected a number in \(0, 1\)"),
        (lambda: prune(NETWORKS["unet"], {}, 1.0), r"share is 1.0, expected a number in \(0, 1\)"),
        (lambda: prune(NETWORKS["unet"], {}, float("nan")), "share is nan"),
        (lambda: prune(DiT(), {}, 0.3), "network is DiT, expected UNet or NAFNet"),
        (lambda: UNet(inner=0.0), "inner is 0.0, expected a positive share"),
        (lambda: NAFNet(inner=-1.0), "inner is -1.0, expected a positive share"),
    ],
)
def test_what_cannot_be_pruned_is_refused(make, text):
    with pytest.raises(ValueError, match=text):
        make()
