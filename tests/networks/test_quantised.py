"""Stored weights: what is lost is bounded, what can be held is kept, and files are as small as promised."""

import json

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxir
from jaxir.denoisers import NetworkDenoiser
from jaxir.networks import BFloat16, Haar, Int8, Quantised, UNet
from jaxir.pretrained import save_denoiser
from jaxir.processes import VP

pytestmark = pytest.mark.usefixtures("quick_compile")

NETWORK = UNet(widths=(48,), blocks=(1,), embedding=32)
STORAGES = {"int8": (Int8(), 4), "bfloat16": (BFloat16(), 2)}
every = pytest.mark.parametrize("name", STORAGES)


def weights(network=NETWORK):
    """Random ones, none of them zero, scaled as those of a network that is trained."""
    random = np.random.default_rng(0)
    shapes = jax.eval_shape(network.init, jax.random.key(0))
    return jax.tree.map(
        lambda leaf: jnp.asarray(
            random.normal(size=leaf.shape) / np.sqrt(np.prod(leaf.shape[:-1])), jnp.float32
        ),
        shapes,
    )


def test_eight_bits_round_each_channel_to_its_own_grid():
    """Independently in numpy: |w − s q| ≤ s/2 with s = max |w|/127, within the rounding of the division."""
    kernel = np.random.default_rng(1).normal(size=(3, 3, 4, 5)) * 10.0 ** np.arange(-2, 3)
    kernel[..., 2] = 0
    found = np.asarray(Int8().unpack(Int8().pack(jnp.asarray(kernel, jnp.float32))))
    step = np.abs(kernel).max((0, 1, 2)) / 127
    assert np.all(np.abs(found - kernel) <= step * (0.5 + 1e-4))
    assert np.all(found[..., 2] == 0)


def test_sixteen_bits_have_an_error_of_half_a_unit_in_the_last_place():
    kernel = np.random.default_rng(0).normal(size=(64, 64)).astype(np.float32)
    found = np.asarray(BFloat16().unpack(BFloat16().pack(jnp.asarray(kernel))))
    relative = np.abs(found / kernel - 1).max()
    assert 2**-9 < relative <= 2**-8  # 8 significant bits


@every
def test_what_can_be_held_is_held(name):
    """Bit for bit, but that a scale times 127 is rounded."""
    storage = STORAGES[name][0]
    once = storage.pack(jnp.asarray(np.random.default_rng(0).normal(size=(64, 64)), jnp.float32))
    again = storage.pack(storage.unpack(once))
    chex.assert_trees_all_equal(again[name], once[name])
    chex.assert_trees_all_close(again, once, rtol=2e-7)


@every
def test_a_file_is_smaller_by_the_bits_and_gives_the_same_denoiser(name, tmp_path):
    storage, times = STORAGES[name]
    params, network = weights(), Quantised(NETWORK, storage)
    packed = jax.jit(network.pack)(params)
    sizes = []
    for chosen, w in ((NETWORK, params), (network, packed)):
        save_denoiser(tmp_path / name, NetworkDenoiser(VP(), w, chosen.apply), chosen)
        sizes.append((tmp_path / name / "model.safetensors").stat().st_size)
    kernels = 4 * sum(w.size for w in jax.tree.leaves(params) if w.ndim > 1)
    assert kernels > 300_000
    assert sizes[1] < sizes[0] - kernels * (1 - 1 / times) + 6_000  # names, and scales
    for kept in ("PixelNorm_0", "PixelNorm_1"):
        block, before = (tree["ResidualBlock_0"] for tree in (packed, params))
        chex.assert_trees_all_equal(block[kept], before[kept])
    config = json.loads((tmp_path / name / "config.json").read_text())["network"]
    assert (config["class"], config["inner"]["class"]) == ("Quantised", "UNet")
    loaded = jaxir.load(tmp_path / name)
    assert loaded.apply.__self__ == network
    chex.assert_trees_all_equal(loaded.params, packed)


@pytest.mark.slow
@every
def test_a_denoiser_of_stored_weights_is_near_that_of_the_weights(name, key):
    params, network = weights(), Quantised(NETWORK, STORAGES[name][0])
    x, t = jax.random.normal(key, (8, 8, 3)), jnp.asarray(0.4)
    call = jax.jit(lambda d: d(x, t))
    exact = np.asarray(call(NetworkDenoiser(VP(), params, NETWORK.apply)))
    found = np.asarray(call(NetworkDenoiser(VP(), network.pack(params), network.apply)))
    error = np.linalg.norm(found - exact) / np.linalg.norm(exact)
    assert 1e-5 < error < 0.03  # of 1 % and 0.2 % a layer, which c_out makes less


@pytest.mark.slow
def test_a_wrapper_of_networks_takes_a_quantised_one():
    inner = UNet(in_channels=12, out_channels=12, widths=(8,), blocks=(1,), patch=1, embedding=4)
    network = Haar(Quantised(inner))
    params = Quantised(inner).pack(weights(inner))
    x = jnp.ones((4, 4, 3))
    found = jax.jit(network.apply)(params, x, jnp.zeros(()))
    plain = jax.jit(Haar(inner).apply)(Quantised(inner).unpack(params), x, jnp.zeros(()))
    chex.assert_trees_all_close(found, plain, atol=1e-6)


def test_quantising_twice_is_refused():
    with pytest.raises(ValueError, match="inner is quantised already, by Int8"):
        Quantised(Quantised(NETWORK), BFloat16())
    network = Quantised(NETWORK)
    with pytest.raises(ValueError, match="params hold integers"):
        network.pack(network.pack({"kernel": jnp.ones((2, 2))}))
