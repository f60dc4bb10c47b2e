"""IDM: one network for every ratio of sizes, whole or not, by features that are read off at any place.

Command: jaxir train experiments/any_scale.py --workdir runs/any-scale
Data: 384 photographs of BSDS500, from the folder that JAXIR_DATA names, without the twelve that are the clean images of
    `rain_synth`; each crop is made small by three ratios.
Published: on faces and scenes from × 2 to × 8 a better PSNR than other generative models of one ratio [gao2023idm]; not
    the same task.
Ours: not trained in full.

y is as small as it came; the guide in front brings it to the size of x. Behind it a first answer is refined, as in
predict_and_refine.py, so that at the times when the state says nothing the network is judged as a regression.
"""

from pathlib import Path

import jax
import jax.numpy as jnp
from _photographs import adam, others, photographs

from jaxir.data import Source, middle
from jaxir.denoisers import NetworkDenoiser, Preconditioned
from jaxir.losses import matching_loss
from jaxir.metrics import psnr
from jaxir.networks import Concatenation, Guided, Implicit, Refinement, UNet
from jaxir.processes import VP
from jaxir.training import Experiment
from jaxir.typing import Image, Images, Key, Scalar

RATIOS = (2.0, 2.5, 3.0)
STD = 0.1
"""Deviation of a photograph from it enlarged."""
SIZE, COUNT = 96, 8
"""Figures are of the middle, of so many pixels a side, of so many photographs."""


def resized(image: Image, height: int, width: int) -> Image:
    """By cubic interpolation, antialiased where it becomes smaller."""
    return jax.image.resize(image, (height, width, image.shape[2]), "cubic")


def reduced(image: Image, ratio: float) -> Image:
    """An image of round(side/ratio) pixels a side."""
    return resized(image, *(round(side / ratio) for side in image.shape[:2]))


def every_ratio(
    key: Key, denoiser: NetworkDenoiser, x0: Image, t: Scalar, y: Image | None = None
) -> Scalar:
    """The mean over the ratios of the matching loss, each with the small image of its own."""
    keys = jax.random.split(key, len(RATIOS))
    losses = [
        matching_loss(k, denoiser, x0, t, reduced(x0, r)) for k, r in zip(keys, RATIOS, strict=True)
    ]
    return sum(losses) / len(RATIOS)


def enlarged(denoiser: NetworkDenoiser, small: Image, height: int, width: int) -> Image:
    """E[x0 | y] at a size: one step from where the state says nothing."""
    end = jnp.asarray(denoiser.process.span[1])
    return denoiser(jnp.zeros((height, width, small.shape[2])), end, small)


def decibels(denoiser: NetworkDenoiser, images: Images, ratio: float) -> tuple[Scalar, Scalar]:
    """The mean PSNR of enlarged images, and of cubic interpolation."""
    size = images.shape[1:3]

    def both(image: Image) -> tuple[Scalar, Scalar]:
        small = reduced(image, ratio)
        return psnr(enlarged(denoiser, small, *size), image), psnr(resized(small, *size), image)

    return jax.tree.map(jnp.mean, jax.vmap(both)(images))


def figures(path: Path, denoiser: NetworkDenoiser, source: Source) -> dict[str, float]:
    """The PSNR at each ratio."""
    size = min(SIZE, *(min(source[i].shape[:2]) for i in range(min(COUNT, len(source)))))
    crops = [middle(source[i], size) for i in range(min(COUNT, len(source)))]
    images = jnp.stack(crops).astype(jnp.float32) / 127.5 - 1
    found = {
        ratio: jax.jit(decibels, static_argnums=2)(denoiser, images, ratio) for ratio in RATIOS
    }
    return {
        f"psnr_{name}_x{ratio:g}": float(value)
        for ratio, values in found.items()
        for name, value in zip(("enlarged", "cubic"), values, strict=True)
    }


def experiment() -> Experiment:
    """Two small U-Nets behind an implicit decoder."""
    size = {"widths": (32, 64), "blocks": (1, 1)}
    both = Refinement(UNet(**size), UNet(**size, conditioning=Concatenation()), STD)
    return Experiment(
        name="any-scale",
        source=photographs,
        network=Guided(both, Implicit()),
        process=VP(),
        optimizer=adam(6e-4),
        prediction=Preconditioned(STD),
        data_std=STD,
        objective=every_ratio,
        steps=10_000,
        batch=8,
        crop=60,
        validation=others,
        preview=figures,
    )
