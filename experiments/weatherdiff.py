"""WeatherDiff: one network takes off snow, rain and haze; it learns from patches and restores images of any size.

Command: jaxir train experiments/weatherdiff.py --workdir runs/weatherdiff
         jaxir evaluate runs/weatherdiff --data $JAXIR_DATA/paired/rain_synth --steps 10 --eta 0 --tile 64:48
Data: 384 photographs of BSDS500, from the folder that JAXIR_DATA names; the twelve photographs that are the clean
    images of a rain test set are left out. The weather is drawn anew for every patch, on the device.
Published: on synthetic snow, rain and raindrops of its own [ozdenizci2023weatherdiff]; not the same task.
Ours: not trained in full.

As published the noise is predicted on VP, the degraded patch lies beside the state, and an image is restored by DDIM
without noise: at each step the estimates of overlapping tiles as large as the patches are averaged.
"""

import functools

import jax
import jax.numpy as jnp
from _photographs import adam, others, photographs

from jaxir.degradations import haze, rain, smooth_field, snow
from jaxir.denoisers import Denoiser, NetworkDenoiser, Noise, Tiled
from jaxir.networks import Concatenation, UNet
from jaxir.processes import VP
from jaxir.samplers import Discrete
from jaxir.training import Experiment, Restored
from jaxir.transitions import DDIM
from jaxir.typing import Image, Key

PATCH, OVERLAP = 64, 48
"""Side of a patch, and what neighbouring tiles share: a tile begins every 16 pixels."""


def snowy(key: Key, crop: Image) -> Image:
    """Flakes of one to four pixels on a tenth of the image."""
    flakes, opacity = jax.random.split(key)
    return snow(flakes, crop.shape, opacity=jax.random.uniform(opacity, minval=0.5))(crop)


def rainy(key: Key, crop: Image, *, angle: float) -> Image:
    """Streaks of one direction, sparse to dense, faint to bright."""
    drops, share, light = jax.random.split(key, 3)
    density = 0.002 * 10 ** jax.random.uniform(share)
    strength = jax.random.uniform(light, minval=0.4, maxval=1.2)
    return rain(drops, crop.shape, density=density, length=11.0, angle=angle, strength=strength)(
        crop
    )


def hazy(key: Key, crop: Image) -> Image:
    """Fog of any grey in front of a smooth scene, as thick as in the benchmarks of dehazing."""
    scene, thick, grey = jax.random.split(key, 3)
    depth = 2 * smooth_field(scene, crop.shape[:2], width=24.0)
    beta = jax.random.uniform(thick, minval=0.4, maxval=1.6)
    return haze(depth, crop.shape, beta=beta, airlight=jax.random.uniform(grey, minval=0.2))(crop)


WEATHER = (snowy, hazy, *(functools.partial(rainy, angle=angle) for angle in (60.0, 80.0, 100.0)))


def weathered(key: Key, crop: Image) -> tuple[Image, Image]:
    """A photograph, and it in weather of one kind, seen by a camera that saturates."""
    which, how = jax.random.split(key)
    kind = jax.random.choice(which, len(WEATHER), p=jnp.array([3, 3, 1, 1, 1]) / 9)
    return crop, jnp.clip(jax.lax.switch(kind, WEATHER, how, crop), -1, 1)


def tiled(denoiser: NetworkDenoiser) -> Denoiser:
    """What is sampled: the network on overlapping tiles."""
    return Tiled(denoiser, PATCH, OVERLAP)


def experiment() -> Experiment:
    """A U-Net with attention that sees the degraded patch beside the state."""
    return Experiment(
        name="weatherdiff",
        source=photographs,
        network=UNet(widths=(48, 96, 144), blocks=(2, 2, 2), heads=4, conditioning=Concatenation()),
        process=VP(),
        optimizer=adam(4e-4),
        pairing=weathered,
        prediction=Noise(),
        steps=20_000,
        batch=16,
        crop=PATCH,
        ema=0.999,
        validation=others,
        preview=Restored(weathered, Discrete(DDIM(0.0)), steps=10, through=tiled),
    )
