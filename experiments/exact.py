"""Every method where the posterior is a formula and the denoiser exact: what is wrong is the method's own.

Command: python experiments/exact.py             about 9 minutes on one core
         python experiments/exact.py --smoke     a problem of each kind, nothing is written
Result: benchmarks/results/exact.json, and the page that it makes, docs/scoreboards/exact.md.

Three kinds of problem, `jaxir.cli.beds`, all in float64 on VP with times equally spaced in log-SNR:
- a Gaussian of 16 pixels seen at half the size: error of the mean, spectrum of the covariance, coverage;
- the mixture of 25 Gaussians of MCGDiff in 8 dimensions, two of them seen: distances and modes;
- fields of 32 × 32 pixels, blurred, reduced, with pixels missing: what the mean of 64 samples loses.

A method has its default settings. MMPS solves for as many directions as there are values of y, 4 and 2, and in the
fields for 8. Methods with particles have all samples in one run, EnKG in four. DDNM, RePaint, ILVR and MCG are for
measurements without noise, FPS is for few dimensions, BlindDPS and EM do not know the operator: they are not in the
table.

The squared error of an estimate m is on average that of the posterior mean plus |m − μ|², so the mean of samples loses
10 log₁₀(1 + e²) dB of PSNR, e the error of the mean in deviations; the mean of n exact draws has e² = 1/n.
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
from jax.scipy.stats import norm

from jaxir.cli.beds import parse_bed
from jaxir.cli.contenders import parse_contender
from jaxir.cli.judge import Case, cases, floor, prior, sampled
from jaxir.processes import VP
from jaxir.samplers import Samples
from jaxir.testbeds import mean_error, sliced_w1, weight_error, whitened_covariance
from jaxir.typing import Key, Scalar

NAME = "exact"


class Board(NamedTuple):
    """One table.

    Attributes:
        beds: the problems' names.
        rows: method and number of times, in the notation of `jaxir bench exact`.
        problems: of each bed.
        samples: of each problem.
        measures: what is measured on one problem; a covariance is averaged over problems and becomes a spectrum.
    """

    beds: Sequence[str]
    rows: Sequence[tuple[str, int]]
    problems: int
    samples: int
    measures: dict[str, Callable[[Key, Case, Samples], Scalar]]


def error(key: Key, case: Case, drawn: Samples) -> Scalar:
    return mean_error(drawn.images, case.posterior.mean, case.posterior.std)


def spectrum(key: Key, case: Case, drawn: Samples) -> Scalar:
    return whitened_covariance(drawn.images, case.posterior.covariance)


def coverage(key: Key, case: Case, drawn: Samples) -> Scalar:
    """The posterior's probability of the samples' interval from 5 % to 95 %, mean over pixels."""
    n = len(drawn.images)
    level = (jnp.array([0.05, 0.95]) * (n + 1) - 1) / (n - 1)  # those cover 90 % on average
    low, high = jnp.quantile(drawn.images, level, axis=0)
    mean, std = case.posterior.mean, case.posterior.std
    return jnp.mean(norm.cdf((high - mean) / std) - norm.cdf((low - mean) / std))


def distance(key: Key, case: Case, drawn: Samples) -> Scalar:
    slices, others = jax.random.split(key)
    exact = case.posterior.sample(others, len(drawn.images))
    return sliced_w1(slices, drawn.images, exact, slices=300)


def wrong_mode(key: Key, case: Case, drawn: Samples) -> Scalar:
    law = case.posterior
    return weight_error(jax.vmap(law.responsibilities)(drawn.images), law.weights)


def steps(methods: str, *numbers: int) -> list[tuple[str, int]]:
    """Each method with each number of times."""
    return [(method, count) for method in methods.split() for count in numbers]


SIMPLE = "pigdm tmpd dps dps_published diffpir ddnm_plus ddrm dpir admm reddiff"
BOARDS = {
    "gaussian": Board(
        ["gaussian"],
        [
            *steps("conditional mmps(steps=4)", 50, 200, 1000),
            *steps("mmps(steps=4,eta=0.0)", 50, 200),
            *steps(SIMPLE, 100),
            ("ddrm", 20),
            ("daps", 50),
            *steps("tds(particles=2000) mcgdiff(particles=2000)", 100),
            *steps("enkg(particles=500)", 50),
        ],
        problems=5,
        samples=2000,
        measures={"error": error, "spectrum": spectrum, "coverage": coverage},
    ),
    "mixture": Board(
        ["mixture"],
        [
            *steps(f"conditional mmps(steps=2) {SIMPLE} daps", 50),
            *steps("tds(particles=2000,variance=129.0) mcgdiff(particles=2000)", 50),
            *steps("enkg(particles=500)", 50),
        ],
        problems=10,
        samples=2000,
        measures={"error": error, "distance": distance, "wrong mode": wrong_mode},
    ),
    "fields": Board(
        ["field-blur", "field-reduction", "field-inpainting"],
        steps("conditional mmps(steps=8) pigdm tmpd dps diffpir ddnm_plus ddrm", 100),
        problems=3,
        samples=64,
        measures={"error": error, "coverage": coverage},
    ),
}


@functools.partial(jax.jit, static_argnums=0)
def measured(one: Callable, key: Key, case: Case, drawn: Samples) -> Scalar:
    """One figure of one problem."""
    return one(key, case, drawn)


def figures(board: Board, drawn: Sequence[Samples], problems: Sequence[Case]) -> Results:
    """What is measured, over the problems; None where samples are not finite."""
    found = {}
    for name, one in board.measures.items():
        values = [
            np.asarray(measured(one, jax.random.fold_in(case.key, 3), case, Samples(d.images, {})))
            for case, d in zip(problems, drawn, strict=True)
        ]
        mean = np.mean(values, axis=0)
        if name == "error":
            mean = np.sqrt(np.mean(np.square(values)))
        if mean.ndim == 2:
            mean = np.linalg.eigvalsh(mean)[[0, -1]] if np.isfinite(mean).all() else mean[:2, 0]
        found[name] = [round(float(v), 4) if np.isfinite(v) else None for v in np.atleast_1d(mean)]
    return found


def judged(board: Board, bed: str, options: argparse.Namespace) -> list[Results]:
    """The rows of one bed: exact draws, the prior, every method."""
    problems = cases(jax.random.key(options.seed), parse_bed(bed), board.problems)
    rows = []
    chosen = [("exact draws", 0), ("prior", 0), *board.rows]
    for method, count in chosen:
        draw = {"exact draws": floor, "prior": prior}.get(method) or functools.partial(
            sampled, contender=parse_contender(method), process=lambda lift: VP(), steps=count
        )
        row = {"bed": bed, "method": method, "times": count or None}
        started = time.process_time()
        try:
            drawn = [jax.block_until_ready(draw(case, board.samples)) for case in problems]
        except FloatingPointError as reason:
            rows.append(row | {"failed": str(reason).split(":")[0]})
        else:
            evaluations = drawn[0].diagnostics.get("evaluations")
            rows.append(
                row
                | {"evaluations": evaluations}
                | figures(board, drawn, problems)
                | {"processor_seconds": round(time.process_time() - started, 1)}
            )
        print(rows[-1], flush=True)
    return rows


def measure(options: argparse.Namespace) -> Results:
    """Everything that is stored."""
    found = {}
    with jax.enable_x64(True):
        for name in options.boards:
            board = BOARDS[name]
            if options.smoke:
                quick = [(board.rows[0][0], 4)]
                board = board._replace(beds=board.beds[:1], rows=quick, problems=1, samples=99)
            found[name] = [row for bed in board.beds for row in judged(board, bed, options)]
    return {**stamp(), "seed": options.seed, "boards": found}


def number(value: float | None, form: str) -> str:
    return "∞" if value is None else format(value, form)


def cells(row: Results) -> list[str]:
    """What every table begins with."""
    return [
        row["method"],
        *(number(row[k], ".0f") if row.get(k) else "–" for k in ("times", "evaluations")),
    ]


def loss(row: Results) -> float:
    """In dB of PSNR, of the mean of the samples to the posterior mean."""
    (e,) = row["error"]
    return math.inf if e is None else 10 * math.log10(1 + e**2)


def gaussian(rows: Sequence[Results]) -> str:
    heading = [
        "method",
        "times",
        "evaluations",
        "mean error (sd)",
        "cov min",
        "cov max",
        "coverage of 90 %",
    ]
    lines = []
    for row in rows:
        if "failed" in row:
            lines.append([*cells(row), *4 * ["∞"]])
            continue
        low, high = row["spectrum"]
        numbers = [number(v, ".2f") for v in (low, high)]
        lines.append(
            [
                *cells(row),
                number(row["error"][0], ".3f"),
                *numbers,
                number(row["coverage"][0], ".1%"),
            ]
        )
    return table(heading, lines, words=1)


def mixture(rows: Sequence[Results]) -> str:
    heading = [
        "method",
        "times",
        "evaluations",
        "mean error (sd)",
        "sliced W1",
        "in the wrong mode",
    ]
    lines = [
        [*cells(row), *3 * ["∞"]]
        if "failed" in row
        else [
            *cells(row),
            number(row["error"][0], ".2f"),
            number(row["distance"][0], ".2f"),
            number(row["wrong mode"][0], ".0%"),
        ]
        for row in rows
    ]
    return table(heading, lines, words=1)


def fields(rows: Sequence[Results]) -> str:
    beds = list(dict.fromkeys(row["bed"] for row in rows))
    methods = list(dict.fromkeys(row["method"] for row in rows))
    lines = []
    for method in methods:
        of = [next(r for r in rows if (r["bed"], r["method"]) == (bed, method)) for bed in beds]
        losses = ["∞" if "failed" in r else f"{loss(r):.3f}" for r in of]
        covers = ["–" if "failed" in r else number(r["coverage"][0], ".0%") for r in of]
        lines.append([*cells(of[0]), *losses, *covers])
    heading = [f"{bed.removeprefix('field-')}, dB" for bed in beds] + [
        f"{bed.removeprefix('field-')}, coverage" for bed in beds
    ]
    return table(["method", "times", "evaluations", *heading], lines, words=1)


def claims(results: Results) -> list[Claim]:
    """What was to be shown."""
    found = []
    boards = results["boards"]
    for row in boards.get("gaussian", []):
        if row["method"].startswith("mmps(steps=4)") and row["times"] == 1000:
            (e,), (low, high), (cover,) = row["error"], row["spectrum"], row["coverage"]
            found += [
                ("MMPS at 1000 steps: mean within 0.05 deviations", f"{e:.3f}", e < 0.05),
                (
                    "MMPS at 1000 steps: covariance 0.85 to 1.15 of the exact one",
                    f"{low:.2f} to {high:.2f}",
                    low >= 0.85 and high <= 1.15,
                ),
                (
                    "MMPS at 1000 steps: its 90 % intervals cover 86 % to 94 %",
                    f"{cover:.1%}",
                    0.86 <= cover <= 0.94,
                ),
            ]
    calibrated = [r for r in boards.get("fields", []) if r["method"].startswith(("mmps", "cond"))]
    for row in calibrated:
        found.append(
            (
                f"{row['method']} on {row['bed']}: the mean of 64 samples is within 0.2 dB of the posterior mean",
                f"{loss(row):.3f}",
                loss(row) < 0.2,
            )
        )
    return found


SHOWN = {
    "gaussian": (
        "A Gaussian",
        "16 pixels with a photograph's variance, means of 2 × 2 seen with noise of 0.1; 2,000 samples of each of 5 "
        "problems. *cov min* and *cov max* are the extreme eigenvalues of the samples' covariance whitened by the "
        "exact one, below 1 is over-confident; *coverage* is what the samples' 90 % interval has of the posterior.",
        gaussian,
    ),
    "mixture": (
        "A mixture",
        "25 Gaussians in 8 dimensions of which two are seen, 2,000 samples of each of 10 problems. Sliced W1 is along "
        "300 directions; the last column is the share of the samples that are not in the modes of the posterior.",
        mixture,
    ),
    "fields": (
        "Fields",
        "32 × 32 pixels of a soft field, noise 0.1: blurred by 1.6 pixels, means of 4 × 4, 70 % of pixels missing; 64 "
        "samples of each of 3 problems. *dB*: how far the PSNR of the mean of the samples is below that of the exact "
        "posterior mean, the best there is; the mean of 64 exact draws loses 0.067.",
        fields,
    ),
}


def page(results: Results) -> str:
    """The Markdown page of stored results."""
    parts = [
        "# Where the posterior is known",
        made_by(NAME),
        "The denoiser is exact, so that what is wrong is the method's own. *exact draws* are of the posterior itself, "
        "what no method can be told from; *prior* has not seen the measurement; ∞: not all samples are finite.",
    ]
    for name, rows in results["boards"].items():
        title, words, show = SHOWN[name]
        parts += [f"## {title}", words, show(rows)]
    seconds = sum(
        row.get("processor_seconds", 0) for rows in results["boards"].values() for row in rows
    )
    parts += [
        "## What it was to show",
        verdicts(claims(results)),
        f"Processor time: {seconds:.0f} s. {origin(results)}",
    ]
    return "\n\n".join(parts) + "\n"


def main() -> None:
    found = parser(__doc__, NAME)
    found.add_argument("--boards", nargs="+", choices=BOARDS, default=list(BOARDS))
    found.add_argument("--seed", type=int, default=0)
    options = found.parse_args()
    if options.smoke:  # compiling is nearly all of it
        jax.config.update("jax_disable_most_optimizations", True)
    publish(options, measure(options), page)


if __name__ == "__main__":
    main()
