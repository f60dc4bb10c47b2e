"""A chain of a few steps with a derivative, on vectors, which are images of one pixel."""

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxir.codecs import CompactCodec
from jaxir.denoisers import NetworkDenoiser, Preconditioned, gaussian_denoiser
from jaxir.losses import chain, chained
from jaxir.networks import (
    Compact,
    CompactRestorer,
    Concatenation,
    DiT,
    Guided,
    Modulation,
    UNet,
)
from jaxir.processes import VP
from jaxir.samplers import Discrete, sample
from jaxir.transitions import DDIM

pytestmark = pytest.mark.usefixtures("quick_compile")

TIMES = jnp.array([1.0, 0.75, 0.5, 0.25])
PROCESS = VP(0.1, 12.7)
KEY = jax.random.key(0)


def test_the_chain_is_what_a_sampler_draws_of_the_law_of_a_vector(x64):
    """A Gaussian of three numbers as an image of one pixel: no process, denoiser or step knows the difference."""
    mean = jnp.asarray([[[1.0, -2.0, 0.5]]])
    covariance = jnp.asarray([[2.0, 0.5, 0.0], [0.5, 1.0, 0.3], [0.0, 0.3, 0.7]])
    denoiser = gaussian_denoiser(PROCESS, mean, covariance)
    times, sampler = jnp.asarray(TIMES, float), Discrete(DDIM(0.0))

    @jax.jit
    def both(key):
        x = PROCESS.start(mean, times[0]).sample(jax.random.split(key)[0])
        state = sampler.run(
            key, denoiser, sampler.init(denoiser, x, times, None), times, None, 0, 4
        )
        drawn = sampler.finish(denoiser, state, times, None).x0_hat
        return drawn, chain(key, denoiser, mean, times)

    drawn, found = both(KEY)
    chex.assert_trees_all_close(found, drawn, atol=1e-12)


@functools.cache
def parts():
    """A restorer of vectors of 4 numbers with its prior, weights of which none is zero, and a pair of images."""
    vector = {"channels": 4, "width": 4, "blocks": 0}
    restorer = Guided(
        UNet(widths=(8,), blocks=(1,), embedding=8, conditioning=Modulation(4)),
        Compact(6, **vector),
    )
    prior = DiT(
        in_channels=4,
        out_channels=4,
        patch=1,
        width=8,
        depth=1,
        heads=1,
        embedding=8,
        conditioning=Concatenation(4),
    )
    network = CompactRestorer(Guided(prior, Compact(3, **vector)), restorer)
    random = np.random.default_rng(2)
    params = jax.tree.map(
        lambda leaf: jnp.asarray(random.normal(size=leaf.shape) / 3, leaf.dtype),
        jax.eval_shape(network.init, KEY),
    )
    x0, y = jax.random.uniform(jax.random.key(1), (2, 6, 9, 3), minval=-1.0)
    denoiser = NetworkDenoiser(PROCESS, params, network.apply, Preconditioned(1.0), 1.0, True)
    return network, denoiser, x0, y


@pytest.mark.slow
def test_all_is_learnt_through_the_chain_but_the_encoder_that_saw_the_clean_image():
    """A gradient in every other weight, of the network of vectors too, which only the chain evaluates."""
    network, denoiser, x0, y = parts()
    objective = chained(network, TIMES)
    gradient = jax.jit(jax.grad(lambda d: objective(KEY, d, x0, TIMES[0], y)))(denoiser).params
    unused = gradient["restorer"].pop("guide")
    chex.assert_trees_all_equal(unused, jax.tree.map(jnp.zeros_like, unused))
    silent = [
        jax.tree_util.keystr(path)
        for path, leaf in jax.tree_util.tree_leaves_with_path(gradient)
        if not jnp.any(leaf != 0)
    ]
    assert not silent
    chex.assert_tree_all_finite(gradient)


@pytest.mark.slow
def test_vectors_are_drawn_by_the_sampler_of_images_and_decoded():
    network, denoiser, x0, y = parts()
    codec = CompactCodec(network.restorer, denoiser.params["restorer"], y)
    drawn = sample(
        KEY, denoiser, y, shape=codec.latent_shape, sampler=Discrete(DDIM(0.0)), times=TIMES
    )
    assert drawn.diagnostics["evaluations"] == 4
    image = drawn.map(codec.decode).images[0]
    chex.assert_shape(image, y.shape)
    told = codec.decode(codec.encode(x0))
    assert jnp.abs(told - image).max() > 1e-4
