"""The table of MCGDiff: posterior samplers on 25 Gaussians seen in one, two or four directions.

Paper: [cardoso2024mcgdiff] Table 1, with 20 steps and η = 0.6.
Command: python experiments/mcgdiff_table.py                            d = 8 and 80
         python experiments/mcgdiff_table.py --dimensions 8 80 800      all of the table
         python experiments/mcgdiff_table.py --smoke                    two small problems, nothing is written
Result: benchmarks/results/mcgdiff_table.json, and the page that it makes, docs/scoreboards/mcgdiff_table.md.

The problems are `jaxir.testbeds.mcgdiff_problem`, the same for every method. Noise has the levels ᾱ = Π (1 − β) with β
from 0.02 **down** to 1e-4 in 999 steps, and ᾱ = 1 before them. Twenty are visited: uniformly in √ᾱ as far as 0.01, with
those where a coordinate of the measurement has as much noise as the state, then uniformly in number. Only levels
matter, not what they are called, so that VP serves as the process. A distance is the mean over slices of the W1 between
the samples of a method and as many exact draws.

Where the settings need a word:
- DPS has the mean of an ancestral step and η of its noise, and moves by ζ/‖r‖ ∇‖r‖² with ζ = 0.1, which is 2ζ times the
  gradient of the norm.
- MCGDiff has batches of 1,000 particles and κ = 1e-2, here in units of the variance at the level (see its class).
- TDS has as many particles and η = 1, and is told the variance of a pixel under equal weights, 1 + 2·8².
- MMPS solves for four directions, so that its covariance is exact: it is TMPD with the whole matrix. TMPD has the row
  sums in its place, as its paper does for images; for one direction they are the same.
"""

import argparse
import functools
import math
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from _scoreboard import Claim, Results, made_by, origin, parser, publish, stamp, table, verdicts
from jaxtyping import Array

from jaxir import methods
from jaxir.degradations import Degradation
from jaxir.denoisers import Denoiser
from jaxir.guidance import PublishedDPS
from jaxir.processes import VP, Process
from jaxir.samplers import Discrete, Sampler
from jaxir.testbeds import GaussianMixture, mcgdiff_problem, sliced_w1
from jaxir.transitions import Ancestral, Correlated
from jaxir.transitions.correlated import Weights
from jaxir.typing import Images, Key, Scalar, Times

NAME = "mcgdiff_table"
STEPS, ETA, BATCH = 20, 0.6, 1000
PROCESS = VP(beta_max=20.2)
"""Its noise reaches that of the last level."""

PUBLISHED = {  # mean, half width of the 95 % interval
    (8, 1): {"MCGDiff": (1.43, 0.55), "DDRM": (5.88, 1.16), "DPS": (4.86, 1.01)},
    (8, 2): {"MCGDiff": (0.49, 0.24), "DDRM": (5.20, 1.32), "DPS": (5.79, 1.96)},
    (8, 4): {"MCGDiff": (0.38, 0.25), "DDRM": (2.49, 1.29), "DPS": (3.48, 1.52)},
    (80, 1): {"MCGDiff": (1.39, 0.45), "DDRM": (5.64, 1.10), "DPS": (4.98, 1.14)},
    (80, 2): {"MCGDiff": (0.67, 0.24), "DDRM": (7.07, 1.35), "DPS": (5.10, 1.23)},
    (80, 4): {"MCGDiff": (0.28, 0.14), "DDRM": (7.81, 1.48), "DPS": (4.28, 1.26)},
    (800, 1): {"MCGDiff": (2.40, 1.00), "DDRM": (7.44, 1.15), "DPS": (6.49, 1.16)},
    (800, 2): {"MCGDiff": (1.31, 0.60), "DDRM": (8.95, 1.12), "DPS": (6.88, 1.01)},
    (800, 4): {"MCGDiff": (0.47, 0.19), "DDRM": (8.39, 1.48), "DPS": (5.51, 1.18)},
}
"""Table 1, quoted and not re-read: to be compared with the paper before it is cited."""


Distances = Sequence[float | None]
"""From samples to the posterior, one for each problem; None where samples are not finite."""


class Problem(NamedTuple):
    """A bed, a measurement and the times at which methods visit it; or several, stacked."""

    bed: GaussianMixture
    y: Array
    times: Times


Draw = Callable[[Key, Problem, int], Images]
"""So many images for a problem."""


def alpha_bar() -> np.ndarray:
    """ᾱ of the 1000 levels, 1 first."""
    return np.cumprod(np.concatenate([[1.0], 1 - np.linspace(0.02, 1e-4, 999)]))


