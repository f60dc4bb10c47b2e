"""What a strength that nobody has to choose costs: the default of a method against the best of a grid, task by task.

    python benchmarks/strength.py            about 15 minutes on one core
    python benchmarks/strength.py --smoke    a small part of it, nothing is written

Crops of 48 × 48 are cut from the middle of photographs of BSDS500's training part, reduced by 2, and spoiled by the
tasks of `jaxir demo` at three levels of noise. DPS finds its strength at every step, and is held against the published
step of many ζ; DiffPIR finds its weight at every step, and is held against published ones, the same at every step.
Nothing beyond the network evaluations of the method itself is spent on a default. results/strength.json has every
figure.
"""

import argparse
import functools
import json
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from tune_classical import DATA, crops

import jaxir
from jaxir.cli import tasks as known
from jaxir.degradations import Degradation, GaussianNoise
from jaxir.methods import diffpir, dps, dps_published
from jaxir.metrics import psnr
from jaxir.provenance import provenance

RESULT = Path(__file__).parent / "results" / "strength.json"
TASKS = {name: known.TASKS[name] for name in ("motion", "bicubic", "random", "box")}
NOISES = (0.02, 0.05, 0.1)
"""σ of the measurement, in [0, 1] units."""
STEPS, SAMPLES = 50, 2
"""The steps that `restore` takes by default."""
METHODS = {
    "DPS": (dps, dps_published, "scale", (1.0, 2.0, 4.0, 8.0, 16.0)),
    "DiffPIR": (diffpir, diffpir, "weight", (0.1, 0.3, 1.0, 3.0, 10.0)),
}
"""The method as it comes, the one that is tuned, the name of its strength, and the grid."""


def score(prior, images, task, noise, method, steps):
    """The mean PSNR, over the images, of the mean of `SAMPLES` samples; minus infinity where one diverges."""
    found = []
    for number, image in enumerate(images):
        drawing, noising, sampling = jax.random.split(jax.random.key(number), 3)
        operator = task.degradation(drawing, image.shape).operator
        degradation = Degradation(operator, GaussianNoise(2 * noise))
        y = degradation.sample(noising, image)
        try:
            samples = jaxir.restore(
                y,
                degradation,
                prior=prior,
                method=method,
                steps=steps,
                samples=SAMPLES,
                key=sampling,
            )
        except FloatingPointError:
            return -float("inf")
        found.append(float(psnr(jnp.clip(samples.mean, -1, 1), image)))
    return float(np.mean(found))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--smoke", action="store_true", help="one crop, four steps, no file")
    smoke = parser.parse_args().smoke
    if not DATA.is_dir():
        raise SystemExit(f"{DATA} does not exist: set JAXIR_DATA to the folder of development data")
    prior = jaxir.load("natural-prior")
    images = [jnp.asarray(crop[24:72, 24:72]) for crop in crops(1 if smoke else 4)]
    tasks = dict(list(TASKS.items())[:1]) if smoke else TASKS
    noises, steps = (NOISES[1:2], 4) if smoke else (NOISES, STEPS)
    began, rows = time.perf_counter(), []
    for label, (default, tuned, name, grid) in METHODS.items():
        for title, task in tasks.items():
            for noise in noises:
                judge = functools.partial(score, prior, images, task, noise, steps=steps)
                automatic = judge(method=default)
                swept = {v: judge(method=functools.partial(tuned, **{name: v})) for v in grid}
                best = max(swept, key=swept.get)
                gap = swept[best] - automatic
                rows.append(
                    {
                        "method": label,
                        "task": title,
                        "noise": noise,
                        "default": automatic,
                        "best": best,
                        "gap": gap,
                        "grid": {
                            str(v): found if np.isfinite(found) else None
                            for v, found in swept.items()
                        },
                    }
                )
                print(
                    f"{label:8} {title:8} σ {noise:<5} default {automatic:6.2f} dB, best of the grid "
                    f"{swept[best]:6.2f} ({name} {best}), gap {gap:+.2f}",
                    flush=True,
                )
    worst = max(rows, key=lambda row: row["gap"])
    print(
        f"largest gap {worst['gap']:.2f} dB: {worst['method']}, {worst['task']}, σ {worst['noise']}"
    )
    if not smoke:
        protocol = (
            f"{len(images)} crops 48 x 48 of BSDS500 train, reduced by 2; {STEPS} steps, mean of {SAMPLES} samples; "
            "PSNR in RGB of the mean, dB; gap: best of the grid minus the default"
        )
        seconds = round(time.perf_counter() - began)
        text = {
            "protocol": protocol,
            "provenance": provenance(),
            "seconds": seconds,
            "largest_gap": worst["gap"],
            "rows": rows,
        }
        RESULT.write_text(json.dumps(text, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
