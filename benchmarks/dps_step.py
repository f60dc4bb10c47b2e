"""What a DPS step costs beyond the network's value and vector–Jacobian product, degradation included in both.

    python benchmarks/dps_step.py [--size 96] [--rounds 20]

Times are medians of interleaved rounds with their interval; operations are the compiler's own count, which no other
load on the machine disturbs.
"""

import argparse
import json
import statistics
import time
from pathlib import Path

import jax
import jax.numpy as jnp

import jaxir
from jaxir.degradations import Degradation, GaussianNoise, motion_blur
from jaxir.guidance import PublishedDPS
from jaxir.provenance import provenance
from jaxir.transitions import Ancestral


def main() -> None:
    """Measure, print and store."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", type=int, default=96)
    parser.add_argument("--rounds", type=int, default=20)
    arguments = parser.parse_args()
    shape = (arguments.size, arguments.size, 3)
    denoiser = jaxir.load("natural-prior")
    degradation = Degradation(motion_blur(shape, 11, 30), GaussianNoise(0.1))
    transition = PublishedDPS(Ancestral(), degradation, 1.0)
    x = jax.random.normal(jax.random.key(0), shape)
    y = degradation.sample(jax.random.key(1), 0.1 * x)

    def step(denoiser, x, y, t, s, key):
        return transition.step(denoiser, None, x, t, s, y).law.sample(key)

    def network(denoiser, x, y, t, s, key):
        distance, pull = jax.vjp(lambda x: jnp.linalg.norm(y - degradation(denoiser(x, t))), x)
        return pull(jnp.ones_like(distance))[0]

    inputs = (denoiser, x, y, jnp.asarray(0.5), jnp.asarray(0.49), jax.random.key(2))
    programs = {
        name: jax.jit(function).lower(*inputs).compile()
        for name, function in (("step", step), ("network", network))
    }
    operations = {name: program.cost_analysis()["flops"] for name, program in programs.items()}
    times: dict[str, list[float]] = {name: [] for name in programs}
    for program in programs.values():
        jax.block_until_ready(program(*inputs))
    for _ in range(arguments.rounds):
        for name, program in programs.items():
            began = time.perf_counter()
            jax.block_until_ready(program(*inputs))
            times[name].append(time.perf_counter() - began)
    ratios = sorted(a / b for a, b in zip(times["step"], times["network"], strict=True))
    low, high = ratios[len(ratios) // 4], ratios[-len(ratios) // 4]
    record = {
        "size": arguments.size,
        "operations_ratio": operations["step"] / operations["network"],
        "time_ratio_median": statistics.median(ratios),
        "time_ratio_quartiles": [low, high],
        "rounds": arguments.rounds,
        "provenance": provenance(),
    }
    print(json.dumps(record, indent=2))
    Path("benchmarks/results/dps_step.json").write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