def visited(values: np.ndarray, sigma: float, steps: int = STEPS) -> np.ndarray:
    """The numbers of the levels that are visited, from the noisiest to 0.

    Args:
        values: s_i, the singular values.
        sigma: σ_y.
        steps: how many.
    """
    table = alpha_bar()
    root = np.sqrt(table)
    matching = {int(np.argmin(np.abs(sigma**2 * table - (1 - table) * s**2))) for s in values} - {0}
    end = int(np.argmax(root < 1e-2))
    gap = (1 - root[end]) / (steps - 1 - len(matching))
    chosen = [0]
    for level in range(1, end):
        if level in matching or root[chosen[-1]] - root[level] >= gap:
            chosen.append(level)
    rest = np.linspace(chosen[-1], len(table) - 1, steps - len(chosen) + 1)[1:]
    return np.array(chosen + np.ceil(rest).astype(int).tolist())[::-1]


def grid(bed: GaussianMixture) -> Times:
    """The times of these levels, the last of them the clean end of the span."""
    operator, sigma = bed.degradation.operator, float(bed.degradation.noise.sigma)
    table = alpha_bar()[visited(np.asarray(operator.values, float), sigma)[:-1]]
    noisy = PROCESS.time(jnp.asarray(0.5 * (np.log(table) - np.log1p(-table))))
    return jnp.append(noisy, PROCESS.span[0])


@functools.partial(jax.jit, static_argnums=(1, 2))
def beds(keys: Key, dimension: int, observed: int) -> tuple[GaussianMixture, Array]:
    """Problems and their measurements."""

    def one(key: Key) -> tuple[GaussianMixture, Array]:
        problem, measurement = jax.random.split(key)
        bed = mcgdiff_problem(problem, dimension, observed)
        return bed, bed.draw(measurement)[1]

    return jax.vmap(one)(keys)


def stacked(keys: Key, dimension: int, observed: int) -> Problem:
    """A problem for each key."""
    bed, y = beds(keys, dimension, observed)
    each = [jax.tree.map(lambda leaf, i=i: leaf[i], bed) for i in range(len(keys))]
    return Problem(bed, y, jnp.stack([grid(bed) for bed in each]))


def exact(key: Key, problem: Problem, count: int) -> Images:
    """Draws of the posterior."""
    return problem.bed.posterior(problem.y).sample(key, count)


def prior(key: Key, problem: Problem, count: int) -> Images:
    """Draws of the prior."""
    return problem.bed.prior.sample(key, count)


