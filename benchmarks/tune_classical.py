"""Tune the weights of `jaxir.classical` on training photographs, never on those of a report.

    python benchmarks/tune_classical.py            about 15 minutes on 2 cores
    python benchmarks/tune_classical.py --smoke    a small part of it, nothing is written
    python benchmarks/tune_classical.py --only "bicubic x2, 0.05"    TV on these tasks; the others stay as stored

Crops of 96 × 96 are cut from the middle of photographs of BSDS500's training part, reduced by 2
(which hides their compression). Each is degraded, restored on a grid of weights, and the weights of
the largest mean PSNR are kept: results/tune_classical.json.
"""

import argparse
import json
import os
import time
from collections.abc import Callable
from itertools import product
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from make_photos import reduce

from jaxir.classical import bicubic, total_variation, wiener
from jaxir.data import image_files
from jaxir.degradations import (
    Degradation,
    GaussianNoise,
    Identity,
    Linear,
    bicubic_downsample,
    box_mask,
    gaussian_blur,
    motion_blur,
    random_mask,
)
from jaxir.metrics import psnr
from jaxir.provenance import provenance

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("JAXIR_DATA", ROOT.parent / "shared" / "data"))
RESULT = ROOT / "benchmarks" / "results" / "tune_classical.json"
SHAPE = (96, 96, 3)
WEIGHTS = [round(0.0025 * 2 ** (k / 2), 4) for k in range(19)]
SPECTRUM = {
    "power": [1e-5 * 2**k for k in range(12)],
    "exponent": [1.5, 2.0, 2.5, 3.0],
    "chroma": [0.02, 0.05, 0.1, 0.2, 0.5, 1.0],
}
MOTIONS = [motion_blur(SHAPE, length, angle) for length, angle in ((9, 20), (12, 75), (15, 140))]


def tasks() -> dict[str, tuple[list[Linear], float]]:
    """Operators, shared out among the crops, and σ in [0, 1] units."""
    holes = [random_mask(jax.random.key(seed), SHAPE) for seed in range(3)]
    return {
        "denoise, 15 of 255": ([Identity(SHAPE)], 15 / 255),
        "denoise, 25 of 255": ([Identity(SHAPE)], 25 / 255),
        "denoise, 50 of 255": ([Identity(SHAPE)], 50 / 255),
        "denoise, 0.05": ([Identity(SHAPE)], 0.05),
        "Gaussian blur 1.6, 0.05": ([gaussian_blur(SHAPE, 1.6)], 0.05),
        "motion 9 to 15, 0.02": (MOTIONS, 0.02),
        "motion 9 to 15, 0.05": (MOTIONS, 0.05),
        "motion 9 to 15, 0.1": (MOTIONS, 0.1),
        "bicubic x2, 0.05": ([bicubic_downsample(SHAPE, 2)], 0.05),
        "bicubic x4, 0.05": ([bicubic_downsample(SHAPE, 4)], 0.05),
        "random mask 92 %, 0.05": (holes, 0.05),
        "random mask 92 %, 0": (holes, 0.0),
        "box mask 32, 0.05": ([box_mask(SHAPE, 32)], 0.05),
        "box mask 32, 0": ([box_mask(SHAPE, 32)], 0.0),
    }


