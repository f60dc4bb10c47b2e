"""Error against evaluations of the denoiser, for every way from noise to image, where the law is known exactly.

    python benchmarks/solver_curves.py [--draws 20000]

The prior is a Gaussian of three scales on VP, its denoiser exact. Samples are drawn, with a floor that is measured on
as many exact draws of the target. The error is the Wasserstein distance W2 between Gaussians with the mean and
covariance of the samples and of the target, which is D of an exact draw at the last time.
"""

import argparse
import json
from pathlib import Path

import diffrax
import jax
import jax.numpy as jnp
import numpy as np

from jaxir.denoisers import gaussian_denoiser
from jaxir.processes import VP
from jaxir.provenance import provenance
from jaxir.samplers import Discrete, ProbabilityFlow, ReverseSDE, sample
from jaxir.transitions import DDIM, Ancestral, DPMSolver

SHAPE = (1, 1, 3)
MEAN = np.array([0.5, -1.0, 0.2])
VARIANCES = np.array([0.01, 0.3, 4.0])
BUDGETS = (10, 20, 40, 80, 160, 320)
"""Evaluations for each image."""

STAGES = {
    "DDIM": (Discrete(DDIM()), 1),
    "Ancestral": (Discrete(Ancestral()), 1),
    "DPM-Solver++(2M)": (Discrete(DPMSolver()), 1),
    "Euler": (ProbabilityFlow(diffrax.Euler()), 1),
    "Heun": (ProbabilityFlow(), 2),
    "Tsit5": (ProbabilityFlow(diffrax.Tsit5()), 6),
    "Euler-Maruyama": (ReverseSDE(), 1),
    "ShARK": (ReverseSDE(solver=diffrax.ShARK()), 2),
    "SRA1": (ReverseSDE(solver=diffrax.SRA1()), 2),
}


def wasserstein(mean: np.ndarray, covariance: np.ndarray, target: tuple) -> float:
    """W2 between two Gaussians, of which the target's covariance is diagonal."""
    root = np.sqrt(target[1])
    cross = np.linalg.eigvalsh(root[:, None] * covariance * root)
    square = np.sum((mean - target[0]) ** 2) + np.trace(covariance) + target[1].sum()
    return float(np.sqrt(max(square - 2 * np.sqrt(np.maximum(cross, 0)).sum(), 0.0)))


def main() -> None:
    """Measure, print and store."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--draws", type=int, default=20_000)
    draws = parser.parse_args().draws
    process = VP()
    denoiser = gaussian_denoiser(process, jnp.asarray(MEAN).reshape(SHAPE), jnp.diag(VARIANCES))
    a, _, sigma = (float(c) for c in process.coefficients(jnp.asarray(process.span[0])))
    target = MEAN, (a * VARIANCES) ** 2 / (a**2 * VARIANCES + sigma**2)

    def error(images: np.ndarray) -> float:
        flat = np.asarray(images, np.float64).reshape(len(images), -1)
        return wasserstein(flat.mean(0), np.cov(flat.T), target)

    exact = MEAN + np.sqrt(target[1]) * np.random.default_rng(0).standard_normal((draws, 3))
    curves: dict[str, dict[str, float]] = {}
    for name, (sampler, stages) in STAGES.items():
        curves[name] = {}
        for budget in BUDGETS:
            steps = (budget - 1) // stages
            found = sample(
                jax.random.key(0),
                denoiser,
                shape=SHAPE,
                sampler=sampler,
                times=steps + 1,
                samples=draws,
                strict=False,
            )
            used = int(found.diagnostics["evaluations"])
            curves[name][str(used)] = error(found.images)
        print(name, {n: round(value, 4) for n, value in curves[name].items()}, flush=True)
    record = {
        "prior": {"mean": MEAN.tolist(), "variances": VARIANCES.tolist(), "process": "VP()"},
        "error": "W2 of Gaussians with the samples' moments, to D of an exact draw",
        "floor": error(exact),
        "draws": draws,
        "curves": curves,
        "provenance": provenance(),
    }
    print("floor", record["floor"])
    Path("benchmarks/results/solver_curves.json").write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
