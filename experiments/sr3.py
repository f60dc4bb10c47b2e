r"""SR3: a photograph of four times the size, by diffusion from noise with the enlarged small one beside it.

Command: jaxir train experiments/sr3.py --workdir runs/sr3
         jaxir evaluate runs/sr3 --data $JAXIR_DATA/natural/bsds500/val \
             --degradation "bicubic(4)" --size 128 --steps 50
Data: 384 photographs of BSDS500, from the folder that JAXIR_DATA names, without the twelve that are the clean images of
    `rain_synth`; each crop is made small and brought back to its size by bicubic interpolation.
Published: none that can be compared; SR3 was trained on faces and on ImageNet [saharia2023sr3].
Measured figures: none yet, it has not been trained in full.

The network tells the noise and is judged by the mean of its absolute errors. It is given the noise level as a number,
so that the grid of sampling is chosen after training. In training √ᾱ is drawn between neighbours of a table of levels,
which is t uniform on VP as the table gets fine.
"""

import functools

from _photographs import adam, low_resolution, others, photographs

from jaxir.denoisers import Noise
from jaxir.losses import matching_loss
from jaxir.networks import Concatenation, UNet
from jaxir.processes import VP
from jaxir.samplers import Discrete
from jaxir.training import Experiment, Restored
from jaxir.transitions import Ancestral


def experiment() -> Experiment:
    """A small U-Net that sees the enlarged image beside the state."""
    return Experiment(
        name="sr3",
        source=photographs,
        network=UNet(widths=(32, 64, 96), blocks=(2, 2, 2), conditioning=Concatenation()),
        process=VP(),
        optimizer=adam(6e-4),
        pairing=low_resolution,
        prediction=Noise(),
        objective=functools.partial(matching_loss, power=1),
        steps=6_000,
        batch=8,
        crop=48,
        validation=others,
        preview=Restored(low_resolution, Discrete(Ancestral()), steps=50),
    )
