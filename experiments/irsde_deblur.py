r"""IR-SDE that takes blur off: a mean-reverting process between a photograph and the same one out of focus or shaken.

Command: jaxir train experiments/irsde_deblur.py --workdir runs/irsde-deblur
         jaxir evaluate runs/irsde-deblur --data $JAXIR_DATA/natural/bsds500/val \
             --degradation "motion(9, 30)|noise(0.01)" --size 128
Data: 384 photographs of BSDS500, from the folder that JAXIR_DATA names, without the twelve that are the clean images of
    `rain_synth`; each crop is blurred by a kernel of its own.
Published: none that can be compared; IR-SDE was trained and tested on the pairs of GoPro [luo2023irsde].
Measured figures: none yet, it has not been trained in full.

The loss is the distance of the next state's mean from the likeliest one, at 100 steps: the exact variant, whose
minimiser does not depend on the number of steps. `euler_matching_loss` in its place is the published one.
"""

import jax
import jax.numpy as jnp
from _photographs import adam, line, others, photographs, shaken

from jaxir.degradations import RandomKernel
from jaxir.denoisers import Residual
from jaxir.losses import mean_matching_loss, stepwise
from jaxir.networks import Concatenation, NAFNet
from jaxir.processes import IRSDE
from jaxir.samplers import Discrete
from jaxir.training import Experiment, Restored
from jaxir.transitions import Ancestral
from jaxir.typing import Image, Key

REACH = 10
"""Of the kernels, in pixels: they are as large as those of `RandomKernel`."""


def shake(key: Key) -> Image:
    """The line of a camera that moved by 3 to 19 pixels in any direction, with a Gaussian cross-section; sum 1."""
    long, wide, turn = jax.random.split(key, 3)
    length = jax.random.uniform(long, minval=3.0, maxval=2.0 * REACH - 1)
    width = jax.random.uniform(wide, minval=0.4, maxval=1.0)
    angle = jax.random.uniform(turn, maxval=jnp.pi)
    drawn = line(length, width, angle, 2 * REACH + 1)
    return drawn / jnp.sum(drawn)


def blurred(key: Key, crop: Image) -> tuple[Image, Image]:
    """A photograph, and it shaken or seen through a lens, with the little noise of a good camera."""
    coin, motion, lens, level, noise = jax.random.split(key, 5)
    kernel = jnp.where(
        jax.random.bernoulli(coin), shake(motion), RandomKernel().draw(lens).kernel(2 * REACH + 1)
    )
    y = shaken(crop, kernel)
    sigma = jax.random.uniform(level, maxval=6 / 255)
    return crop, jnp.clip(y + sigma * jax.random.normal(noise, y.shape), -1, 1)


def experiment() -> Experiment:
    """A small NAFNet that sees the blurred image beside the state and says what the blur has taken."""
    return Experiment(
        name="irsde-deblur",
        source=photographs,
        network=NAFNet(
            width=32, encoder=(1, 1, 2), decoder=(1, 1, 1), patch=2, conditioning=Concatenation()
        ),
        process=IRSDE(std=20 / 255),
        optimizer=adam(6e-4),
        pairing=blurred,
        prediction=Residual(),
        data_std=0.2,
        objective=stepwise(mean_matching_loss, 100),
        steps=6_000,
        batch=8,
        crop=48,
        validation=others,
        preview=Restored(blurred, Discrete(Ancestral()), steps=20),
    )
