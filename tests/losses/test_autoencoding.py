"""The losses of autoencoders against their printed formulas, term by term and derivative by derivative."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxir.data import Synthetic
from jaxir.losses import codebook_usage, kl_autoencoding_loss, vq_autoencoding_loss
from jaxir.metrics import psnr
from jaxir.networks import Code, KLAutoencoder, VQAutoencoder

RANDOM = np.random.default_rng(0)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Gaussian(KLAutoencoder):
    """The mean and the deviation are the weights; D doubles."""

    def encode(self, params, x):
        return Code(params["mean"], params["std"])

    def decode(self, params, z):
        return 2 * z


@dataclasses.dataclass(frozen=True, kw_only=True)
class Plain(VQAutoencoder):
    """The latent is a weight; D triples the vector that replaces it."""

    def encode(self, params, x):
        return Code(params["z"], 0.0)

    def decode(self, params, z):
        return 3 * (z + jax.lax.stop_gradient(self.quantise(params, z)[0] - z))


@pytest.mark.parametrize("power", [1.0, 2.0])
def test_the_loss_of_a_variational_autoencoder_is_as_printed(x64, power):
    """With ½ Σ (μ² + σ² − 1 − log σ²) and what is judged besides."""
    x, mean = RANDOM.normal(size=(2, 4, 5, 3))
    std = RANDOM.uniform(0.2, 2, (4, 5, 3))
    key = jax.random.key(0)
    params = {"mean": jnp.asarray(mean), "std": jnp.asarray(std)}
    found = kl_autoencoding_loss(
        key,
        Gaussian(),
        params,
        jnp.asarray(x),
        beta=0.3,
        power=power,
        judgements=[lambda rebuilt, x: jnp.sum(rebuilt), lambda rebuilt, x: 0.1 * jnp.max(x)],
    )
    rebuilt = 2 * (mean + std * np.asarray(jax.random.normal(key, mean.shape, "float64")))
    divergence = 0.5 * np.sum(mean**2 + std**2 - 1 - np.log(std**2))
    expected = (np.sum(np.abs(rebuilt - x) ** power) + 0.3 * divergence) / x.size
    np.testing.assert_allclose(found, expected + rebuilt.sum() + 0.1 * x.max(), rtol=1e-10)


def test_each_term_of_the_loss_of_a_codebook_moves_what_it_is_to_move(x64):
    """∂/∂codebook: 2 (e − z)/n of its own latents; ∂/∂z: 6 (3q − x)/n of the image, passed on, and 2 β (z − q)/n."""
    x, z = RANDOM.normal(size=(2, 4, 5, 3))
    book = RANDOM.normal(size=(6, 3))
    network = Plain(latent=3, codes=6)
    params = {"z": jnp.asarray(z), "codebook": jnp.asarray(book)}

    def loss(params):
        return vq_autoencoding_loss(network, params, jnp.asarray(x), commitment=0.4, power=2.0)

    found, gradient = jax.value_and_grad(loss)(params)
    which = np.linalg.norm(z[..., None, :] - book, axis=-1).argmin(axis=-1)
    q, n = book[which], z.size
    expected = np.mean((3 * q - x) ** 2) + 1.4 * np.mean((z - q) ** 2)
    np.testing.assert_allclose(found, expected, rtol=1e-10)
    moved = 6 * (3 * q - x) / n + 0.8 * (z - q) / n
    np.testing.assert_allclose(gradient["z"], moved, atol=1e-12)
    pulled = np.zeros_like(book)
    np.add.at(pulled, which, 2 * (q - z) / n)
    np.testing.assert_allclose(gradient["codebook"], pulled, atol=1e-12)


def test_the_usage_of_a_codebook():
    """All of it as often, a single vector, and by SciPy's definition of entropy for 1:1:2."""
    usage = codebook_usage(jnp.arange(8).reshape(2, 4), 8)
    np.testing.assert_allclose(usage, (1, 8), rtol=1e-6)
    np.testing.assert_allclose(codebook_usage(jnp.zeros((3, 3), int), 8), (1 / 8, 1), rtol=1e-6)
    usage = codebook_usage(jnp.array([0, 1, 5, 5]), 8)
    np.testing.assert_allclose(usage, (3 / 8, 2**1.5), rtol=1e-6)


@pytest.mark.slow
def test_a_codebook_learns_images_and_most_of_it_is_used():
    """Eight images in 256 positions of 64 vectors: 20 dB is an error of a tenth of the deviation of white noise."""
    network = VQAutoencoder(
        widths=(16, 32), blocks=1, latent=3, codes=64, groups=4, middle_attention=False
    )
    source = Synthetic(8, 16)
    images = jnp.stack([source[i] for i in range(8)]) / 127.5 - 1
    optimizer = optax.adam(3e-3)

    @jax.jit
    def step(params, state):
        def loss(params):
            one = jax.vmap(lambda x: vq_autoencoding_loss(network, params, x, power=2.0))
            return jnp.mean(one(images))

        updates, state = optimizer.update(jax.grad(loss)(params), state)
        return optax.apply_updates(params, updates), state

    params = network.init(jax.random.key(0))
    state = optimizer.init(params)
    for _ in range(400):
        params, state = step(params, state)
    z = jax.jit(jax.vmap(lambda x: network.encode(params, x).mean))(images)
    found = jax.jit(jax.vmap(lambda z: network.decode(params, z)))(z)
    reached = float(jnp.mean(jax.vmap(psnr)(found, images)))
    usage = codebook_usage(network.quantise(params, z)[1], network.codes)
    assert reached > 20
    assert usage.perplexity > 8
