"""GOUB that takes rain off: IR-SDE's process, pinned to the rainy image at its end.

Command: jaxir train experiments/gou_bridge.py --workdir runs/gou-bridge
         jaxir evaluate runs/gou-bridge --data $JAXIR_DATA/paired/rain_synth --size 128 --steps 20
Data: 384 photographs of BSDS500, from the folder that JAXIR_DATA names, without the twelve that are the clean images of
    `rain_synth`; the rain is that of `irsde_derain`, so that the two can be compared.
Published: none that can be compared; GOUB was trained and tested on the pairs of Rain100H [yue2024goub].
Measured figures: none yet, it has not been trained in full.

The same weights are sampled in two ways: by the SDE (`jaxir evaluate`, or `Discrete(ReverseEuler())` as published),
whose images are draws, and by the Mean-ODE of the preview, whose images are near the mean of all draws.
"""

from _photographs import adam, others, photographs
from irsde_derain import rainy

from jaxir.denoisers import Residual
from jaxir.losses import mean_matching_loss, stepwise
from jaxir.networks import Concatenation, UNet
from jaxir.processes import cosine_times, goub
from jaxir.samplers import Discrete
from jaxir.training import Experiment, Restored
from jaxir.transitions import MeanODE


def experiment() -> Experiment:
    """A small U-Net that sees the rainy image beside the state; L1 between the means of a step."""
    return Experiment(
        name="gou-bridge",
        source=photographs,
        network=UNet(widths=(32, 64, 96), blocks=(2, 2, 2), conditioning=Concatenation()),
        process=goub(),
        optimizer=adam(6e-4),
        pairing=rainy,
        prediction=Residual(),
        data_std=0.2,
        objective=stepwise(mean_matching_loss, 100),
        steps=6_000,
        batch=8,
        crop=48,
        validation=others,
        preview=Restored(rainy, Discrete(MeanODE()), steps=50, grid=cosine_times),
    )
