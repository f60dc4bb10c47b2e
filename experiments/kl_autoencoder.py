"""The autoencoder of latent diffusion, small: a quarter of the side, a third of the numbers.

Command: python experiments/kl_autoencoder.py            about six minutes on one core, needs JAXIR_DATA
         python experiments/kl_autoencoder.py --smoke    a few tiny steps on generated images, no file
Data: 384 photographs of BSDS500, from the folder that JAXIR_DATA names; judged on nine patches of 32 × 32 of each
    of its validation set, none of which was trained on. Group norms average over a patch, so that its size is part of
    what is trained.
Published: 27.53 dB (deviation 4.54) for a quarter of the side with 3 channels (f = 4, KL), trained with a
    discriminator, as the authors of [rombach2022ldm] list it with their weights; another task.
Result: benchmarks/results/kl_autoencoder.json, and the page that it makes, docs/scoreboards/kl_autoencoder.md.

Latents of 16 channels have a third of the numbers of an image. Beside the autoencoder stands a linear code of as many:
the first principal components of blocks of 4 × 4 pixels, which so short a training does not reach. The scale that a
prior is trained with is measured on photographs of the training set, and must give the others unit deviation, too.
"""

import argparse
import dataclasses
import tempfile
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
from _photographs import others, photographs, whole
from _scoreboard import Claim, Results, made_by, origin, parser, publish, stamp, table, verdicts
from optax.contrib import MuonDimensionNumbers, muon

from jaxir.codecs import NetworkCodec, unit_scale
from jaxir.data import Source, Synthetic, middle
from jaxir.denoisers import NetworkDenoiser
from jaxir.losses import kl_autoencoding_loss
from jaxir.metrics import psnr
from jaxir.networks import KLAutoencoder
from jaxir.processes import VP
from jaxir.training import Experiment, train, warmup_stable_decay
from jaxir.typing import Image, Images, Key, Params, Scalar

NAME = "kl_autoencoder"
NETWORK = KLAutoencoder(widths=(24, 48, 64), blocks=1, latent=16, groups=8, middle_attention=False)
SIDE = 32


def objective(key: Key, denoiser: NetworkDenoiser, x0: Image, t: Scalar, y: None) -> Scalar:
    """Squared errors, and a KL term that keeps the latents near unit deviation without costing detail."""
    return kl_autoencoding_loss(key, NETWORK, denoiser.params, x0, beta=1e-5, power=2.0)


def orthogonal(steps: int) -> optax.GradientTransformation:
    """Muon: steps of kernels with all singular values alike; norms and biases by Adam.

    Details are what photographs have least of, so that Adam, which keeps the ratios of singular values, learns them
    last.
    """

    def axes(params: Params) -> Params:
        return jax.tree.map(
            lambda leaf: MuonDimensionNumbers(range(leaf.ndim - 1), -1) if leaf.ndim > 1 else None,
            params,
        )

    return muon(
        warmup_stable_decay(4e-3, steps),
        consistent_rms=0.2,
        muon_weight_dimension_numbers=axes,
        adam_learning_rate=warmup_stable_decay(3e-3, steps),
    )


def experiment() -> Experiment:
    """Its process and times mean nothing: the objective looks at neither."""
    return Experiment(
        name="kl-autoencoder",
        source=photographs,
        network=NETWORK,
        process=VP(),
        optimizer=orthogonal,
        objective=objective,
        steps=4_000,
        batch=4,
        crop=SIDE,
    )


def patches(source: Source) -> Images:
    """The nine in the middle of each photograph."""
    crops = np.stack([middle(source[i], 3 * SIDE) for i in range(len(source))])
    cut = crops.reshape(-1, 3, SIDE, 3, SIDE, 3).swapaxes(2, 3).reshape(-1, SIDE, SIDE, 3)
    return jnp.asarray(cut, jnp.float32) / 127.5 - 1


def larger(source: Source) -> Images:
    """The middle of each photograph, twice as wide and high as what was trained on."""
    crops = np.stack([middle(source[i], 2 * SIDE) for i in range(len(source))])
    return jnp.asarray(crops, jnp.float32) / 127.5 - 1


def score(found: Images, true: Images) -> float:
    """The mean PSNR of some images."""
    return float(jnp.mean(jax.vmap(psnr)(jnp.clip(found, -1, 1), true)))


