"""Choose the settings of `jaxir.restore` on training photographs: DiffPIR's ζ, and where the noise starts and ends.

    python benchmarks/tune_restoration.py            about 20 minutes on one core
    python benchmarks/tune_restoration.py --smoke    a small part of it, nothing is written

Crops of 64 × 64 are cut from the middle of photographs of BSDS500's training part, reduced by 2, and spoiled by the
tasks of `jaxir demo`. First ζ varies with the range as it is, then each end of the range with ζ as it is; what is kept
is the setting of the largest mean PSNR over the tasks: results/tune_restoration.json.
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
from jaxir.cli.tasks import spoil
from jaxir.methods import diffpir
from jaxir.metrics import psnr
from jaxir.processes import log_snr_times
from jaxir.provenance import provenance
from jaxir.restoration import SIGMA_MAX, SIGMA_MIN

RESULT = Path(__file__).parent / "results" / "tune_restoration.json"
TASKS = {name: known.TASKS[name] for name in ("motion", "bicubic", "random", "box")}
ZETA = 1.0
ZETAS = (0.1, 0.3, 0.6, 1.0)
MAXIMA = (1.0, 2.0, 5.0, 20.0)
MINIMA = (0.01, 0.03, 0.06, 0.12)
STEPS, SAMPLES = 50, 4


def score(prior, images, task, *, zeta, sigma_max, sigma_min, steps):
    """The mean PSNR, over the images, of the mean of `SAMPLES` samples."""
    grid = log_snr_times(prior.process, steps, sigma_max=sigma_max, sigma_min=sigma_min)
    found = []
    for number, image in enumerate(images):
        key, sampling = jax.random.split(jax.random.fold_in(jax.random.key(0), number))
        degradation, y = spoil(task, key, image)
        samples = jaxir.restore(
            y,
            degradation,
            prior=prior,
            method=functools.partial(diffpir, zeta=zeta),
            steps=grid,
            samples=SAMPLES,
            key=sampling,
        )
        found.append(float(psnr(jnp.clip(samples.mean, -1, 1), image)))
    return float(np.mean(found))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--smoke", action="store_true", help="one crop, four steps, no file")
    smoke = parser.parse_args().smoke
    if not DATA.is_dir():
        raise SystemExit(f"{DATA} does not exist: set JAXIR_DATA to the folder of development data")
    prior = jaxir.load("natural-prior")
    images = [jnp.asarray(crop[16:80, 16:80]) for crop in crops(1 if smoke else 6)]
    home = {"zeta": ZETA, "sigma_max": SIGMA_MAX, "sigma_min": SIGMA_MIN}
    sweeps = {"zeta": ZETAS, "sigma_max": MAXIMA, "sigma_min": MINIMA}
    began, report = time.perf_counter(), {}
    for name, values in sweeps.items():
        rows = []
        for value in values[:1] if smoke else values:
            setting = {**home, name: value, "steps": 4 if smoke else STEPS}
            table = {title: score(prior, images, task, **setting) for title, task in TASKS.items()}
            rows.append({"value": value, "mean": float(np.mean(list(table.values()))), **table})
            cells = "  ".join(f"{title} {value:.2f}" for title, value in table.items())
            print(f"{name:9} {value:<6} mean {rows[-1]['mean']:.2f} dB  {cells}", flush=True)
        report[name] = {
            "best": max(rows, key=lambda row: row["mean"])["value"],
            "used": home[name],
            "rows": rows,
        }
    if not smoke:
        protocol = (
            f"{len(images)} crops 64 x 64 of BSDS500 train, reduced by 2; DiffPIR, {STEPS} steps, mean of {SAMPLES} "
            "samples; PSNR in RGB of the mean, dB"
        )
        seconds = round(time.perf_counter() - began)
        text = {"protocol": protocol, "provenance": provenance(), "seconds": seconds, **report}
        RESULT.write_text(json.dumps(text, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
