"""IR-SDE that takes rain off: a mean-reverting process between a photograph and the same one in rain.

Command: jaxir train experiments/irsde_derain.py --workdir runs/irsde-derain
         jaxir evaluate runs/irsde-derain --data $JAXIR_DATA/paired/rain_synth --steps 4 --eta 0 --size 128
Data: 384 photographs of BSDS500, from the folder that JAXIR_DATA names; the twelve photographs that are the clean
    images of `rain_synth` are left out. The rain is drawn anew for every crop, on the device.
Published: IR-SDE on Rain100H, trained and tested on its pairs, 31.65 dB on luma [luo2023irsde, Table 1]; ours is
    another task, rain that training never saw.
Measured figures: benchmarks/results/irsde_derain.json, +2.09 dB after 18,000 steps in two runs, about 40 minutes of a
    busy CPU core; the heavy rain of the first photographs becomes light, the sparse one of the last is made worse. PSNR
    against the number of steps: docs/scoreboards/steps_vs_quality.md.
"""

import jax
import jax.numpy as jnp
from _photographs import adam, line, others, photographs

from jaxir.denoisers import Residual
from jaxir.networks import Concatenation, UNet
from jaxir.processes import IRSDE
from jaxir.samplers import Discrete
from jaxir.training import Experiment, Restored
from jaxir.transitions import DDIM
from jaxir.typing import Image, Key

GRID = 49
"""Side of the window in which a streak is drawn, in pixels."""


def streak(key: Key) -> Image:
    """A line of 3 to 45 pixels, within 35° of the vertical, with a Gaussian cross-section; its largest value is 1."""
    long, wide, slant = jax.random.split(key, 3)
    length = 3 * 15 ** jax.random.uniform(long)
    width = jax.random.uniform(wide, minval=0.4, maxval=1.8)
    angle = jnp.deg2rad(90 + jax.random.truncated_normal(slant, -2.0, 2.0) * 17.5)
    drawn = line(length, width, angle, GRID)
    return (drawn / jnp.max(drawn))[..., None]


def rainy(key: Key, crop: Image) -> tuple[Image, Image]:
    """A photograph, and it in rain: streaks of light, from a few bright ones to a curtain, that saturate."""
    lines, drops, bright, share, light = jax.random.split(key, 5)
    height, width, _ = crop.shape
    density = 1e-3 * 300 ** jax.random.uniform(share)
    where = jax.random.bernoulli(drops, density, (height, width, 1))
    field = where * jax.random.uniform(bright, (height, width, 1))
    layer = jax.lax.conv_general_dilated(
        jnp.pad(field, [(GRID // 2, GRID // 2)] * 2 + [(0, 0)], mode="wrap")[None],
        streak(lines)[..., None],
        (1, 1),
        "VALID",
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )[0]
    # the mean light of the layer is 3 to 50 grey levels of 255, and its brightest streak no more than 150
    mean = 2 / 255 * 3 * (50 / 3) ** jax.random.uniform(light)
    scale = jnp.minimum(mean / (jnp.mean(layer) + 1e-6), 2 / 255 * 150 / (jnp.max(layer) + 1e-6))
    return crop, jnp.clip(crop + scale * layer, -1, 1)


def experiment() -> Experiment:
    """A small U-Net that sees the rainy image beside the state and says what the rain has added."""
    return Experiment(
        name="irsde-derain",
        source=photographs,
        network=UNet(widths=(32, 64, 96), blocks=(2, 2, 2), conditioning=Concatenation()),
        process=IRSDE(std=20 / 255),
        optimizer=adam(6e-4),
        pairing=rainy,
        prediction=Residual(),
        data_std=0.2,
        steps=18_000,
        batch=8,
        crop=48,
        ema=0.999,
        validation=others,
        preview=Restored(rainy, Discrete(DDIM(1.0)), steps=20),
    )
