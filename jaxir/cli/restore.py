"""`jaxir restore`: restore degraded images."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

if TYPE_CHECKING:
    from jaxtyping import Array

    from jaxir.cli.degradations import Recipe
    from jaxir.degradations import Degradation
    from jaxir.typing import Image


def restore(
    source: Annotated[Path, tyro.conf.Positional],
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])],
    degradation: str,
    method: str = "diffpir",
    steps: int = 50,
    samples: int = 4,
    chunk: int | None = None,
    seed: int = 0,
    prior: str = "natural-prior",
    save_samples: bool = False,
    save_std: bool = False,
    force: bool = False,
) -> None:
    """Restore an image, or every image of a folder, whose degradation is known.

    The mean of the samples is written; beside it, on request, each sample and the map of their deviation.

    Args:
        source: an image file or a folder.
        output: the file or folder to write.
        degradation: how the images were spoiled, as in `jaxir degrade`: "motion(15,30)|noise(0.05)". Blurs wrap
            around at the border, which a camera's do not: for a real photo let the scene go on beyond it,
            "motion(15,30)|crop(8)|noise(0.02)", and the restoration has a margin of 8 pixels more.
            gaussian(auto), motion(auto), jpeg(auto) and noise(auto) are read from each image and printed.
        method: diffpir (fast), mmps (calibrated) or another of jaxir.methods, with
            hyper-parameters as in "mmps(steps=5)".
        steps: network evaluations for each sample.
        samples: restorations to draw; their mean is written.
        chunk: samples at a time; fewer need less memory.
        seed: the same seed gives the same image; image i of a folder uses (seed, i).
        prior: weights, by name or folder.
        save_samples: also write NAME.sample-1.png, ...; of a method with particles NAME.sample-1-1.png, ..., the run
            and the particle.
        save_std: also write NAME.std.png, the deviation over samples, white at its largest. A blind method writes
            NAME.kernel.png as well, the kernel that it found.
        force: write over files that exist.
    """
    from jaxir.cli.degradations import parse_degradation
    from jaxir.cli.errors import UsageError
    from jaxir.cli.files import each, pairs
    from jaxir.cli.methods import parse_method

    recipe, chosen = parse_degradation(degradation), parse_method(method)
    for name, value in (("steps", steps), ("samples", samples), ("chunk", chunk)):
        if value is not None and value < 1:
            raise UsageError(f"--{name} is {value}, expected at least 1")
    if save_std and samples < 2:
        raise UsageError("--save-std needs --samples 2 or more: one sample has no deviation")

    def beside(out: Path) -> list[Path]:
        runs = range(1, samples + 1) if save_samples else ()
        return [
            *(_sample_file(out, *numbers) for run in runs for numbers in ((run,), (run, 1))),
            *([_std_file(out)] if save_std else []),
            _kernel_file(out),  # of a blind method
        ]

    found = pairs(source, output, force=force, beside=beside)
    import jax
    import jax.numpy as jnp
    import numpy as np

    import jaxir
    from jaxir.cli.progress import progress
    from jaxir.data import read_image, write_image
    from jaxir.restoration import restore as restore_image
    from jaxir.samplers import with_kernel

    denoiser = jaxir.load(prior)

    def work(number: int, path: Path, out: Path) -> None:
        image = jnp.asarray(read_image(path))
        grey_in = image.shape[-1] == 1 and not recipe.one_channel
        y = jnp.repeat(image, 3, axis=-1) if grey_in else image
        height, width, channels = y.shape
        known = recipe.measured(image)
        # three copies of one noise say as much as one channel with its noise, not as three of them
        sigma = known.sigma * math.sqrt(3) if grey_in else known.sigma
        plan = known._replace(sigma=sigma).for_degraded((height, width, channels))
        with progress(f"{path.name} ({number + 1}/{len(found)})") as callback:
            result = restore_image(
                y,
                plan,
                prior=denoiser,
                method=chosen,
                steps=steps,
                samples=samples,
                key=jax.random.fold_in(jax.random.key(seed), number),
                chunk=chunk,
                callback=callback,
            )

        def write(name: Path, picture: jax.Array) -> None:
            picture = picture.mean(axis=-1, keepdims=True) if grey_in else picture
            write_image(name, np.asarray(picture), overwrite=force)

        write(out, result.mean)
        if save_samples:
            runs, particles = result.chains.shape[:2]
            for run, particle in itertools.product(range(runs), range(particles)):
                numbers = (run + 1, particle + 1) if particles > 1 else (run + 1,)
                write(_sample_file(out, *numbers), result.chains[run, particle])
        if result.unknowns is not None:  # of a blind method: the kernel it found, not the guess
            kernel = jnp.mean(result.unknowns, axis=0)
            plan = with_kernel(plan, kernel)
            write(_kernel_file(out), 2 * kernel[..., None] / jnp.max(kernel) - 1)
        said = [f"{out}: {result.diagnostics['seconds']:.1f} s", _fit(known, plan, y, result.mean)]
        if save_std:
            spread = jnp.mean(result.std, axis=-1, keepdims=True)
            largest = jnp.maximum(jnp.max(spread), jnp.finfo(spread.dtype).tiny)
            write(_std_file(out), 2 * spread / largest - 1)
            said.append(f"largest deviation {float(jnp.max(spread)) / 2:.3f} of [0, 1]")
        print(", ".join(said))

    each(found, work, folder=source.is_dir())


def _sample_file(out: Path, *numbers: int) -> Path:
    return out.with_name(f"{out.stem}.sample-{'-'.join(map(str, numbers))}.png")


def _std_file(out: Path) -> Path:
    return out.with_name(f"{out.stem}.std.png")


def _kernel_file(out: Path) -> Path:
    return out.with_name(f"{out.stem}.kernel.png")


def _fit(recipe: Recipe, plan: Degradation, y: Image, restored: Image) -> str:
    """How far a restoration is from what was measured, and how far the noise lets it be."""
    import jax.numpy as jnp

    mean = plan(restored)
    told = plan.operator.told(y)

    def level(values: float | Array) -> float:
        return float(jnp.sqrt(jnp.mean(jnp.broadcast_to(values, y.shape) ** 2, where=told))) / 2

    misfit, noise = level(y - mean), f"{recipe.sigma:.4f}"
    if recipe.noise is not None:
        noise = f"{level(plan.noise.std(mean)):.4f}, {recipe.noise}"
    return f"residual {misfit:.4f} of [0, 1] ({2 * misfit:.4f} of [-1, 1]) for a noise of {noise}"
