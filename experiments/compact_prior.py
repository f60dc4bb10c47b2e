"""DiffIR and Reti-Diff: a restorer that is told a vector, and a diffusion of four steps that finds the vector.

Command: python experiments/compact_prior.py              both stages, needs JAXIR_DATA
         python experiments/compact_prior.py --retinex    with a second vector, of reflectance and light
         python experiments/compact_prior.py --smoke      a few tiny steps of each on generated images
Data: 384 photographs of BSDS500, from the folder that JAXIR_DATA names; the twelve photographs that are the clean
    images of a rain test set are left out. They are darkened as in wavelet_lowlight.py, anew for every crop.
Published: DiffIR restores as well as its first stage, which has seen the clean image, on several tasks [xia2023diffir];
    with Retinex latents it is better in low light [he2025retidiff]. Not the same tasks.
Ours: not trained in full.

First the restorer, with a vector that sums up the clean and the dark photograph: exposure, curve, noise, colours. Then
the diffusion of such vectors given the dark photograph alone; it is so short that training runs all of it, and the
restorer goes on learning at its end. A vector is an image of one pixel, to which the process, the transition and the
sampler are those of any image.
"""

import argparse
import dataclasses
import functools
import tempfile
from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from _photographs import adam, others, photographs, whole
from wavelet_lowlight import dark

from jaxir.codecs import CompactCodec
from jaxir.data import Source, Synthetic, middle, write_image
from jaxir.denoisers import NetworkDenoiser, Preconditioned
from jaxir.losses import chained, rebuilding
from jaxir.metrics import psnr
from jaxir.networks import (
    Beside,
    Compact,
    CompactRestorer,
    Concatenation,
    DiT,
    Guide,
    Guided,
    Modulation,
    Retinex,
    UNet,
)
from jaxir.processes import VP
from jaxir.samplers import Discrete, sample
from jaxir.training import Experiment, Pairing, train
from jaxir.transitions import DDIM
from jaxir.typing import Image, Images, Params

NUMBERS = 32
"""In a vector."""
PROCESS = VP(0.1, 12.7)
"""Of vectors; √0.0017 of one is left at its end, as in four steps of β = 0.1 ... 0.99."""
TIMES = jnp.array([1.0, 0.75, 0.5, 0.25])
SIZE, COUNT = 96, 8
"""Pictures show the middle, of so many pixels a side, of so many photographs."""
encode, decode = jax.jit(CompactCodec.encode), jax.jit(CompactCodec.decode)


def summary(images: int, numbers: int, *, retinex: bool) -> Guide:
    """What sums up one image or two: a vector, and with Retinex another one of their reflectance and light."""
    plain = Compact(3 * images, numbers)
    return Beside((plain, Retinex(Compact(4 * images, numbers)))) if retinex else plain


def restorer(
    widths: tuple[int, ...] = (32, 64, 96),
    numbers: int = NUMBERS,
    *,
    blocks: int = 2,
    retinex: bool = False,
) -> Guided:
    """The first stage."""
    guide = summary(2, numbers, retinex=retinex)
    size = {"widths": widths, "blocks": (blocks,) * len(widths)}
    return Guided(UNet(**size, conditioning=Modulation(guide.channels)), guide)


def with_prior(first: Guided, numbers: int = NUMBERS, *, retinex: bool = False) -> CompactRestorer:
    """The second: the first, and a perceptron that denoises its vectors given those of the dark image."""
    guide, size = summary(1, numbers, retinex=retinex), first.guide.channels
    vectors = DiT(
        in_channels=size,
        out_channels=size,
        patch=1,
        width=4 * size,
        depth=3,
        heads=1,
        conditioning=Concatenation(guide.channels),
    )
    return CompactRestorer(Guided(vectors, guide), first)


def first(network: Guided, pairing: Pairing = dark) -> Experiment:
    """The restorer. Its process and times mean nothing: the objective looks at neither."""
    return Experiment(
        name="compact-restorer",
        source=photographs,
        network=network,
        process=PROCESS,
        optimizer=adam(6e-4),
        pairing=pairing,
        objective=rebuilding(network),
        steps=10_000,
        batch=8,
        crop=64,
        validation=others,
        preview=functools.partial(show, functools.partial(rebuilt, network), pairing),
    )


