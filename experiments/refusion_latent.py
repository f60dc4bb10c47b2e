"""Refusion: the mean-reverting process of rain, run in the latent of an autoencoder that keeps a photograph's details.

Command: python experiments/refusion_latent.py            both stages, needs JAXIR_DATA
         python experiments/refusion_latent.py --smoke    a few tiny steps of each on generated images
Data: 384 photographs of BSDS500, from the folder that JAXIR_DATA names; the twelve photographs that are the clean
    images of a rain test set are left out. The rain is that of irsde_derain.py, drawn anew for every crop.
Published: on several tasks, latent restoration keeps the quality of pixels at a fraction of the time
    [luo2023refusion]; not the same task.
Ours: not trained in full.

First the autoencoder: it makes both images of a pair again, each from its own latent and the features of the rainy one,
so that at restoration the decoder has what rain left. Then IR-SDE between the two latents. A latent has a sixteenth of
the positions, and the second network is given nothing else.
"""

import argparse
import dataclasses
import functools
import tempfile
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from _photographs import adam, others, photographs, whole
from irsde_derain import rainy

from jaxir.codecs import HiddenSkip
from jaxir.data import Source, Synthetic, middle, write_image
from jaxir.denoisers import NetworkDenoiser, Preconditioned, Residual
from jaxir.losses import mean_matching_loss, stepwise
from jaxir.metrics import psnr
from jaxir.networks import Autoencoder, Concatenation, UNet
from jaxir.photos import names, photo
from jaxir.pretrained import load
from jaxir.processes import IRSDE, VP
from jaxir.samplers import Discrete, sample
from jaxir.training import Experiment, train
from jaxir.transitions import DDIM
from jaxir.typing import Image, Images, Key, Params, Scalar

AUTOENCODER = Autoencoder(widths=(32, 64, 96), latent=8)
SIZE, COUNT = 96, 8
"""Pictures show the middle, of so many pixels a side, of so many photographs."""


def rebuilt(key: Key, denoiser: NetworkDenoiser, x0: Image, t: Scalar, y: Image | None) -> Scalar:
    """|x0 from its latent − x0| + |y from its latent − y| + 10⁻³ mean z², all with the features of y."""
    params = denoiser.params
    (clean, _), (rainy, hidden) = (AUTOENCODER.encode(params, image) for image in (x0, y))
    errors = (
        jnp.mean(jnp.abs(AUTOENCODER.decode(params, z, hidden) - image))
        for z, image in ((clean, x0), (rainy, y))
    )
    return sum(errors) + 1e-3 * (jnp.mean(clean**2) + jnp.mean(rainy**2))


def latents(params: Params, scale: float, key: Key, crop: Image) -> tuple[Image, Image]:
    """A crop, and it in rain, as latents: the pairs of the second stage."""
    x0, y = rainy(key, crop)
    codec = HiddenSkip(AUTOENCODER, params, y, scale)
    return codec.encode(x0), codec.encode(y)


def pairs(source: Source) -> tuple[Images, Images]:
    """The middles of some photographs, and these in rain."""
    crops = [middle(source[i], SIZE) for i in range(min(COUNT, len(source)))]
    images = jnp.stack(crops).astype(jnp.float32) / 127.5 - 1
    return jax.jit(jax.vmap(rainy))(jax.random.split(jax.random.key(0), len(images)), images)


def picture(path: Path, rows: list[Images]) -> None:
    sheet = jnp.concatenate([jnp.concatenate(list(row), axis=1) for row in rows])
    write_image(path, np.asarray(sheet), overwrite=True)


def score(found: Images, clean: Images) -> float:
    return float(jnp.mean(jax.vmap(psnr)(jnp.clip(found, -1, 1), clean)))


def show_rebuilt(path: Path, denoiser: NetworkDenoiser, source: Source) -> dict[str, float]:
    """Photographs from their own latents: the most that the second stage can reach."""
    clean, degraded = pairs(source)
    build = jax.jit(jax.vmap(lambda x, y: AUTOENCODER.apply(denoiser.params, x, jnp.zeros(()), y)))
    found = build(clean, degraded)
    picture(path, [clean, degraded, found])
    return {"psnr_degraded": score(degraded, clean), "psnr_rebuilt": score(found, clean)}


