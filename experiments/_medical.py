"""What the scoreboards of medical slices have in common: where the slices lie, and how a method becomes a row.

The prior is one of colour photographs and a slice has no colour. So the unknown is a colour image of which the scanner
sees a mixture of the channels, A = scanner ∘ mixture, and what is scored is that mixture of the samples.
"""

import argparse
import functools
import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
from _scoreboard import ROOT, Claim, Results, parser

import jaxir
from jaxir import methods
from jaxir.degradations import Degradation
from jaxir.denoisers import Denoiser
from jaxir.metrics import psnr, ssim
from jaxir.samplers import Samples
from jaxir.typing import Image, Key, Measurement

METHODS: dict[str, methods.Method] = {
    "DiffPIR": methods.diffpir,
    "ΠGDM": methods.pigdm,
    "MMPS": methods.mmps,
    "DPS": methods.dps,
    "DDRM": methods.ddrm,
}
"""With their defaults; DPS finds its strength by itself."""

Board = Mapping[str, Results]
"""The row of every method on one problem: `psnr`, `ssim`, `residual`, or why there are none, `refused`."""


def options(description: str, name: str) -> argparse.Namespace:
    """What both experiments ask for; a smoke run has few steps of two methods, one of which refuses."""
    found = parser(description, name)
    found.add_argument("--steps", type=int, default=40)
    found.add_argument("--samples", type=int, default=4)
    found.add_argument("--methods", nargs="+", default=list(METHODS), choices=METHODS)
    found.add_argument("--seed", type=int, default=0)
    chosen = found.parse_args()
    if chosen.smoke:  # compiling is nearly all of it
        jax.config.update("jax_disable_most_optimizations", True)
        chosen.steps, chosen.samples, chosen.methods = 2, 2, ["DiffPIR", "DDRM"]
    return chosen


def protocol(chosen: argparse.Namespace) -> Results:
    """What of the options is stored."""
    return {name: getattr(chosen, name) for name in ("steps", "samples", "seed")}


def slices(smoke: bool) -> Path:
    """The folder of the slices; without it the experiment ends here, which only a smoke run takes lightly."""
    folder = Path(os.environ.get("JAXIR_DATA", ROOT.parent / "shared" / "data")) / "medical"
    if not folder.is_dir():
        advice = "skipped" if smoke else "set JAXIR_DATA to the folder of development data"
        print(f"{folder} does not exist: {advice}")
        raise SystemExit(0 if smoke else 1)
    return folder


def timed(make: Callable[[], Any]) -> tuple[Any, float]:
    """What it returns, and the seconds it takes."""
    started = time.perf_counter()
    found = jax.block_until_ready(make())
    return found, round(time.perf_counter() - started, 2)


@functools.cache
def prior() -> Denoiser:
    """That of photographs."""
    return jaxir.load("natural-prior")


def sampled(
    name: str, key: Key, y: Measurement, degradation: Degradation, chosen: argparse.Namespace
) -> Samples | str:
    """Restorations by a method, or the reason why it gives none."""
    try:
        return jaxir.restore(
            y,
            degradation,
            prior=prior(),
            method=METHODS[name],
            steps=chosen.steps,
            samples=chosen.samples,
            key=key,
        )
    except (TypeError, FloatingPointError) as reason:
        return str(reason)


def misfit(image: Image, degradation: Degradation, y: Measurement) -> float:
    """The root mean square of (y − A x)/σ over what was measured."""
    return round(float(Samples(jnp.asarray(image)[None], {}).residual(degradation, y)[0]), 3)


def score(restored: Image, truth: Image) -> Results:
    """PSNR and SSIM of images of one channel."""
    return {
        "psnr": round(float(psnr(restored, truth)), 3),
        "ssim": round(float(ssim(restored, truth)), 4),
    }


def effort(samples: Samples) -> Results:
    """What the samples cost."""
    return {
        "evaluations": int(samples.diagnostics["evaluations"]),
        "seconds": round(samples.diagnostics["seconds"], 2),
    }


def claims(boards: Mapping[str, Board], worst: str, baseline: str) -> list[Claim]:
    """Every method beats the worst row, one of them the baseline, and samples explain the measurement."""
    names = list(boards)
    ran = [
        name for name in METHODS if all("psnr" in board.get(name, {}) for board in boards.values())
    ]

    def over(name: str, other: str) -> list[float]:
        return [board[name]["psnr"] - board[other]["psnr"] for board in boards.values()]

    def each(values: Sequence[float | str], form: str) -> str:
        return ", ".join(
            f"{value:{form}} ({name})" for value, name in zip(values, names, strict=True)
        )

    found: list[Claim] = []
    for name in ran:
        gains = over(name, worst)
        found.append((f"{name} beats {worst}", each(gains, "+.2f") + " dB", min(gains) > 0))
    if ran:
        best = [max(ran, key=lambda name: board[name]["psnr"]) for board in boards.values()]
        gains = [over(name, baseline)[i] for i, name in enumerate(best)]
        numbers = [f"{name} {gain:+.2f}" for name, gain in zip(best, gains, strict=True)]
        found.append((f"a method beats {baseline}", each(numbers, "") + " dB", min(gains) > 0))
    for name in ran:
        left = [board[name]["residual"] for board in boards.values()]
        within = all(0.5 <= value <= 1.5 for value in left)
        found.append((f"{name} leaves a residual of 0.5 to 1.5 σ", each(left, ".2f"), within))
    return found


def remarks(board: Board) -> str:
    """Why a method is missing, a line each."""
    reasons = {name: row["refused"] for name, row in board.items() if "refused" in row}
    return "\n".join(f"- {name} did not run: {reason}" for name, reason in reasons.items())


def fastest(boards: Mapping[str, Board], name: str) -> str:
    """The least of a method's seconds over the problems, for the first one compiles."""
    return f"{min(board[name]['seconds'] for board in boards.values()):.1f}"