def sampled(
    method: Callable[..., tuple[Denoiser, Sampler]], key: Key, problem: Problem, count: int
) -> Images:
    """Samples of a method of `jaxir.methods`."""
    bed, y, times = problem
    denoiser, sampler = method(bed.denoiser(PROCESS), bed.degradation)

    def run(key: Key) -> Images:
        first, steps = jax.random.split(key)
        x = sampler.start(denoiser, jnp.zeros(bed.shape), times, y).sample(first)
        state = sampler.init(denoiser, x, times, y)
        state = sampler.run(steps, denoiser, state, times, y, 0, len(times))
        return sampler.finish(denoiser, state, times, y).x0_hat

    runs = jax.random.split(key, -(-count // getattr(sampler, "particles", 1)))
    return jax.vmap(run)(runs).reshape(-1, *bed.shape)[:count]


def mcgdiff(count: int) -> Draw:
    """Runs of MCGDiff with so many particles."""
    return functools.partial(sampled, functools.partial(methods.mcgdiff, particles=count, eta=ETA))


class Quiet(Correlated):
    """The mean of an ancestral step with η of its noise."""

    def weights(self, process: Process, t: Scalar, s: Scalar) -> Weights:
        found = Ancestral().weights(process, t, s)
        return found._replace(noise=ETA * found.noise)


def dps(denoiser: Denoiser, degradation: Degradation) -> tuple[Denoiser, Sampler]:
    """The published step from a quiet one."""
    return denoiser, Discrete(PublishedDPS(Quiet(), degradation, 0.2))


CONTENDERS: dict[str, Draw] = {
    "MCGDiff": mcgdiff(BATCH),
    "TDS": functools.partial(
        sampled, functools.partial(methods.tds, particles=BATCH, variance=129.0)
    ),
    "MMPS": functools.partial(sampled, functools.partial(methods.mmps, steps=4)),
    "TMPD": functools.partial(sampled, methods.tmpd),
    "DPS": functools.partial(sampled, dps),
    "DDRM": functools.partial(sampled, methods.ddrm),
    "floor": exact,
    "prior": prior,
}


@functools.partial(jax.jit, static_argnums=(0, 3))
def draws(draw: Draw, keys: Key, problems: Problem, count: int) -> Images:
    """`count` of them on every problem, by one program."""
    return jax.lax.map(lambda given: draw(*given, count), (keys, problems))


@functools.partial(jax.jit, static_argnums=3)
def distances(keys: Key, sets: Images, exact: Images, slices: int) -> Array:
    """Sliced W1 of every set to the exact draws, (problems, sets), along the same slices for all sets."""
    score = jax.vmap(functools.partial(sliced_w1, slices=slices), (None, 0, None))
    return jax.lax.map(lambda given: score(*given), (keys, jnp.swapaxes(sets, 0, 1), exact))


def errors(
    key: Key,
    size: tuple[int, int],
    contenders: dict[str, Draw],
    count: int,
    options: argparse.Namespace,
    *,
    runs: int = 1,
) -> Results:
    """The distance of `count` draws of each contender on every problem of this size, mean over runs."""
    started, busy = time.perf_counter(), time.process_time()
    keys = jax.random.split(key, (options.problems, 4))
    problems = stacked(keys[:, 0], *size)

    def drawn(draw: Draw, keys: Key) -> Images:
        images = draws(draw, keys, problems, runs * count)
        return images.reshape(-1, count, *images.shape[2:])

    truth = drawn(exact, keys[:, 1])
    sets = jnp.stack([drawn(draw, keys[:, 2]) for draw in contenders.values()])
    found = distances(jnp.repeat(keys[:, 3], runs), sets, truth, options.slices)
    found = np.asarray(found).reshape(options.problems, runs, -1).mean(axis=1)
    return {
        "dimension": size[0],
        "observed": size[1],
        "draws": count,
        "distances": {
            name: [round(float(v), 4) if np.isfinite(v) else None for v in column]
            for name, column in zip(contenders, found.T, strict=True)
        },
        "seconds": round(time.perf_counter() - started, 1),
        "processor_seconds": round(time.process_time() - busy, 1),
    }


def measure(options: argparse.Namespace) -> Results:
    """Everything that is stored."""
    key = jax.random.key(options.seed)

    def measured(
        size: tuple[int, int], contenders: dict[str, Draw], count: int, runs: int = 1
    ) -> Results:
        where = jax.random.fold_in(jax.random.fold_in(key, size[0]), size[1])
        row = errors(where, size, contenders, count, options, runs=runs)
        print(plain(row), flush=True)
        return row

    cells = [
        measured((dimension, observed), CONTENDERS, options.samples)
        for dimension in options.dimensions
        for observed in options.observed
    ]
    populations = [
        measured((d, 2), {"MCGDiff": mcgdiff(n), "floor": exact}, n, max(options.particles) // n)
        for d in options.dimensions
        if d <= 80
        for n in options.particles
    ]
    return {
        "protocol": {
            name: getattr(options, name) for name in ("problems", "samples", "slices", "seed")
        }
        | {"steps": STEPS, "eta": ETA, "batch": BATCH},
        **stamp(),
        "cells": cells,
        "particles": populations,
    }


def mean(values: Distances) -> float:
    """Infinite if the samples of any problem are not finite."""
    return math.inf if None in values else float(np.mean(values))


def half_width(values: Distances) -> float:
    """Of the 95 % interval of the mean."""
    return math.inf if None in values else 1.96 * float(np.std(values, ddof=1) / len(values) ** 0.5)


def shown(values: Distances) -> str:
    """The mean and its interval, or how often there is none."""
    if None in values:
        return f"∞ ({sum(value is None for value in values)} of {len(values)})"
    return f"{mean(values):.2f} ± {half_width(values):.2f}"


def plain(row: Results) -> str:
    """One cell, for the terminal."""
    means = "  ".join(f"{name} {mean(v):.2f}" for name, v in row["distances"].items())
    size = f"d {row['dimension']}, d_y {row['observed']}, {row['draws']} draws"
    return f"{size}: {means}  ({row['seconds']} s)"


def claims(results: Results) -> list[Claim]:
    """What was to be shown on the cells up to d = 80: the statement, the numbers, whether it holds."""
    small = [c["distances"] for c in results["cells"] if c["dimension"] <= 80]
    if not small:
        return []
    over = {name: float(np.mean([mean(c[name]) for c in small])) for name in small[0]}
    found = []
    for statement, first, second, share in (
        ("MCGDiff is at most half of DPS", "MCGDiff", "DPS", 0.5),
        ("MCGDiff is at most half of DDRM", "MCGDiff", "DDRM", 0.5),
        ("TDS is below DPS", "TDS", "DPS", 1.0),
        ("MMPS is below DPS", "MMPS", "DPS", 1.0),
        ("TMPD is below DPS", "TMPD", "DPS", 1.0),
    ):
        numbers = f"{over[first]:.2f} and {over[second]:.2f}"
        found.append((statement, numbers, over[first] <= share * over[second]))
    for dimension in sorted({row["dimension"] for row in results["particles"]}):
        rows = [row for row in results["particles"] if row["dimension"] == dimension]
        every = [row["distances"]["MCGDiff"] for row in rows]
        fall = np.subtract(every[0], every[-1])
        ends = f"from {rows[0]['draws']:,} to {rows[-1]['draws']:,} particles"
        numbers = (
            f"{' → '.join(f'{mean(v):.2f}' for v in every)}, problem by problem by {shown(fall)}"
        )
        falls = mean(fall) > half_width(fall)
        found.append((f"MCGDiff's error falls {ends}, d = {dimension}", numbers, falls))
    return found


def page(results: Results) -> str:
    """The Markdown page of stored results."""
    protocol = results["protocol"]
    names = list(results["cells"][0]["distances"])
    cells, quoted = [], []
    for c in results["cells"]:
        size, values = (c["dimension"], c["observed"]), c["distances"]
        cells.append([*map(str, size), *(shown(values[name]) for name in names)])
        quoted.append([*map(str, size)])
        for name, (theirs, width) in PUBLISHED.get(size, {}).items():
            apart = mean(values[name]) - theirs
            apart *= 1.96 / math.hypot(width, half_width(values[name]))
            quoted[-1].append(f"{theirs:.2f} ± {width:.2f} ({apart:+.1f})")
    populations = [
        [str(row["dimension"]), str(row["draws"]), *map(shown, row["distances"].values())]
        for row in results["particles"]
    ]
    every = results["cells"] + results["particles"]
    seconds = sum(row["processor_seconds"] for row in every if row["dimension"] <= 80)
    parts = [
        "# The table of MCGDiff",
        made_by(NAME),
        f"Sliced W1 ({protocol['slices']:,} slices) between {protocol['samples']:,} samples and as many exact draws of "
        f"the posterior, mean over {protocol['problems']} problems with the half width of its 95 % interval. Every "
        f"method has the same problems and the same {protocol['steps']} evaluations. *floor* is another set of exact "
        "draws, *prior* knows nothing of the measurement; ∞ (3 of 20): on three problems not all samples are finite.",
        table(["d", "d_y", *names], cells),
        "## Beside the published table",
        "[cardoso2024mcgdiff] Table 1, **quoted, not re-read**; in brackets how far ours is from it, in combined "
        "standard errors. Their problems are other draws of the same law.",
        table(["d", "d_y", *next(iter(PUBLISHED.values()))], quoted),
        "## Particles",
        "One run of MCGDiff with N particles on the problems with d_y = 2, and N exact draws in its place; mean over "
        "as many runs as make the largest N. What does not fall with N is the error of twenty steps.",
        table(["d", "N", "MCGDiff", "floor"], populations),
        "## What it was to show",
        "On average over the cells with d ≤ 80:",
        verdicts(claims(results)),
        "TMPD takes row sums for variances, which a dense A makes too small or negative, and overshoots; with the "
        "whole matrix it is MMPS.",
        f"Processor time of all with d ≤ 80: {seconds:.0f} s. {origin(results)}",
    ]
    return "\n\n".join(parts) + "\n"


def main() -> None:
    found = parser(__doc__, NAME)
    found.add_argument("--dimensions", type=int, nargs="+", default=[8, 80])
    found.add_argument("--observed", type=int, nargs="+", default=[1, 2, 4])
    found.add_argument("--problems", type=int, default=20)
    found.add_argument("--samples", type=int, default=2000)
    found.add_argument("--slices", type=int, default=1000)
    found.add_argument("--particles", type=int, nargs="*", default=[64, 256, 1024, 4096])
    found.add_argument("--seed", type=int, default=0)
    options = found.parse_args()
    if options.smoke:  # compiling is nearly all of it
        jax.config.update("jax_disable_most_optimizations", True)
        options.dimensions, options.observed, options.particles = [8], [2], [64]
        options.problems, options.samples, options.slices = 2, 200, 50
    publish(options, measure(options), page)


if __name__ == "__main__":
    main()
