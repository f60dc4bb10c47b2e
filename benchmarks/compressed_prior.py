"""What is left of the shipped prior in fewer bits and with fewer channels: size, PSNR, error by noise level, time.

    python benchmarks/compressed_prior.py [--steps 600] [--rounds 40]    about four minutes on one core
    python benchmarks/compressed_prior.py --smoke                        a small part of it, nothing is written

The prior as it ships (float32), its kernels in bfloat16 and in int8 with a scale for each channel of the output, and a
third of the channels inside of its blocks removed (which leaves multiples of 16, as fast convolutions have them),
before and after a short training on the photographs of `experiments/natural_prior.py` (batches of 8 crops of 48 × 48,
the rest as there). The size is that of model.safetensors. PSNR (RGB, clipped) is of one estimate for noise of σ = 15,
25, 50 of 255, the mean over the middles, 128 × 128, of the five photographs of Set5 and six of McMaster, none of which
was trained on; all see the same noise. The error by level is the root mean square of the difference from float32's
estimate, in grey levels of 255, at σ from 1 to 1000 of 255. Time is that of one compiled evaluation of one such image
over float32's, the median and quartiles of interleaved rounds: what is stored is unpacked before it is computed with,
so fewer bits do not make it faster.
"""

import argparse
import dataclasses
import json
import shlex
import statistics
import sys
import tempfile
from pathlib import Path

import jax
import jax.numpy as jnp
from sampler_overhead import ratios

import jaxir
from jaxir.data import Synthetic, image_files, middle, read_image
from jaxir.denoisers import NetworkDenoiser
from jaxir.metrics import psnr
from jaxir.networks import BFloat16, Int8, Network, Quantised, prune
from jaxir.pretrained import save_denoiser
from jaxir.provenance import provenance
from jaxir.training import train

sys.path.insert(0, str(Path(__file__).parents[1] / "experiments"))
import natural_prior

RESULT = Path(__file__).parent / "results" / "compressed_prior.json"
SHARE, SIDE = 1 / 3, 128
SIGMAS = (15, 25, 50)
LEVELS = (1, 3, 10, 30, 100, 300, 1000)
MOST_LOST = {"bfloat16": 0.3, "int8": 0.3, "pruned, trained": 0.5}
"""Of PSNR in dB, at any level."""


def photographs():
    """The middles of those of Set5 and McMaster."""
    sets = natural_prior.DATA / "testsets"
    files = [*image_files(sets / "set5" / "hr"), *image_files(sets / "mcmaster6")]
    return jnp.stack([jnp.asarray(middle(read_image(file), SIDE)) for file in files])


@jax.jit
def estimates(denoiser, images, sigma):
    """E[x0 | x] at noise of σ of 255, the same noise whatever the denoiser."""
    noise = 2 * sigma / 255
    t = denoiser.process.time(-jnp.log(noise))
    noisy = images + noise * jax.random.normal(jax.random.key(0), images.shape)
    return jax.lax.map(lambda x: denoiser(denoiser.process.coefficients(t).a * x, t), noisy)


def score(found, clean):
    """The mean PSNR of images, of RGB and clipped."""
    return float(jnp.mean(jax.vmap(psnr)(jnp.clip(found, -1, 1), clean)))


def apart(denoiser, prior, images, sigma):
    """The root mean square of the difference of two estimates, in grey levels."""
    difference = estimates(denoiser, images, sigma) - estimates(prior, images, sigma)
    return 127.5 * float(jnp.sqrt(jnp.mean(difference**2)))


def measured(name, denoiser: NetworkDenoiser, network: Network, prior, images, rounds):
    """A row of the table; `prior` is float32's denoiser."""
    with tempfile.TemporaryDirectory() as folder:
        save_denoiser(folder, denoiser, network)
        size = (Path(folder) / "model.safetensors").stat().st_size
    row = {"name": name, "weights": network.size(), "bytes": size}
    row["psnr"] = {s: score(estimates(denoiser, images, float(s)), images) for s in SIGMAS}
    row["error_by_level"] = {s: apart(denoiser, prior, images, float(s)) for s in LEVELS}
    if rounds and denoiser is not prior:
        once = jax.jit(lambda denoiser: denoiser(images[0], jnp.asarray(0.3)))
        found = ratios(lambda: once(denoiser), lambda: once(prior), rounds)
        quarter = len(found) // 4
        row["time_ratio"] = statistics.median(found)
        row["time_ratio_quartiles"] = [found[quarter], found[-1 - quarter]]
    return row


def pruned(prior, network, steps, smoke):
    """The smaller network, with the weights that were left and with those that learnt again."""
    smaller, params = prune(network, prior.params, SHARE)
    run = dataclasses.replace(
        natural_prior.experiment(),
        network=smaller,
        steps=steps,
        batch=8,
        crop=48,
        validation=None,
    )
    if smoke:
        run = dataclasses.replace(run, source=lambda: Synthetic(size=48), batch=2, crop=16)
    before = run.denoiser(params)
    with tempfile.TemporaryDirectory() as folder:
        state = train(run, folder, initial=before)
    return smaller, before, run.denoiser(state.ema[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--smoke", action="store_true", help="two tiny steps, no file")
    options = parser.parse_args()
    if options.smoke:
        jax.config.update("jax_disable_most_optimizations", True)
        options.steps, options.rounds = 2, 0
    prior = jaxir.load("natural-prior")
    network = prior.apply.__self__  # `apply` is a method of the network
    images = jnp.zeros((1, 16, 16, 3)) if options.smoke else photographs()
    rows = [measured("float32", prior, network, prior, images, 0)]
    for name, storage in (("bfloat16", BFloat16()), ("int8", Int8())):
        stored = Quantised(network, storage)
        denoiser = dataclasses.replace(prior, params=stored.pack(prior.params), apply=stored.apply)
        rows.append(measured(name, denoiser, stored, prior, images, options.rounds))
    smaller, *both = pruned(prior, network, options.steps, options.smoke)
    for name, denoiser in zip(("pruned", "pruned, trained"), both, strict=True):
        rows.append(measured(name, denoiser, smaller, prior, images, options.rounds))
    first = rows[0]
    for row in rows:
        row["lost"] = max(first["psnr"][s] - row["psnr"][s] for s in SIGMAS)
        figures = ", ".join(f"{row['psnr'][s]:.2f}" for s in SIGMAS)
        print(
            f"{row['name']:16} {row['weights']:9,} weights {row['bytes'] / 1e6:6.2f} MB  {figures} dB, at most "
            f"{row['lost']:.3f} lost  {row.get('time_ratio', 1):.2f} of the time"
        )
    if options.smoke:
        return
    record = {
        "command": shlex.join(["python", *sys.argv]),
        "protocol": " ".join(__doc__.split("\n\n")[2].split()),
        "steps": options.steps,
        "rounds": options.rounds,
        "share_removed": SHARE,
        "provenance": provenance(),
        "rows": rows,
    }
    RESULT.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    for row in rows:
        assert row["lost"] < MOST_LOST.get(row["name"], float("inf")), row["name"]


if __name__ == "__main__":
    main()
