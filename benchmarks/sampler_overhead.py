"""What a sampler costs beyond the network: a step against its network evaluations, for 4 images of 64 × 64.

    python benchmarks/sampler_overhead.py [--steps 4] [--rounds 20]

Operations are the compiler's own count, which no other load on the machine disturbs. It counts the body of a loop once,
so a compiled run of any number of steps counts as one step, and the stages of a solver, a loop within it, as one
evaluation: what is found is then more than the share of each. Times are those of whole runs: medians of interleaved
rounds with their quartiles; `--rounds 0` leaves them out.
"""

import argparse
import functools
import json
import statistics
import time
from pathlib import Path

import jax
import jax.monitoring

import jaxir
from jaxir.processes import log_snr_times
from jaxir.provenance import provenance
from jaxir.samplers import Discrete, ProbabilityFlow, ReverseSDE
from jaxir.transitions import DDIM, Ancestral

IMAGES, SHAPE = 4, (64, 64, 3)
SAMPLERS = {
    "DDIM": (Discrete(DDIM()), 1, 0.03),
    "ancestral": (Discrete(Ancestral()), 1, 0.03),
    "Heun, probability flow": (ProbabilityFlow(), 2, 0.10),
    "Euler–Maruyama, reverse SDE": (ReverseSDE(), 1, 0.10),
}
"""Each with its evaluations a step and the share of the network's operations that its own may be."""


def run(sampler, denoiser, keys, x, times, start, stop):
    """The loop of a sampler, for all images."""

    def one(key, x):
        state = sampler.init(denoiser, x, times, None)
        return sampler.run(key, denoiser, state, times, None, start, stop)

    return jax.vmap(one)(keys, x)


def network(denoiser, x, t):
    """One evaluation, for all images."""
    return jax.vmap(denoiser, (0, None))(x, t)


def compilations(denoiser, sampler) -> list[int]:
    """Programs compiled by a first call of `sample` and by a second with another key."""
    counts = []

    def listen(event: str, _: float, **details: object) -> None:
        if event.endswith("backend_compile_duration"):
            counts[-1] += 1

    jax.monitoring.register_event_duration_secs_listener(listen)
    for seed in (0, 1):
        counts.append(0)
        key = jax.random.key(seed)
        jaxir.sample(key, denoiser, shape=SHAPE, sampler=sampler, times=3, samples=IMAGES)
    jax.monitoring.clear_event_listeners()
    return counts


def ratios(ours, theirs, rounds: int) -> list[float]:
    """Time of `ours` over that of `theirs`, round by round."""
    found = []
    for count in range(rounds + 1):  # the first warms up
        seconds = []
        for call in (ours, theirs) if count % 2 else (theirs, ours):
            began = time.perf_counter()
            jax.block_until_ready(call())
            seconds.append(time.perf_counter() - began)
        if count:
            found.append(seconds[0] / seconds[1] if count % 2 else seconds[1] / seconds[0])
    return sorted(found)


def main() -> None:
    """Measure, print and store."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=20)
    arguments = parser.parse_args()
    denoiser = jaxir.load("natural-prior")
    times = log_snr_times(denoiser.process, arguments.steps + 1)
    keys = jax.random.split(jax.random.key(0), IMAGES)
    x = jax.random.normal(jax.random.key(1), (IMAGES, *SHAPE))
    evaluation = jax.jit(network).lower(denoiser, x, times[0]).compile()
    share = evaluation.cost_analysis()["flops"]
    results = {}
    for name, (sampler, evaluations, limit) in SAMPLERS.items():
        inputs = (sampler, denoiser, keys, x, times, 0, arguments.steps)
        program = jax.jit(run).lower(*inputs).compile()
        operations = program.cost_analysis()["flops"] / share
        result = {
            "evaluations_a_step": evaluations,
            "operations_beyond_the_network": operations / round(operations) - 1,
            "limit": limit,
            "compilations_first_and_second_call": compilations(denoiser, sampler),
        }
        if arguments.rounds:

            def evaluate(count=arguments.steps * evaluations):
                return [evaluation(denoiser, x, times[0]) for _ in range(count)]

            found = ratios(functools.partial(program, *inputs), evaluate, arguments.rounds)
            quarter = len(found) // 4
            result["time_ratio_median"] = statistics.median(found)
            result["time_ratio_quartiles"] = [found[quarter], found[-1 - quarter]]
        print(name, json.dumps(result), flush=True)
        results[name] = result
    record = {
        "images": [IMAGES, *SHAPE],
        "steps": arguments.steps,
        "rounds": arguments.rounds,
        "samplers": results,
        "provenance": provenance(),
    }
    Path("benchmarks/results/sampler_overhead.json").write_text(json.dumps(record, indent=2) + "\n")
    over = [n for n, r in results.items() if r["operations_beyond_the_network"] > r["limit"]]
    assert not over, f"more operations beyond the network than allowed: {over}"


if __name__ == "__main__":
    main()