def show_restored(
    params: Params, scale: float, path: Path, denoiser: NetworkDenoiser, source: Source
) -> dict[str, float]:
    """Photographs from latents that were drawn given the rainy ones."""
    clean, degraded = pairs(source)
    restored = []
    for number, y in enumerate(degraded):
        codec = HiddenSkip(AUTOENCODER, params, y, scale)
        drawn = sample(
            jax.random.key(number),
            denoiser,
            codec.encode(y),
            shape=codec.latent_shape,
            sampler=Discrete(DDIM(1.0)),
            times=20,
            strict=False,
        )
        restored.append(drawn.map(codec.decode).images[0])
    picture(path, [clean, degraded, jnp.nan_to_num(jnp.stack(restored))])
    return {
        "psnr_degraded": score(degraded, clean),
        "psnr_restored": score(jnp.stack(restored), clean),
    }


def first() -> Experiment:
    """The autoencoder. Its process and times mean nothing: the objective looks at neither."""
    return Experiment(
        name="refusion-autoencoder",
        source=photographs,
        network=AUTOENCODER,
        process=VP(),
        optimizer=adam(6e-4),
        pairing=rainy,
        objective=rebuilt,
        steps=10_000,
        batch=8,
        crop=64,
        validation=others,
        preview=show_rebuilt,
    )


def restoring(params: Params) -> Experiment:
    """IR-SDE in the latent, from rainy to clean, by the exact mean of its steps.

    Latents are scaled to unit deviation, by that of three photographs which nothing is trained on, and `spread` is what
    rain then moves them by.
    """
    clean = jnp.stack([jnp.asarray(photo(name)) for name in names()])
    _, spoiled = jax.jit(jax.vmap(rainy))(jax.random.split(jax.random.key(0), len(clean)), clean)
    raw, moved = (
        jax.jit(jax.vmap(lambda x: AUTOENCODER.encode(params, x)[0]))(x) for x in (clean, spoiled)
    )
    scale = 1 / float(jnp.std(raw))
    spread = max(round(scale * float(jnp.sqrt(jnp.mean((raw - moved) ** 2))), 3), 0.01)
    channels = AUTOENCODER.latent
    return Experiment(
        name="refusion-latent",
        source=photographs,
        network=UNet(
            in_channels=channels,
            out_channels=channels,
            widths=(64, 96, 128),
            blocks=(2, 2, 2),
            patch=1,
            conditioning=Concatenation(channels),
        ),
        process=IRSDE(std=0.5),
        optimizer=adam(6e-4),
        pairing=functools.partial(latents, params, scale),
        prediction=Residual(Preconditioned(spread)),
        data_std=spread,
        objective=stepwise(functools.partial(mean_matching_loss, power=1.0), 100),
        steps=20_000,
        batch=16,
        crop=64,
        validation=others,
        preview=functools.partial(show_restored, params, scale),
    )


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--workdir", type=Path, default=Path("runs/refusion"))
    options.add_argument("--smoke", action="store_true", help="a few tiny steps, nothing is kept")
    chosen = options.parse_args()
    if not chosen.smoke:
        return run(chosen.workdir, smoke=False)
    jax.config.update("jax_disable_most_optimizations", True)  # compiling is nearly all of it
    with tempfile.TemporaryDirectory() as folder:
        run(Path(folder), smoke=True)


def run(workdir: Path, *, smoke: bool) -> None:
    """Both stages; each goes on where it was interrupted."""

    def generated() -> Source:
        return Synthetic(size=32)

    def stage(experiment: Experiment) -> Params:
        if smoke:
            experiment = dataclasses.replace(
                experiment,
                source=generated,
                validation=generated,
                steps=4,
                batch=2 * jax.device_count(),
                crop=16,
            )
        folder = workdir / experiment.name
        whole(train(experiment, folder), experiment)
        return load(folder / "model").params

    stage(restoring(stage(first())))


if __name__ == "__main__":
    main()
