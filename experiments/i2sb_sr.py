r"""I2SB: a photograph of four times the size, along a bridge from the enlarged small one.

Command: jaxir train experiments/i2sb_sr.py --workdir runs/i2sb-sr
         jaxir evaluate runs/i2sb-sr --data $JAXIR_DATA/natural/bsds500/val \
             --degradation "bicubic(4)" --size 128
Data: 384 photographs of BSDS500, from the folder that JAXIR_DATA names, without the twelve that are the clean images of
    `rain_synth`; each crop is made small and brought back to its size by bicubic interpolation.
Published: none that can be compared; I2SB was trained and tested on ImageNet [liu2023i2sb].
Measured figures: none yet, it has not been trained in full.

The loss is I2SB's, on (x_t − x0)/σ_fwd, whatever the network's output means; here y is one of its inputs, without which
only the law of all images would be right and not that of the images given y.
"""

import functools

import jax.numpy as jnp
from _photographs import adam, low_resolution, others, photographs

from jaxir.denoisers import NetworkDenoiser, Residual
from jaxir.losses import matching_loss
from jaxir.networks import Concatenation, UNet
from jaxir.processes import i2sb
from jaxir.samplers import Discrete
from jaxir.training import Experiment, Restored
from jaxir.transitions import Bridge
from jaxir.typing import Scalar


def label_weight(denoiser: NetworkDenoiser, t: Scalar) -> Scalar:
    """1/σ_fwd² = a/σ², since a Brownian bridge has a = 1 − σ_fwd²/U and σ² = σ_fwd² a."""
    return jnp.exp(2 * denoiser.process.log_snr(t)) / denoiser.process.coefficients(t).a


def experiment() -> Experiment:
    """A small U-Net that sees the enlarged image beside the state."""
    return Experiment(
        name="i2sb-sr",
        source=photographs,
        network=UNet(widths=(32, 64, 96), blocks=(2, 2, 2), conditioning=Concatenation()),
        process=i2sb(),
        optimizer=adam(6e-4),
        pairing=low_resolution,
        prediction=Residual(),
        data_std=0.2,
        objective=functools.partial(matching_loss, weighting=label_weight),
        steps=6_000,
        batch=8,
        crop=48,
        validation=others,
        preview=Restored(low_resolution, Discrete(Bridge()), steps=20),
    )