def linear(train: Images, test: Images) -> Images:
    """The same number of numbers by principal components: blocks of stride × stride pixels, `latent` for each."""
    stride = NETWORK.stride

    def blocks(images: Images) -> np.ndarray:
        n, h, w, c = images.shape
        cut = np.asarray(images).reshape(n, h // stride, stride, w // stride, stride, c)
        return cut.transpose(0, 1, 3, 2, 4, 5).reshape(-1, stride * stride * c)

    seen, new = blocks(train), blocks(test)
    mean = seen.mean(axis=0)
    basis = np.linalg.eigh(np.cov(seen.T))[1][:, -NETWORK.latent :]
    found = mean + (new - mean) @ basis @ basis.T
    n, h, w, c = test.shape
    cut = found.reshape(n, h // stride, w // stride, stride, stride, c)
    return jnp.asarray(cut.transpose(0, 1, 3, 2, 4, 5).reshape(test.shape))


def judged(denoiser: NetworkDenoiser, source: Source, validation: Source) -> Results:
    """Photographs that were not trained on, given back from the mean of their code and from a draw of it."""
    seen, new = patches(source), patches(validation)
    scale = unit_scale(NETWORK, denoiser.params, seen)
    codec = NetworkCodec(NETWORK, denoiser.params, new.shape[1:], scale)

    def one(codec: NetworkCodec, key: Key, x: Image) -> tuple[Image, Images]:
        law = codec.posterior(x)
        latents = jnp.stack([law.mean, law.sample(key)])
        return law.mean, jax.vmap(codec.decode)(latents)

    keys = jax.random.split(jax.random.key(0), len(new))
    latents, rebuilt = jax.jit(
        lambda codec, *given: jax.lax.map(lambda given: one(codec, *given), given)
    )(codec, keys, new)
    wide = larger(validation)
    wider = NetworkCodec(NETWORK, denoiser.params, wide.shape[1:], scale)
    rebuilt_wide = jax.jit(
        lambda codec, x: jax.lax.map(lambda x: codec.decode(codec.encode(x)), x)
    )(wider, wide)
    return {
        "patches": len(new),
        "psnr": round(score(rebuilt[:, 0], new), 3),
        "psnr_drawn": round(score(rebuilt[:, 1], new), 3),
        "psnr_larger": round(score(rebuilt_wide, wide), 3),
        "psnr_linear": round(score(linear(seen, new), new), 3),
        "scale": round(float(scale), 4),
        "latent_std": round(float(jnp.std(latents)), 4),
        "latent_std_of_channels": [round(float(v), 3) for v in jnp.std(latents, axis=(0, 1, 2))],
    }


def claims(results: Results) -> list[Claim]:
    """What the first stage of latent diffusion has to do."""
    found, deviation = results["psnr"], results["latent_std"]
    return [
        (
            "patches of photographs that were not trained on are given back with more than 28 dB",
            f"{found:.2f} dB",
            found > 28,
        ),
        (
            "scaled as the training photographs ask for, the latents of others have unit deviation (0.95 to 1.05)",
            f"{deviation:.3f}",
            0.95 < deviation < 1.05,
        ),
    ]


def page(results: Results) -> str:
    """The results as Markdown."""
    heading = ["", "PSNR, dB"]
    rows = [
        ["decoded from the mean of the code", f"{results['psnr']:.2f}"],
        ["decoded from a draw of the code", f"{results['psnr_drawn']:.2f}"],
        [
            "the same, of patches of 64 × 64, larger than it was trained on",
            f"{results['psnr_larger']:.2f}",
        ],
        ["principal components, as many numbers", f"{results['psnr_linear']:.2f}"],
    ]
    spread = ", ".join(f"{v:.2f}" for v in results["latent_std_of_channels"])
    return f"""# An autoencoder for latents

{made_by(NAME)}

{results["weights"]:,} weights, {results["steps"]} steps of 4 crops of 32 × 32;
{results["patches"]} patches of photographs that were not trained on.

{table(heading, rows, words=1)}

{verdicts(claims(results))}

The deviation of each channel of the scaled latents: {spread}.

{origin(results)}
"""


def main() -> None:
    """Train, or go on where it was interrupted; judge, publish."""
    options = parser(__doc__, NAME)
    options.add_argument("--workdir", type=Path, default=Path("runs/kl-autoencoder"))
    options = options.parse_args()
    if not options.smoke:
        return judge(options, experiment(), options.workdir, photographs(), others())
    jax.config.update("jax_disable_most_optimizations", True)  # compiling is nearly all of it

    def generated() -> Synthetic:
        return Synthetic(size=3 * SIDE)

    run = dataclasses.replace(experiment(), source=generated, steps=4, batch=2, crop=16)
    with tempfile.TemporaryDirectory() as folder:
        judge(options, run, Path(folder), generated(), generated())


def judge(
    options: argparse.Namespace, run: Experiment, workdir: Path, seen: Source, new: Source
) -> None:
    """Train and publish what comes of it."""
    state = train(run, workdir)
    whole(state, run)
    figures = judged(run.denoiser(state.ema[0]), seen, new)
    results = {**stamp(), "steps": run.steps, "weights": NETWORK.size(), **figures}
    publish(options, results, page)


if __name__ == "__main__":
    main()
