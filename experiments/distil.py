"""Progressive distillation of a prior: students that make one step of two, each the teacher of the next.

Command: python experiments/distil.py --workdir runs/distil       of the shipped prior, from 8 steps to 2
         python experiments/distil.py --smoke                     a few tiny steps, nothing is kept
         python experiments/distil.py --teacher runs/natural-prior --evaluations 1
Data: 384 photographs of BSDS500, from the folder that JAXIR_DATA names.
Published: FID 2.57, 3.00 and 4.51 on CIFAR-10 with 8, 4 and 2 steps [salimans2022distillation], which needs
    Inception's features and a prior of CIFAR-10; here students are judged by what they are told.
Measured figures: none yet, it has not been trained in full.

DDIM begins at photographs in noise of σ/a = 1, where this prior still sees them. The truth of every student is the end
of the first teacher's flow, 64 steps of it, and its rival that teacher in as few steps. Every student is a folder of
weights in the workdir, under the teacher and its number of steps, and a run that was interrupted goes on.
"""

import argparse
import dataclasses
import itertools
import tempfile
from pathlib import Path

import jax
import jax.numpy as jnp
from _photographs import adam, others, photographs, whole

from jaxir.data import Source, Synthetic, middle
from jaxir.denoisers import NetworkDenoiser
from jaxir.metrics import psnr
from jaxir.networks import UNet
from jaxir.pretrained import load, model_of
from jaxir.processes import VP, log_snr_times
from jaxir.samplers import Discrete
from jaxir.training import Experiment, halving, halvings, train
from jaxir.typing import Images, Times

COUNT, SIDE, NOISE, FLOW = 8, 64, 1.0, 64
"""Photographs that are judged, their side, σ/a where sampling begins, and the steps that are taken for the flow."""


def states(process: VP, source: Source, start: float) -> Images:
    """Middles of photographs in the noise of a time."""
    crops = [middle(source[i], SIDE) for i in range(min(COUNT, len(source)))]
    images = jnp.stack(crops).astype(jnp.float32) / 127.5 - 1
    return process.marginal(images, start).sample(jax.random.key(0))


@jax.jit
def drawn(denoiser: NetworkDenoiser, times: Times, noisy: Images) -> Images:
    """Where DDIM leads along these times."""
    sampler, count = Discrete(), len(times)

    def one(x: jax.Array) -> jax.Array:
        state = sampler.init(denoiser, x, times, None)
        state = sampler.run(jax.random.key(0), denoiser, state, times, None, 0, count)
        return sampler.finish(denoiser, state, times, None).x0_hat

    return jax.lax.map(one, noisy)


def student_of(run: Experiment, teacher: NetworkDenoiser, folder: Path) -> NetworkDenoiser:
    """The trained student, who may be there already."""
    whole(train(run, folder, initial=teacher), run)
    return load(folder / "model")


def experiment(teacher: NetworkDenoiser, updates: int) -> Experiment:
    """What all students share."""
    return Experiment(
        name="distilled",
        source=photographs,
        network=teacher.apply.__self__,  # `apply` is a method of the network
        process=teacher.process,
        optimizer=adam(2e-4),
        steps=updates,
        batch=16,
        crop=64,
    )


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--workdir", type=Path, default=Path("runs/distil"))
    options.add_argument("--teacher", default="natural-prior", help="shipped weights or a run")
    options.add_argument("--times", type=int, default=8, help="steps of the teacher")
    options.add_argument("--evaluations", type=int, default=2, help="steps of the last student")
    options.add_argument("--updates", type=int, default=5_000, help="of each student")
    options.add_argument("--smoke", action="store_true", help="a few tiny steps, nothing is kept")
    chosen = options.parse_args()
    if not chosen.smoke:
        teacher = load(model_of(chosen.teacher))
        base = experiment(teacher, chosen.updates)
        folder = chosen.workdir / f"{Path(chosen.teacher).name}-{chosen.times}"
        return run(folder, teacher, base, others(), chosen.times, chosen.evaluations)
    jax.config.update("jax_disable_most_optimizations", True)  # compiling is nearly all of it
    network = UNet(widths=(8, 8), blocks=(1, 1), embedding=8)
    params = network.init(jax.random.key(0))
    teacher = NetworkDenoiser(VP(), params, network.apply)

    def waves() -> Synthetic:
        return Synthetic(size=SIDE)

    base = dataclasses.replace(
        experiment(teacher, 4), source=waves, batch=2 * jax.device_count(), crop=16
    )
    with tempfile.TemporaryDirectory() as folder:
        run(Path(folder), teacher, base, waves(), 4, 2)


def run(
    workdir: Path,
    teacher: NetworkDenoiser,
    base: Experiment,
    source: Source,
    count: int,
    evaluations: int,
) -> None:
    """Train the students, and print how near to the flow they and the teacher come."""
    process, first = teacher.process, teacher
    grids = halvings(log_snr_times(process, count, sigma_max=NOISE), evaluations)
    noisy = states(process, source, grids[0][0])
    flow = drawn(first, log_snr_times(process, FLOW, sigma_max=NOISE), noisy)
    for times, shorter in itertools.pairwise(grids):
        student = halving(base, teacher, times)
        teacher = student_of(student, teacher, workdir / student.name)
        near = [
            float(jnp.mean(jax.vmap(psnr)(drawn(denoiser, grid, noisy), flow)))
            for denoiser, grid in (
                (teacher, shorter),
                (first, log_snr_times(process, len(shorter), sigma_max=NOISE)),
            )
        ]
        print(
            f"{len(shorter)} steps: the student is {near[0]:.2f} dB from the flow, the teacher {near[1]:.2f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
