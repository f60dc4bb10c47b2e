r"""Palette: one network that fills holes, adds colour, goes on beyond the frame and takes off the marks of JPEG.

Command: jaxir train experiments/palette.py --workdir runs/palette
         jaxir evaluate runs/palette --data $JAXIR_DATA/natural/bsds500/val \
             --degradation "jpeg(10)" --size 128 --steps 50
         jaxir evaluate runs/palette --data $JAXIR_DATA/natural/bsds500/val \
             --degradation "grey()" --size 128 --steps 50
Data: 384 photographs of BSDS500, from the folder that JAXIR_DATA names, without the twelve that are the clean images of
    `rain_synth`; for each crop one of the four tasks is drawn.
Published: none that can be compared; Palette was trained on ImageNet and Places2 [saharia2022palette].
Measured figures: none yet, it has not been trained in full.

Where a part of the image is missing the loss is on that part alone, and the rest of what is sampled is the rest of y:
the preview does that by `Known`. Missing pixels are 0, which no pixel of 8 bits is, as −1 + 2k/255 has no zero. In the
paper they are noise, and the known ones are clean in the state as well.
"""

import functools

import jax
import jax.numpy as jnp
from _photographs import adam, compressed, greyed, others, photographs
from jaxtyping import Array, Bool

from jaxir.degradations import smooth_field
from jaxir.denoisers import Denoiser, Estimate, NetworkDenoiser, Noise
from jaxir.losses import matching_loss
from jaxir.networks import Concatenation, UNet
from jaxir.processes import VP, Process
from jaxir.samplers import Discrete
from jaxir.training import Experiment, Restored
from jaxir.transitions import Ancestral
from jaxir.typing import Image, Key, Scalar


def holed(key: Key, crop: Image) -> tuple[Image, Image]:
    """A photograph, and it with blots, on a tenth to a half of it, missing."""
    blots, share = jax.random.split(key)
    field = smooth_field(blots, crop.shape[:2], width=6.0)
    least = jnp.quantile(field, jax.random.uniform(share, minval=0.1, maxval=0.5))
    return crop, crop * (field > least)


def cut(key: Key, crop: Image) -> tuple[Image, Image]:
    """A photograph, and it with the left, right, upper or lower half missing."""
    turns = jax.random.randint(key, (), 0, 4)
    first = jnp.arange(crop.shape[0]) < crop.shape[0] // 2
    rows, columns = first[:, None], first[None, :]
    kept = jnp.stack(jnp.broadcast_arrays(rows, ~rows, columns, ~columns))[turns]
    return crop, crop * kept[..., None]


def spoiled(key: Key, crop: Image) -> tuple[Image, Image]:
    """One of the four tasks."""
    which, how = jax.random.split(key)
    tasks = (holed, greyed, cut, compressed)
    return jax.lax.switch(jax.random.randint(which, (), 0, 4), tasks, how, crop)


def missing(y: Image) -> Bool[Array, "h w 1"]:
    """Where the image is missing; everywhere in one of which no part is."""
    hole = jnp.all(y == 0, axis=-1, keepdims=True)
    return hole | ~jnp.any(hole)


class Known(Denoiser):
    """A network where the image is missing, y where it is not.

    Args:
        inner: the network.
    """

    inner: NetworkDenoiser

    @property
    def process(self) -> Process:
        """Of the network."""
        return self.inner.process

    @property
    def sees_y(self) -> bool:
        """True."""
        return True

    def estimate(self, x: Image, t: Scalar, y: Image) -> Estimate:
        """One evaluation of the network."""
        return Estimate(jnp.where(missing(y), self.inner(x, t, y), y))


def experiment() -> Experiment:
    """A small U-Net that sees the spoiled image beside the state."""
    return Experiment(
        name="palette",
        source=photographs,
        network=UNet(widths=(32, 64, 96), blocks=(2, 2, 2), heads=4, conditioning=Concatenation()),
        process=VP(),
        optimizer=adam(6e-4),
        pairing=spoiled,
        prediction=Noise(),
        objective=functools.partial(matching_loss, where=missing),
        steps=8_000,
        batch=8,
        crop=48,
        validation=others,
        preview=Restored(spoiled, Discrete(Ancestral()), steps=50, through=Known),
    )
