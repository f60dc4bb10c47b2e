r"""DDBM: a photograph of four times the size, along a bridge over VP, with a network preconditioned for pairs.

Command: jaxir train experiments/ddbm.py --workdir runs/ddbm
         jaxir evaluate runs/ddbm --data $JAXIR_DATA/natural/bsds500/val \
             --degradation "bicubic(4)" --size 128
Data: 384 photographs of BSDS500, from the folder that JAXIR_DATA names, without the twelve that are the clean images of
    `rain_synth`; each crop is made small and brought back to its size by bicubic interpolation.
Published: none that can be compared; DDBM was trained on Edges→Handbags and DIODE [zhou2024ddbm].
Measured figures: none yet, it has not been trained in full.

The moments of a clean and an enlarged pixel are those of the training photographs; the paper has no
covariance.
"""

from _photographs import adam, low_resolution, others, photographs

from jaxir.denoisers import PairedPreconditioned
from jaxir.networks import Concatenation, UNet
from jaxir.processes import ddbm_vp, karras_times
from jaxir.samplers import DDBMSampler
from jaxir.training import Experiment, Restored

DATA_STD, DEGRADED_STD, COVARIANCE = 0.485, 0.46, 0.214


def experiment() -> Experiment:
    """A small U-Net that sees the enlarged image beside the state."""
    return Experiment(
        name="ddbm",
        source=photographs,
        network=UNet(widths=(32, 64, 96), blocks=(2, 2, 2), conditioning=Concatenation()),
        process=ddbm_vp(),
        optimizer=adam(6e-4),
        pairing=low_resolution,
        prediction=PairedPreconditioned(DATA_STD, DEGRADED_STD, COVARIANCE),
        data_std=DATA_STD,
        steps=6_000,
        batch=8,
        crop=48,
        validation=others,
        preview=Restored(low_resolution, DDBMSampler(), steps=12, grid=karras_times),
    )
