"""What an autoencoder of latent diffusion is trained on: the image again, and latents that a prior can be learnt of.

Both losses are sums over the numbers of the image, divided by how many these are, so that their weights mean the same
for every size of crop. What else the image is to be judged by, a perceptual distance or a discriminator's verdict, is
given as functions of the two images, each with its weight in it: those have weights and a training of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int

from jaxir.networks import KLAutoencoder, VQAutoencoder
from jaxir.typing import Image, Key, Params, Scalar

Judgement = Callable[[Image, Image], Scalar]
"""(x̂, x) -> what is added to the loss of one image."""


def kl_autoencoding_loss(
    key: Key,
    network: KLAutoencoder,
    params: Params,
    x: Image,
    *,
    beta: float = 1e-6,
    power: float = 1.0,
    judgements: Sequence[Judgement] = (),
) -> Scalar:
    """( Σ |D(z) − x|^p + β KL(N(μ, σ²) ‖ N(0, I)) )/n for one image of n numbers, z = μ + σ ε.

    Args:
        key: for ε.
        network: the autoencoder.
        params: its weights.
        x: image.
        beta: β ≥ 0.
        power: p.
        judgements: other terms, of D(z) and x.

    Source: [rombach2022ldm] Appendix G, Eq. 25; [kingma2014vae] for the KL term.
    """
    mean, std = network.encode(params, x)
    z = mean + std * jax.random.normal(key, mean.shape, mean.dtype)
    divergence = 0.5 * jnp.sum(mean**2 + std**2 - 1 - 2 * jnp.log(std))
    rebuilt = network.decode(params, z)
    return _judged(rebuilt, x, power, judgements) + beta * divergence / x.size


def vq_autoencoding_loss(
    network: VQAutoencoder,
    params: Params,
    x: Image,
    *,
    commitment: float = 0.25,
    power: float = 1.0,
    judgements: Sequence[Judgement] = (),
) -> Scalar:
    """Σ |D(q(z)) − x|^p/n + mean (sg[z] − q(z))² + β mean (z − sg[q(z)])² for one image of n numbers, z = E(x).

    sg[·] is a constant to the gradient: the second term moves the vectors of the codebook to the latents, the third
    the latents to the vectors. The first passes q as if it were not there.

    Args:
        network: the autoencoder.
        params: its weights.
        x: image.
        commitment: β ≥ 0.
        power: p.
        judgements: other terms, of D(q(z)) and x.

    Source: [oord2017vqvae] Eq. 3.
    """
    z = network.encode(params, x).mean
    replaced, _ = network.quantise(params, z)
    codebook = jnp.mean((jax.lax.stop_gradient(z) - replaced) ** 2)
    committed = jnp.mean((z - jax.lax.stop_gradient(replaced)) ** 2)
    rebuilt = network.decode(params, z)
    return _judged(rebuilt, x, power, judgements) + codebook + commitment * committed


class Usage(NamedTuple):
    """How much of a codebook some latents use.

    Attributes:
        share: of its vectors that occur, in [0, 1].
        perplexity: exp of the entropy of how often they occur: the number of vectors if all are as frequent.
    """

    share: Scalar
    perplexity: Scalar


def codebook_usage(indices: Int[Array, ...], codes: int) -> Usage:
    """Of a codebook of `codes` vectors, from `VQAutoencoder.quantise`'s indices of any number of latents."""
    counts = jnp.bincount(indices.ravel(), length=codes)
    frequency = counts / jnp.sum(counts)
    entropy = jnp.sum(jax.scipy.special.entr(frequency))
    return Usage(jnp.mean(counts > 0), jnp.exp(entropy))


def _judged(rebuilt: Image, x: Image, power: float, judgements: Sequence[Judgement]) -> Scalar:
    return sum(
        (judge(rebuilt, x) for judge in judgements), start=jnp.mean(jnp.abs(rebuilt - x) ** power)
    )
