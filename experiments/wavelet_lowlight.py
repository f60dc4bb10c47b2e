"""Low light by a diffusion of wavelet bands: a network on a sixteenth of the positions brightens and takes off noise.

Command: jaxir train experiments/wavelet_lowlight.py --workdir runs/wavelet-lowlight
         jaxir evaluate runs/wavelet-lowlight --data $JAXIR_DATA/paired/lowlight_lol --steps 1 --eta 0 --size 256
Data: 384 photographs of BSDS500, from the folder that JAXIR_DATA names; the twelve photographs that are the clean
    images of a rain test set are left out. Exposure, curve and noise are drawn anew for every crop, on the device.
Published: on LOL-v1, trained on its pairs [jiang2023lowlight]; ours is another task, photographs that were darkened by
    a formula.
Measured figures: benchmarks/results/wavelet_lowlight.json, after 5,000 steps, 20 minutes of a busy CPU core: 20.63 dB
    with one step, the mean, where one gain and one gamma fitted on the other photographs give 18.77 dB
    (`python benchmarks/gain_and_gamma.py --size 256`); 19.00 dB with four steps, a draw. Much noise stays.

As published the Haar transform of two levels makes the networks cheap; here all of its bands diffuse, as channels,
where the published method diffuses the coarsest and restores the others by a second network. The dark photograph is
brightened to one mean before the networks see it; the first adds what it can tell at once, the second draws the rest.
Times are uniform, so that at a third of them the state says nothing and the loss is that of the first network alone.
"""

import jax
import jax.numpy as jnp
from _photographs import adam, others, photographs

from jaxir.degradations import low_light
from jaxir.denoisers import Preconditioned
from jaxir.networks import Concatenation, Exposed, Haar, Refinement, UNet
from jaxir.processes import VP
from jaxir.samplers import Discrete
from jaxir.training import Experiment, Restored
from jaxir.transitions import DDIM
from jaxir.typing import Image, Key

LEVELS = 2
BANDS = 3 * 4**LEVELS
STD = 0.25
"""Deviation of a photograph from it brightened."""


def dark(key: Key, crop: Image) -> tuple[Image, Image]:
    """A photograph, and it with 4 to 50 % of its light, deeper shadows, and the noise of the few photons, in bytes.

    Of the intensity v the noise has the variance k v + s²: k of 0.1 to 3 and s of 0.5 to 3 thousandths.
    """
    bright, curve, photons, reading, noise = jax.random.split(key, 5)
    gain = 0.04 * 12.5 ** jax.random.uniform(bright)
    gamma = jax.random.uniform(curve, minval=1.4, maxval=2.2)
    shot = 1e-4 * 30 ** jax.random.uniform(photons)
    read = 5e-4 * 6 ** jax.random.uniform(reading)
    light = (low_light(crop.shape, gain=gain, gamma=gamma)(crop) + 1) / 2
    deviation = jnp.sqrt(shot * jnp.maximum(light, 0) + read**2)
    seen = light + deviation * jax.random.normal(noise, crop.shape)
    return crop, jnp.round(255 * jnp.clip(seen, 0, 1)) / 127.5 - 1


def experiment() -> Experiment:
    """Two U-Nets of the 48 bands of two levels; the second sees those of the brightened photograph beside its own."""
    size = {
        "in_channels": BANDS,
        "out_channels": BANDS,
        "widths": (48, 80, 112),
        "blocks": (2, 2, 2),
        "patch": 1,
    }
    both = Refinement(UNet(**size), UNet(**size, conditioning=Concatenation(BANDS)), STD)
    return Experiment(
        name="wavelet-lowlight",
        source=photographs,
        network=Exposed(Haar(both, LEVELS)),
        process=VP(),
        optimizer=adam(1e-3),
        pairing=dark,
        prediction=Preconditioned(STD),
        data_std=STD,
        steps=5_000,
        batch=8,
        crop=64,
        ema=0.999,
        validation=others,
        preview=Restored(dark, Discrete(DDIM(0.0)), steps=4, multiple=16),
    )
