"""Pixels against a latent: the same process, the same budget, the quality and the time of a step.

Command: python experiments/pixel_vs_latent.py             about an hour on one core
         python experiments/pixel_vs_latent.py --smoke     a few tiny steps, nothing is written
Result: benchmarks/results/pixel_vs_latent.json, and the page that it makes, docs/scoreboards/pixel_vs_latent.md.

The second experiment that the survey asks for [he2024survey]. IR-SDE takes off rain in pixels (`irsde_derain.py`) and
in the latent of an autoencoder whose decoder is shown features of the rainy photograph (`refusion_latent.py`), each
trained for the same number of steps of 8 crops of 48 × 48; the autoencoder's training comes on top. Judged on the
middles of eight photographs that were not trained on; a step of the sampler is timed on 64 × 64 pixels, a batch of 8,
as the median of interleaved rounds.
"""

import dataclasses
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import irsde_derain
import jax
import jax.numpy as jnp
import refusion_latent
from _photographs import whole
from _scoreboard import Claim, Results, made_by, origin, parser, publish, stamp, table, verdicts

from jaxir.data import Synthetic
from jaxir.denoisers import NetworkDenoiser
from jaxir.training import Experiment, train

NAME = "pixel_vs_latent"
STEPS, ROUNDS, BATCH, SIDE = 3_000, 15, 8, 64


def budget(run: Experiment, smoke: bool) -> Experiment:
    """The same for all runs."""
    if not smoke:
        return dataclasses.replace(run, steps=STEPS, batch=8, crop=48)

    def images() -> Synthetic:
        return Synthetic(size=32)

    return dataclasses.replace(run, steps=2, batch=2, crop=16, source=images, validation=images)


def trained(run: Experiment) -> tuple[NetworkDenoiser, Results]:
    """The denoiser, and what the preview says of it."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        state = train(dataclasses.replace(run, validation=None), folder)
        whole(state, run)
        seconds = time.perf_counter() - began
        denoiser = run.denoiser(state.ema[0])
        figures = run.preview(Path(folder) / "judged.png", denoiser, run.validation())
    return denoiser, {
        "weights": run.network.size(),
        "training_seconds": round(seconds, 1),
        **{name: round(value, 3) for name, value in figures.items()},
    }


def evaluation(denoiser: NetworkDenoiser, shape: tuple[int, int, int]) -> Callable[[], jax.Array]:
    """One call of the network, compiled, for a batch."""
    x, y = jax.random.normal(jax.random.key(0), (2, BATCH, *shape))
    estimate = jax.jit(jax.vmap(lambda d, x, y: d(x, jnp.asarray(0.5), y), (None, 0, 0)))
    jax.block_until_ready(estimate(denoiser, x, y))
    return lambda: estimate(denoiser, x, y)


def milliseconds(calls: list[Callable[[], jax.Array]], rounds: int) -> list[float]:
    """The median time of each, taken in turns."""
    found: list[list[float]] = [[] for _ in calls]
    for _ in range(rounds):
        for times, call in zip(found, calls, strict=True):
            began = time.perf_counter()
            jax.block_until_ready(call())
            times.append(1e3 * (time.perf_counter() - began))
    return [statistics.median(times) for times in found]


def claims(results: Results) -> list[Claim]:
    """What a latent is for, and what it costs."""
    pixel, latent = results["pixel"], results["latent"]
    ratio = pixel["step_ms"] / latent["step_ms"]
    both = f"{latent['psnr_restored']:.2f} and {pixel['psnr_restored']:.2f} dB"
    return [
        ("a step in the latent is at least twice as fast", f"{ratio:.1f} times", ratio >= 2),
        (
            "the autoencoder gives photographs back with more than 30 dB",
            f"{results['autoencoder']['psnr_rebuilt']:.2f} dB",
            results["autoencoder"]["psnr_rebuilt"] > 30,
        ),
        (
            "restored in the latent they are as good as in pixels, within 0.5 dB",
            both,
            latent["psnr_restored"] > pixel["psnr_restored"] - 0.5,
        ),
    ]


def page(results: Results) -> str:
    """The results as Markdown."""
    heading = ["", "weights", "training, s", "rainy, dB", "restored, dB", "a step, ms"]
    rows = [
        [
            name,
            f"{found['weights']:,}",
            f"{found['training_seconds']:.0f}",
            f"{found['psnr_degraded']:.2f}",
            f"{found['psnr_restored']:.2f}",
            f"{found['step_ms']:.1f}",
        ]
        for name, found in ((name, results[name]) for name in ("pixel", "latent"))
    ]
    first = results["autoencoder"]
    return f"""# Pixels and latents

{made_by(NAME)}

Each was trained for {results["steps"]} steps; the autoencoder, of {first["weights"]:,} weights, in
{first["training_seconds"]:.0f} s before it. One sample of 20 steps.

{table(heading, rows, words=1)}

{verdicts(claims(results))}

{origin(results)}
"""


def main() -> None:
    """Train all three, time, publish."""
    options = parser(__doc__, NAME).parse_args()
    if options.smoke:
        jax.config.update("jax_disable_most_optimizations", True)  # compiling is nearly all of it
    pixel, in_pixels = trained(budget(irsde_derain.experiment(), options.smoke))
    autoencoder, rebuilt = trained(budget(refusion_latent.first(), options.smoke))
    run = budget(refusion_latent.restoring(autoencoder.params), options.smoke)
    latent, in_latents = trained(run)
    stride = refusion_latent.AUTOENCODER.stride
    inside = (SIDE // stride, SIDE // stride, refusion_latent.AUTOENCODER.latent)
    calls = [evaluation(pixel, (SIDE, SIDE, 3)), evaluation(latent, inside)]
    times = milliseconds(calls, 1 if options.smoke else ROUNDS)
    for found, step in zip((in_pixels, in_latents), times, strict=True):
        found["step_ms"] = round(step, 2)
    results = {"pixel": in_pixels, "autoencoder": rebuilt, "latent": in_latents}
    publish(options, {**stamp(), "steps": STEPS, **results}, page)


if __name__ == "__main__":
    main()
