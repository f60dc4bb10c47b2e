"""The transformer: the published formula with its blocks in a loop, and what its positions mean."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxir.networks import DiT

pytestmark = pytest.mark.usefixtures("quick_compile")

NETWORK = DiT(width=16, depth=3, heads=2, patch=2, embedding=8)
KEY = jax.random.key(0)


def rough(network):
    random = np.random.default_rng(2)
    return jax.tree.map(
        lambda leaf: random.normal(size=leaf.shape) / 4, jax.eval_shape(network.init, KEY)
    )


def test_the_scan_is_the_loop_over_blocks_as_published():
    """[peebles2023dit] Fig. 3 with [heo2024rope]'s positions, in numpy and float64."""
    p, random = rough(NETWORK), np.random.default_rng(0)
    x, t = random.normal(size=(6, 4, 3)), 0.3
    out = jax.jit(NETWORK.apply)(jax.tree.map(jnp.float32, p), jnp.float32(x), jnp.float32(t))

    def dense(p, h):
        return h @ p["kernel"] + p["bias"]

    def norm(h, scale, shift):
        centred = h - h.mean(-1, keepdims=True)
        return centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-6) * (1 + scale) + shift

    def silu(h):
        return h / (1 + np.exp(-h))

    def gelu(h):
        return h / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (h + 0.044715 * h**3)))

    places = np.stack(np.mgrid[:3, :2], -1).reshape(6, 2)
    turn = np.exp(1j * np.concatenate([places[:, [i]] * [1.0, 0.1] for i in (0, 1)], -1))

    def turned(h):  # (6, 8): four pairs (k, k + 4), two turned by the row and two by the column
        pairs = (h[:, :4] + 1j * h[:, 4:]) * turn
        return np.concatenate([pairs.real, pairs.imag], -1)

    def attention(q, k, v):
        scores = np.exp(turned(q) @ turned(k).T / np.sqrt(8))
        return scores / scores.sum(-1, keepdims=True) @ v

    phase = t * np.pi / 2 * np.arange(1, 5)
    e = np.concatenate([np.sin(phase), np.cos(phase)])
    for layer in ("Dense_1", "Dense_0"):  # Linen numbers the outer of two nested calls first
        e = silu(dense(p["NoiseEmbedding_0"][layer], e))
    patches = x.reshape(3, 2, 2, 2, 3).transpose(0, 2, 1, 3, 4).reshape(6, 12)
    h = dense(p["Dense_0"], patches)
    for i in range(3):
        b = jax.tree.map(lambda leaf, i=i: leaf[i], p["blocks"])
        scale, shift, gate, scale_feed, shift_feed, gate_feed = np.split(dense(b["Dense_0"], e), 6)
        q, k, v = np.split(dense(b["Dense_1"], norm(h, scale, shift)), 3, -1)
        heads = [attention(*(z[:, s : s + 8] for z in (q, k, v))) for s in (0, 8)]
        h = h + gate * dense(b["Dense_2"], np.concatenate(heads, -1))
        inner = gelu(dense(b["Dense_3"], norm(h, scale_feed, shift_feed)))
        h = h + gate_feed * dense(b["Dense_4"], inner)
    expected = dense(p["Dense_2"], norm(h, *np.split(dense(p["Dense_1"], e), 2)))
    expected = expected.reshape(3, 2, 2, 2, 3).transpose(0, 2, 1, 3, 4).reshape(6, 4, 3)
    np.testing.assert_allclose(out, expected, atol=1e-5 * np.abs(expected).max())


def test_a_deeper_network_is_a_program_of_the_same_length():
    x = jnp.zeros((4, 4, 3))

    def lines(network):
        params = jax.eval_shape(network.init, KEY)
        return len(jax.jit(network.apply).lower(params, x, jnp.zeros(())).as_text().splitlines())

    assert lines(dataclasses.replace(NETWORK, depth=12)) == lines(NETWORK)


def test_a_far_pixel_is_seen_and_a_place_is_not_its_mirror(key):
    params = jax.tree.map(jnp.float32, rough(NETWORK))
    apply = jax.jit(NETWORK.apply)
    x = jax.random.normal(key, (6, 10, 3))
    out, changed = (apply(params, image, jnp.asarray(0.3)) for image in (x, x.at[:, :2].add(3.0)))
    assert jnp.abs(out - changed)[:, -1].max() > 1e-4
    patches = x.reshape(6, 5, 2, 3)[:, ::-1].reshape(
        6, 10, 3
    )  # columns of patches in reverse order
    mirrored = apply(params, patches, jnp.asarray(0.3)).reshape(6, 5, 2, 3)[:, ::-1]
    assert jnp.abs(mirrored.reshape(6, 10, 3) - out).max() > 1e-3  # equal, were places not known
