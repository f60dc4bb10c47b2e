"""How the degraded image should enter the network: as channels, by cross-attention, or as one vector.

Command: python experiments/conditioning_compare.py             about 20 minutes on one core
         python experiments/conditioning_compare.py --smoke     a few steps of one, nothing is written
Result: benchmarks/results/conditioning_compare.json, and the page that it makes,
    docs/scoreboards/conditioning_compare.md.

The third experiment that the survey asks for [he2024survey]. One U-Net on VP draws a photograph given the same at a
quarter of its size (the pairs of `sr3.py`), with the same budget for each part and two seeds. Judged on the middles of
eight photographs that were not trained on: PSNR of one sample, 20 steps of DDIM without noise.
"""

import dataclasses
import tempfile
import time
from pathlib import Path

import numpy as np
from _photographs import adam, low_resolution, others, photographs, whole
from _scoreboard import Claim, Results, made_by, origin, parser, publish, stamp, table, verdicts

from jaxir.networks import Concatenation, CrossAttention, FiLM, UNet
from jaxir.processes import VP
from jaxir.samplers import Discrete
from jaxir.training import Experiment, Restored, train
from jaxir.transitions import DDIM

NAME = "conditioning_compare"
PARTS = {
    "concatenation": Concatenation(),
    "cross-attention": CrossAttention(),
    "FiLM": FiLM(),
}
STEPS, SEEDS = 1_500, (0, 1)


def experiment(part: str, seed: int) -> Experiment:
    """The same run but for the part."""
    return Experiment(
        name=part,
        source=photographs,
        network=UNet(widths=(24, 48), blocks=(1, 1), embedding=64, conditioning=PARTS[part]),
        process=VP(),
        optimizer=adam(1e-3),
        pairing=low_resolution,
        steps=STEPS,
        batch=8,
        crop=32,
        ema=0.99,
        seed=seed,
        validation=others,
        preview=Restored(low_resolution, Discrete(DDIM(0.0)), steps=20),
    )


def measure(run: Experiment) -> Results:
    """Train it and judge it."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        state = train(dataclasses.replace(run, validation=None), folder)
        whole(state, run)
        seconds = time.perf_counter() - began
        figures = run.preview(
            Path(folder) / "judged.png", run.denoiser(state.ema[0]), run.validation()
        )
    return {
        "seed": run.seed,
        "weights": run.network.size(),
        "seconds": round(seconds, 1),
        **figures,
    }


def claims(results: Results) -> list[Claim]:
    """What the literature takes for granted: in place is best for an image of the same size."""
    found = {
        part: np.mean([row["psnr_restored"] for row in rows])
        for part, rows in results["parts"].items()
    }
    numbers = ", ".join(f"{part} {value:.2f} dB" for part, value in found.items())
    best = max(found, key=found.__getitem__)
    return [("concatenation is best at this budget", numbers, best == "concatenation")]


def page(results: Results) -> str:
    """The results as Markdown."""
    heading = [
        "part",
        "weights",
        "PSNR of the enlarged",
        "PSNR of a sample, by seed",
        "seconds, by seed",
    ]
    rows = [
        [
            part,
            f"{rows[0]['weights']:,}",
            f"{rows[0]['psnr_degraded']:.2f}",
            ", ".join(f"{row['psnr_restored']:.2f}" for row in rows),
            ", ".join(f"{row['seconds']:.0f}" for row in rows),
        ]
        for part, rows in results["parts"].items()
    ]
    return f"""# How the degraded image enters the network

{made_by(NAME)}

×4 super-resolution, {results["steps"]} steps of {results["batch"]} crops of {results["crop"]} pixels for each part;
one sample of each of eight photographs, the middle 96 × 96 pixels.

{table(heading, rows, words=1)}

{verdicts(claims(results))}

{origin(results)}
"""


def main() -> None:
    """Run all, publish."""
    options = parser(__doc__, NAME).parse_args()
    runs = [(part, seed) for part in PARTS for seed in SEEDS][-1 if options.smoke else 0 :]
    parts: Results = {part: [] for part, _ in runs}
    for part, seed in runs:
        run = experiment(part, seed)
        parts[part].append(measure(run.smoke() if options.smoke else run))
        print(part, parts[part][-1], flush=True)
    settings = {"steps": STEPS, "batch": 8, "crop": 32}
    publish(options, {**stamp(), **settings, "parts": parts}, page)


if __name__ == "__main__":
    main()
