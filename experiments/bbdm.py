r"""BBDM: colour for a grey photograph, along a Brownian bridge from it.

Command: jaxir train experiments/bbdm.py --workdir runs/bbdm
         jaxir evaluate runs/bbdm --data $JAXIR_DATA/natural/bsds500/val \
             --degradation "grey()" --size 128
Data: 384 photographs of BSDS500, from the folder that JAXIR_DATA names, without the twelve that are the clean images of
    `rain_synth`; y is their luma in all three channels.
Published: none that can be compared; BBDM works in the latent space of other images [li2023bbdm].
Measured figures: none yet, it has not been trained in full.

The network tells x_t − x0 and is judged by the mean of its absolute errors, as published. Its variance 2 s t (1 − t)
has s = 1/4 here, since pixels move less than a latent. Times are not uniform, as published, but have more of the clean
end, where what the network tells vanishes and its errors stay.
"""

import functools

from _photographs import adam, greyed, others, photographs

from jaxir.denoisers import Displacement
from jaxir.losses import matching_loss
from jaxir.networks import Concatenation, UNet
from jaxir.processes import brownian_bridge, cosine_times, log_normal_law
from jaxir.samplers import Discrete
from jaxir.training import Experiment, Restored
from jaxir.transitions import Ancestral


def experiment() -> Experiment:
    """A small U-Net that sees the grey image beside the state."""
    return Experiment(
        name="bbdm",
        source=photographs,
        network=UNet(widths=(32, 64, 96), blocks=(2, 2, 2), heads=4, conditioning=Concatenation()),
        process=brownian_bridge(variance=0.5),
        optimizer=adam(6e-4),
        pairing=greyed,
        prediction=Displacement(),
        objective=functools.partial(matching_loss, power=1),
        times=functools.partial(log_normal_law, mean=-1.5, std=1.5),
        steps=6_000,
        batch=8,
        crop=48,
        validation=others,
        preview=Restored(greyed, Discrete(Ancestral()), steps=50, grid=cosine_times),
    )
