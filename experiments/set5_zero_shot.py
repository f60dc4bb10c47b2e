"""Set5, seven tasks, every zero-shot method that admits them, with the prior that comes with jaxir.

Command: python experiments/set5_zero_shot.py             about 25 minutes on one core
         python experiments/set5_zero_shot.py --smoke     one image and task, nothing is written
Result: benchmarks/results/set5_zero_shot.json, and the page that it makes, docs/scoreboards/set5_zero_shot.md.

It is `jaxir bench` over the five photographs of Set5, none of which the prior has seen: the middle 64 × 64 pixels,
noise of 0.05 of [0, 1] in every task, and one setting of a method for all tasks, its default. DDNM, RePaint, ILVR and
MCG are for measurements without noise, particles need more of them than fit here, and DAPS has five times the
evaluations: they are not in the table. Of DPS there is the automatic strength, which benchmarks/strength.py holds
against the published step.
"""

import argparse
import json
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from _scoreboard import (
    ROOT,
    Claim,
    Results,
    made_by,
    origin,
    parser,
    publish,
    stamp,
    table,
    verdicts,
)

from jaxir.cli.bench import bench
from jaxir.cli.tasks import TASKS

NAME = "set5_zero_shot"
DATA = Path(os.environ.get("JAXIR_DATA", ROOT.parent / "shared" / "data"))
IMAGES = DATA / "testsets" / "set5" / "hr"
METHODS = (
    "diffpir",
    "mmps",
    "pigdm",
    "dps",
    "ddrm",
    "ddnm_plus",
    "reddiff",
    "dpir",
)


def measure(options: argparse.Namespace) -> Results:
    """What `jaxir bench` stores."""
    small = {"count": 1, "size": 32, "steps": 3, "samples": 2} if options.smoke else {}
    full = {"count": 5, "size": 64, "steps": 40, "samples": 2}
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "bench.json"
        bench(
            IMAGES,
            output,
            tasks=("random",) if options.smoke else tuple(TASKS),
            methods=METHODS[:2] if options.smoke else METHODS,
            seed=options.seed,
            **{**full, **small},
        )
        return json.loads(output.read_text("utf-8")) | stamp()


def rows_of(results: Results, task: str) -> list[Results]:
    """Those of a task: the input, the classical methods, the methods."""
    return [row for row in results["mean"] if row["task"] == task]


def shown(value: float | None, form: str) -> str:
    return "–" if value is None else format(value, form)


def summary(results: Results, tasks: Sequence[str]) -> str:
    """PSNR of the mean of the samples, methods by tasks; the best of each task in bold."""
    found = {task: {r["method"]: r["psnr"] for r in rows_of(results, task)} for task in tasks}
    methods = list(dict.fromkeys(method for task in tasks for method in found[task]))
    best = {task: max(v for v in found[task].values() if v is not None) for task in tasks}
    lines = []
    for method in sorted(methods, key=lambda name: name not in ("input", "Wiener", "TV")):
        values = [found[task].get(method) for task in tasks]
        texts = [shown(value, ".2f") for value in values]
        lines.append(
            [method]
            + [
                f"**{text}**" if value == best[task] else text
                for text, value, task in zip(texts, values, tasks, strict=True)
            ]
        )
    return table(["method", *tasks], lines, words=1)


def details(results: Results, task: str) -> str:
    """All columns of one task."""
    lines = []
    for row in rows_of(results, task):
        interval = results["intervals"].get(f"{task}/{row['method']}")
        gain = shown(row["over_baseline"], "+.2f")
        if interval:
            gain += f" ({interval[0]:+.2f} to {interval[1]:+.2f})"
        lines.append(
            [
                row["method"],
                shown(row["psnr"], ".2f"),
                shown(row["single"], ".2f"),
                shown(row["ssim"], ".3f"),
                gain,
                shown(row["evaluations"], "d"),
                shown(row["seconds"], ".1f"),
            ]
        )
    heading = ["method", "mean", "one sample", "SSIM", "over classical", "evaluations", "seconds"]
    return table(heading, lines, words=1)


def claims(results: Results) -> list[Claim]:
    """The best method of every task against the best classical one."""
    found = []
    for task in dict.fromkeys(row["task"] for row in results["mean"]):
        gains = [(r["over_baseline"], r["method"]) for r in rows_of(results, task)]
        gain, method = max((g, m) for g, m in gains if g is not None)
        text = f"{task}: a method beats the best classical one"
        found.append((text, f"{method}, {gain:+.2f} dB", gain > 0))
    return found


def page(results: Results) -> str:
    """The Markdown page of stored results."""
    protocol, tasks = results["protocol"], list(dict.fromkeys(r["task"] for r in results["mean"]))
    parts = [
        "# Set5, zero-shot",
        made_by(NAME),
        f"The middle {protocol['size']} × {protocol['size']} pixels of {len(protocol['images'])} photographs, noise of "
        f"{protocol['noise']} of [0, 1] in every task, {protocol['steps']} steps, prior `{protocol['prior']}`; PSNR of "
        f"the mean of {protocol['samples']} samples in RGB, dB, mean over images, the best of a task in bold. The "
        "weights of classical methods are tuned on training photographs, those of the methods are their defaults. A "
        "dash: the method does not admit the task, for the reason below.",
        summary(results, tasks),
        *(f"- {'; '.join(pairs)}: {reason}" for reason, pairs in results["left_out"].items()),
    ]
    for task in tasks:
        title = TASKS[task].title
        parts += [f"## {task}: {title}", details(results, task)]
    parts += [
        "*one sample*: the mean PSNR of single samples, which is what most papers print. *over classical*: gain of the "
        "mean over the best of the classical methods, image by image, with its 95 % bootstrap interval. *seconds*: of "
        f"wall clock for the {protocol['samples']} samples, compilation included, on a machine with other work too.",
        "## What it shows",
        verdicts(claims(results)),
        origin(results),
    ]
    return "\n\n".join(parts) + "\n"


def main() -> None:
    found = parser(__doc__, NAME)
    found.add_argument("--seed", type=int, default=0)
    options = found.parse_args()
    if not IMAGES.is_dir():
        print(f"{IMAGES} does not exist: set JAXIR_DATA to the folder of development data")
        raise SystemExit(0 if options.smoke else 1)
    publish(options, measure(options), page)


if __name__ == "__main__":
    main()
