r"""ResShift: a photograph of four times the size in 15 steps, the residual shifted in while noise is taken off.

Command: jaxir train experiments/resshift.py --workdir runs/resshift
         jaxir evaluate runs/resshift --data $JAXIR_DATA/natural/bsds500/val \
             --degradation "bicubic(4)" --size 128 --steps 15
Data: 384 photographs of BSDS500, from the folder that JAXIR_DATA names, without the twelve that are the clean images of
    `rain_synth`; each crop is made small and brought back to its size by bicubic interpolation.
Published: none that can be compared; ResShift works in a latent space, trained on ImageNet [yue2023resshift].
Measured figures: none yet, it has not been trained in full.

The network tells the clean image (here by its difference from y), with a loss that weighs all times alike; κ = 0.4,
since pixels move less than a latent, where it is 2.
"""

from _photographs import adam, low_resolution, others, photographs

from jaxir.denoisers import CleanImage, Residual
from jaxir.networks import Concatenation, UNet
from jaxir.processes import ResShift, uniform_times
from jaxir.samplers import Discrete
from jaxir.training import Experiment, Restored
from jaxir.transitions import Bridge


def experiment() -> Experiment:
    """A small U-Net that sees the enlarged image beside the state."""
    return Experiment(
        name="resshift",
        source=photographs,
        network=UNet(widths=(32, 64, 96), blocks=(2, 2, 2), conditioning=Concatenation()),
        process=ResShift(gain=0.4),
        optimizer=adam(6e-4),
        pairing=low_resolution,
        prediction=Residual(CleanImage()),
        steps=6_000,
        batch=8,
        crop=48,
        validation=others,
        preview=Restored(low_resolution, Discrete(Bridge()), steps=15, grid=uniform_times),
    )
