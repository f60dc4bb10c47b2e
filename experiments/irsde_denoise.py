"""IR-SDE that takes the noise of real cameras off, without being told how much there is.

Command: jaxir train experiments/irsde_denoise.py --workdir runs/irsde-denoise
         jaxir evaluate runs/irsde-denoise --data $JAXIR_DATA/paired/realnoise_polyu --steps 1 --eta 0 --size 256
Data: 384 photographs of BSDS500, from the folder that JAXIR_DATA names, without the twelve that are the clean images of
    `rain_synth`; the noise is drawn anew for every crop.
Published: none that can be compared.
Measured figures: benchmarks/results/irsde_denoise.json. After 6,000 steps, a quarter of an hour of a busy CPU core, it
    gains nothing on those pairs, which have 36.1 dB as they come: −0.05 dB with one step, −0.40 dB with four.

A camera's noise is not white: it grows with the light, differs between colours, is smeared by the demosaicing, and has
gone through JPEG. Each of these is drawn, or left out, for every crop, in ranges chosen with an eye on the noise of
those pairs. One step is the mean of the posterior; with more it is a draw, which has twice the squared error.
"""

import jax
import jax.numpy as jnp
from _photographs import adam, others, photographs

from jaxir.degradations import JPEG, Blur
from jaxir.denoisers import Preconditioned, Residual
from jaxir.networks import Concatenation, UNet
from jaxir.processes import IRSDE
from jaxir.samplers import Discrete
from jaxir.training import Experiment, Restored
from jaxir.transitions import DDIM
from jaxir.typing import Image, Key


def grain(key: Key, shape: tuple[int, ...]) -> Image:
    """Noise of variance 1, of which neighbouring pixels and colours share any part or none."""
    own, common, mix, coin, smear = jax.random.split(key, 5)
    shared = jax.random.uniform(mix, maxval=0.9)
    noise = jnp.sqrt(1 - shared) * jax.random.normal(own, shape)
    noise += jnp.sqrt(shared) * jax.random.normal(common, (*shape[:2], 1))
    smeared = jax.random.bernoulli(coin, 0.8) * jax.random.uniform(smear, maxval=1.5)
    profile = jnp.exp(-0.5 * (jnp.arange(-4, 5) / jnp.maximum(smeared, 0.01)) ** 2)
    kernel = jnp.outer(profile, profile)
    return Blur(kernel / jnp.linalg.norm(kernel), shape).apply(noise)


def noisy(key: Key, crop: Image) -> tuple[Image, Image]:
    """A photograph, and it taken in little light: a noise of variance α u + β for the light u in [0, 1]."""
    shot, read, colour, noise, coin, quality = jax.random.split(key, 6)
    alpha = 5e-5 * 60 ** jax.random.uniform(shot)
    beta = (1e-3 * 15 ** jax.random.uniform(read)) ** 2
    gains = jnp.exp(0.2 * jax.random.normal(colour, (3,)))
    level = 2 * gains * jnp.sqrt(alpha * (crop + 1) / 2 + beta)
    y = jnp.clip(crop + level * grain(noise, crop.shape), -1, 1)
    coded = JPEG(jax.random.uniform(quality, minval=75, maxval=100), crop.shape).apply(y)
    return crop, jnp.where(jax.random.bernoulli(coin), coded, y)


def experiment() -> Experiment:
    """A small U-Net that sees the noisy image beside the state and says what the noise is."""
    return Experiment(
        name="irsde-denoise",
        source=photographs,
        network=UNet(widths=(32, 64, 96), blocks=(2, 2, 2), conditioning=Concatenation()),
        process=IRSDE(std=20 / 255),
        optimizer=adam(6e-4),
        pairing=noisy,
        prediction=Residual(Preconditioned(0.1)),
        data_std=0.1,
        steps=6_000,
        batch=8,
        crop=48,
        validation=others,
        preview=Restored(noisy, Discrete(DDIM(0.0)), steps=4),
    )
