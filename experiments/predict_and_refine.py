"""Predict and refine: a network answers at once, a second one draws what the answer lacks; they are trained together.

Command: jaxir train experiments/predict_and_refine.py --workdir runs/predict-and-refine
Data: 384 photographs of BSDS500, from the folder that JAXIR_DATA names; the twelve photographs that are the clean
    images of a rain test set are left out. A blur of any direction and a little noise are drawn anew for every crop.
Published: on GoPro the mean of samples is nearer to the truth than one sample, and one sample looks sharper than the
    regression [whang2022deblurring]; not the same task.
Ours: not trained in full.

The state is that of the photograph, not of the residual, so it starts from noise beside which both are nothing: at the
first times the answer is the first network's. One step stops there; the more steps, the more is drawn.
"""

import jax
import jax.numpy as jnp
from _photographs import adam, line, others, photographs, shaken

from jaxir.denoisers import Preconditioned
from jaxir.networks import Concatenation, Refinement, UNet
from jaxir.processes import VP
from jaxir.samplers import Discrete
from jaxir.training import Experiment, Restored
from jaxir.transitions import DDIM
from jaxir.typing import Image, Key

STD = 0.15
"""Deviation of x0 − g(y)."""
RADIUS = 7


def blurred(key: Key, crop: Image) -> tuple[Image, Image]:
    """A photograph, and it by a camera that moved along a line of 3 to 14 pixels, with noise of 2.5 grey levels."""
    turn, reach, noise = jax.random.split(key, 3)
    angle = jnp.pi * jax.random.uniform(turn)
    length = jax.random.uniform(reach, minval=3.0, maxval=14.0)
    kernel = line(length, 0.5, angle, 2 * RADIUS + 1)
    y = shaken(crop, kernel / jnp.sum(kernel))
    return crop, y + 0.02 * jax.random.normal(noise, y.shape)


def experiment() -> Experiment:
    """Two small U-Nets; the second sees the blurred image beside the noisy residual."""
    size = {"widths": (32, 64, 96), "blocks": (2, 2, 2)}
    return Experiment(
        name="predict-and-refine",
        source=photographs,
        network=Refinement(UNet(**size), UNet(**size, conditioning=Concatenation()), STD),
        process=VP(),
        optimizer=adam(6e-4),
        pairing=blurred,
        prediction=Preconditioned(STD),
        data_std=STD,
        steps=10_000,
        batch=8,
        crop=64,
        ema=0.999,
        validation=others,
        preview=Restored(blurred, Discrete(DDIM(1.0)), steps=20),
    )