def crops(count: int) -> np.ndarray:
    """The middles of every so-many-th photograph, in [-1, 1]."""
    from PIL import Image

    paths = image_files(DATA / "natural" / "bsds500" / "train")
    chosen = paths[:: len(paths) // count][:count]
    small = [reduce(np.asarray(Image.open(path).convert("RGB")), 2) for path in chosen]
    corners = [((s.shape[0] - SHAPE[0]) // 2, (s.shape[1] - SHAPE[1]) // 2) for s in small]
    cut = [
        s[t : t + SHAPE[0], left : left + SHAPE[1]]
        for s, (t, left) in zip(small, corners, strict=True)
    ]
    return np.stack(cut).astype(np.float32) / 127.5 - 1


def score(images: np.ndarray, operators: list[Linear], sigma: float, restore: Callable, grid: list):
    """The mean PSNR of `restore(y, degradation, *weights)` for each entry of the grid."""

    def one(plan, x, key, weights):
        return psnr(restore(plan.sample(key, x), plan, *weights), x)

    total = np.zeros(len(grid))
    for k, operator in enumerate(operators):
        part = jnp.asarray(images[k :: len(operators)])
        keys = jax.random.split(jax.random.fold_in(jax.random.key(0), k), len(part))
        plan = Degradation(operator, GaussianNoise(2 * sigma))
        run = jax.jit(jax.vmap(one, in_axes=(None, 0, 0, None)))
        total += [float(jnp.sum(run(plan, part, keys, jnp.float32(w)))) for w in grid]
    return total / len(images)


def tv(y, plan, weight):
    return total_variation(y, plan, weight=weight)


def fourier(y, plan, power, exponent, chroma):
    return wiener(y, plan, power=power, exponent=exponent, chroma=chroma)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--smoke", action="store_true", help="two crops, two weights, no file")
    parser.add_argument(
        "--only", nargs="+", choices=tasks(), metavar="TASK", help="; ".join(tasks())
    )
    options = parser.parse_args()
    if not DATA.is_dir():
        raise SystemExit(f"{DATA} does not exist: set JAXIR_DATA to the folder of development data")
    images = crops(2 if options.smoke else 24)
    weights, spectra = WEIGHTS, list(product(*SPECTRUM.values()))
    if options.smoke:
        weights, spectra = weights[:2], spectra[:2]
    start = time.time()
    if options.only:
        report = json.loads(RESULT.read_text(encoding="utf-8"))
    else:
        report = {
            "protocol": f"{len(images)} crops {SHAPE}, BSDS500 train reduced by 2; "
            "PSNR in RGB, range 2, no border, mean over crops; circular blur; TV 300 steps",
            "grid": {"tv_weight": weights, "wiener": SPECTRUM},
            **tuned_wiener(images, spectra),
            "tv": {},
            "bicubic": {},
        }
    for name, (operators, sigma) in tasks().items():
        if options.only and name not in options.only:
            continue
        table = score(images, operators, sigma, tv, [(w,) for w in weights])
        best = int(np.argmax(table))
        report["tv"][name] = {
            "weight": weights[best],
            "psnr": round(table[best], 2),
            "psnr_of_each_weight": [round(v, 2) for v in table],
        }
        print(f"tv       {name:24} weight {weights[best]:<7} {table[best]:.2f} dB", flush=True)
        if name.startswith("bicubic"):
            value = score(images, operators, sigma, bicubic, [()])[0]
            report["bicubic"][name] = round(value, 2)
    report |= {
        "seconds": round(time.time() - start),
        "provenance": provenance(),
    }
    print(f"{report['seconds']} s")
    if not options.smoke:
        RESULT.parent.mkdir(exist_ok=True)
        RESULT.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def tuned_wiener(images: np.ndarray, spectra: list) -> dict:
    """The spectrum that is best for all motion blurs together, and what each would have with its own."""
    blurs = {name: task for name, task in tasks().items() if task[0] is MOTIONS}
    tables = {name: score(images, *task, fourier, spectra) for name, task in blurs.items()}
    joint = int(np.argmax(np.mean(list(tables.values()), axis=0)))
    chosen, found = dict(zip(SPECTRUM, spectra[joint], strict=True)), {}
    for name, table in tables.items():
        best = int(np.argmax(table))
        found[name] = {
            "psnr": round(table[joint], 2),
            "psnr_of_its_own_best": round(table[best], 2),
            "own_best": spectra[best],
        }
        print(f"wiener   {name:24} {chosen} {table[joint]:.2f} dB (own best {table[best]:.2f})")
    return {"chosen": {"wiener": chosen}, "wiener": found}


if __name__ == "__main__":
    main()
