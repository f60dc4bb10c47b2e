"""NAFNet: its block as published, and the published number of parameters."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxir.networks import NAFNet
from jaxir.networks.nafnet import NAFBlock

KEY = jax.random.key(0)


def test_a_block_is_the_published_formula():
    """[chen2022nafnet] Fig. 3 with the four modulations of [luo2023refusion], in numpy and float64."""
    random, block = np.random.default_rng(0), NAFBlock(jnp.dtype("float32"))
    x, e = random.normal(size=(5, 6, 4)), random.normal(size=3)
    shapes = jax.eval_shape(block.init, KEY, jnp.asarray(x), jnp.asarray(e))["params"]
    p = jax.tree.map(lambda leaf: random.normal(size=leaf.shape) / 2, shapes)
    arguments = jax.tree.map(jnp.float32, ({"params": p}, x, e))
    out = jax.jit(block.apply)(*arguments)

    def dense(name, h):
        return h @ p[name]["kernel"] + p[name]["bias"]

    def norm(name, h):
        centred = h - h.mean(-1, keepdims=True)
        h = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-6)
        return h * p[name]["scale"] + p[name]["bias"]

    def gate(h):
        return h[..., :4] * h[..., 4:]

    scale, shift, scale_feed, shift_feed = np.split(dense("Dense_0", e), 4)
    h = dense("Dense_1", norm("LayerNorm_0", x) * (1 + scale) + shift)
    filters, padded = p["_Depthwise_0"], np.pad(h, ((1, 1), (1, 1), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(0, 1))
    h = np.einsum("hwcij,ijc->hwc", windows, filters["kernel"][:, :, 0]) + filters["bias"]
    h = gate(h)
    x = x + p["beta"] * dense("Dense_3", h * dense("Dense_2", h.mean((0, 1))))
    h = dense("Dense_4", norm("LayerNorm_1", x) * (1 + scale_feed) + shift_feed)
    x = x + p["gamma"] * dense("Dense_5", gate(h))
    np.testing.assert_allclose(out, x, atol=1e-5 * np.abs(x).max())


def test_without_the_noise_level_it_has_the_published_number_of_parameters():
    """67.89 M for width 64 and blocks 1, 1, 1, 28 (GoPro), as the code of [chen2022nafnet] gives it."""
    shapes = jax.eval_shape(NAFNet().init, KEY)
    noise = {"NoiseEmbedding_0": shapes.pop("NoiseEmbedding_0")}
    noise |= {name: block.pop("Dense_0") for name, block in shapes.items() if "NAFBlock" in name}
    assert noise["NAFBlock_0"]["kernel"].shape == (128, 4 * 64)
    assert round(sum(leaf.size for leaf in jax.tree.leaves(shapes)) / 1e6, 2) == 67.89
