r"""Flow matching that takes the marks of JPEG off: straight paths from the compressed photograph, or from noise.

Command: jaxir train experiments/flow_restore.py --workdir runs/flow-restore
         jaxir evaluate runs/flow-restore --data $JAXIR_DATA/natural/bsds500/val \
             --degradation "jpeg(10)" --size 128 --eta 0
Data: 384 photographs of BSDS500, from the folder that JAXIR_DATA names, without the twelve that are the clean images of
    `rain_synth`; each crop is compressed with a quality of its own.
Published: none that can be compared [lipman2023flow] [albergo2024couplings].
Measured figures: none yet, it has not been trained in full.

The two differ by the source of the flow alone: the compressed image with a little noise, or noise, with the compressed
image beside the state in both.
"""

import dataclasses

from _photographs import adam, compressed, others, photographs

from jaxir.denoisers import Velocity
from jaxir.networks import Concatenation, UNet
from jaxir.processes import Flow, Interpolation
from jaxir.samplers import Discrete
from jaxir.training import Experiment, Restored
from jaxir.transitions import DDIM


def experiment() -> Experiment:
    """From the compressed image, with noise of deviation 0.1 on it."""
    return Experiment(
        name="flow-restore",
        source=photographs,
        network=UNet(widths=(32, 64, 96), blocks=(2, 2, 2), conditioning=Concatenation()),
        process=Interpolation(std=0.1),
        optimizer=adam(6e-4),
        pairing=compressed,
        prediction=Velocity(),
        steps=6_000,
        batch=8,
        crop=48,
        validation=others,
        preview=Restored(compressed, Discrete(DDIM(0.0)), steps=20),
    )


def from_noise() -> Experiment:
    """The same from noise."""
    return dataclasses.replace(experiment(), name="flow-restore-from-noise", process=Flow())