def second(network: CompactRestorer, pairing: Pairing = dark) -> Experiment:
    """The diffusion, with the restorer at its end."""
    return dataclasses.replace(
        first(network.restorer, pairing),
        name="compact-prior",
        network=network,
        prediction=Preconditioned(1.0),
        data_std=1.0,
        objective=chained(network, TIMES),
        preview=functools.partial(show, functools.partial(restored, network), pairing),
    )


def begun(experiment: Experiment, restorer: Params) -> NetworkDenoiser:
    """New weights of the second stage, the restorer's from the first."""
    new = experiment.network.init(jax.random.key(experiment.seed))
    return experiment.denoiser({**new, "restorer": restorer})


def rebuilt(network: Guided, denoiser: NetworkDenoiser, x0: Image, y: Image) -> Image:
    """With the vector that has seen the clean image: the most that the second stage can reach."""
    codec = CompactCodec(network, denoiser.params, y)
    return decode(codec, encode(codec, x0))


def restored(network: CompactRestorer, denoiser: NetworkDenoiser, x0: Image, y: Image) -> Image:
    """With a vector that is drawn in four steps given y; x0 gives nothing."""
    codec = CompactCodec(network.restorer, denoiser.params["restorer"], y)
    drawn = sample(
        jax.random.key(0),
        denoiser,
        y,
        shape=codec.latent_shape,
        sampler=Discrete(DDIM(0.0)),
        times=TIMES,
    )
    return decode(codec, drawn.images[0])


def show(
    restore: Callable[[NetworkDenoiser, Image, Image], Image],
    pairing: Pairing,
    path: Path,
    denoiser: NetworkDenoiser,
    source: Source,
) -> dict[str, float]:
    """Rows of clean, dark and restored photographs; the PSNR of the dark and of the restored."""
    crops = [middle(source[i], SIZE) for i in range(min(COUNT, len(source)))]
    images = jnp.stack(crops).astype(jnp.float32) / 127.5 - 1
    keys = jax.random.split(jax.random.key(0), len(images))
    clean, degraded = jax.jit(jax.vmap(pairing))(keys, images)
    found = jnp.stack([restore(denoiser, x0, y) for x0, y in zip(clean, degraded, strict=True)])
    rows = (jnp.concatenate(list(row), axis=1) for row in (clean, degraded, found))
    write_image(path, np.asarray(jnp.concatenate(list(rows))), overwrite=True)
    return {"psnr_degraded": score(degraded, clean), "psnr_restored": score(found, clean)}


def score(found: Images, clean: Images) -> float:
    return float(jnp.mean(jax.vmap(psnr)(jnp.clip(found, -1, 1), clean)))


def run(workdir: Path, *, smoke: bool, retinex: bool) -> None:
    """Both stages; each goes on where it was interrupted."""

    def generated() -> Source:
        return Synthetic(2, size=32)

    def stage(experiment: Experiment, initial: NetworkDenoiser | None = None) -> Params:
        if smoke:
            experiment = dataclasses.replace(
                experiment,
                source=generated,
                validation=generated,
                steps=4,
                batch=2 * jax.device_count(),
                crop=16,
            )
        state = train(experiment, workdir / experiment.name, initial=initial)
        whole(state, experiment)
        return state.ema[0]

    size = {"widths": (8,), "blocks": 1, "numbers": 8} if smoke else {}
    network = restorer(**size, retinex=retinex)
    told = stage(first(network))
    both = with_prior(network, size.get("numbers", NUMBERS), retinex=retinex)
    found = second(both)
    stage(found, begun(found, told))


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--workdir", type=Path, help="runs/compact-prior, or ...-retinex")
    options.add_argument("--retinex", action="store_true", help="a second vector: Reti-Diff")
    options.add_argument("--smoke", action="store_true", help="a few tiny steps, nothing is kept")
    chosen = options.parse_args()
    if not chosen.smoke:
        folder = chosen.workdir or Path("runs/compact-prior" + "-retinex" * chosen.retinex)
        return run(folder, smoke=False, retinex=chosen.retinex)
    jax.config.update("jax_disable_most_optimizations", True)  # compiling is nearly all of it
    with tempfile.TemporaryDirectory() as folder:
        run(Path(folder), smoke=True, retinex=chosen.retinex)


if __name__ == "__main__":
    main()
