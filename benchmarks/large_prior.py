"""What a published prior of full size costs on this machine: memory and time of posterior sampling with it.

    python benchmarks/large_prior.py [--size 256] [--steps 2]

The network is the 94 million weights of DPS's prior of faces with random values: what it restores means nothing, what
it costs does. One image is restored by steps of DPS. Memory is what the compiler plans for the whole program (weights,
image and everything between) against one value and pullback of the network alone; the peak of the process is that of
the operating system, with Python and the compiler. The time of a step gives that of the usual 1000.
"""

import argparse
import json
import resource
import shlex
import sys
import time
from pathlib import Path

import jax
import jax.numpy as jnp

from jaxir.degradations import Degradation, GaussianNoise, box_mask
from jaxir.denoisers import NetworkDenoiser, Noise, Times
from jaxir.guidance import PublishedDPS
from jaxir.pretrained.families.adm import FFHQ, network
from jaxir.processes import LinearTable, uniform_times
from jaxir.provenance import provenance
from jaxir.samplers import Discrete
from jaxir.samplers.sample import sample
from jaxir.transitions import LearnedAncestral

RESULT = Path(__file__).parent / "results" / "large_prior.json"
ALLOWED = 2.5
"""Of weights and what one value and pullback of the network hold."""


def planned(program):
    """Bytes that a program has at once by the compiler's plan."""
    memory = program.memory_analysis()
    return memory.argument_size_in_bytes + memory.output_size_in_bytes + memory.temp_size_in_bytes


def main() -> None:
    """Measure, print, store, and say whether it is within what is allowed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--steps", type=int, default=2)
    arguments = parser.parse_args()
    shape = (arguments.size, arguments.size, 3)
    unet = network(FFHQ)
    params = unet.init(jax.random.key(0))
    process = LinearTable()
    denoiser = NetworkDenoiser(process, params, unet.apply, Noise(), inlet=Times())
    degradation = Degradation(box_mask(shape, shape[0] // 4), GaussianNoise(0.1))
    y = degradation.sample(jax.random.key(1), jnp.zeros(shape))
    sampler = Discrete(PublishedDPS(LearnedAncestral(), degradation, 1.0))
    grid = uniform_times(process, arguments.steps)

    def pulled(denoiser, x, t):
        value, pull = jax.vjp(lambda x: denoiser(x, t), x)
        return value, pull(value)[0]

    def restored(denoiser, key, y):
        law = sampler.start(denoiser, jnp.zeros(shape), grid, y)
        state = sampler.init(denoiser, law.sample(key), grid, y)
        state = sampler.run(key, denoiser, state, grid, y, 0, len(grid))
        return sampler.finish(denoiser, state, grid, y).x0_hat

    x, t = jnp.zeros(shape), jnp.asarray(0.5)
    alone = planned(jax.jit(pulled).lower(denoiser, x, t).compile())
    whole = planned(jax.jit(restored).lower(denoiser, jax.random.key(0), y).compile())
    began = time.perf_counter()
    samples = sample(
        jax.random.key(0), denoiser, y, shape=shape, sampler=sampler, times=grid, strict=False
    )
    jax.block_until_ready(samples.images)
    first = time.perf_counter() - began
    again = sample(
        jax.random.key(1), denoiser, y, shape=shape, sampler=sampler, times=grid, strict=False
    )
    each = again.diagnostics["seconds"] / arguments.steps
    result = {
        "weights": unet.size(),
        "image": list(shape),
        "steps": arguments.steps,
        "gibibytes_of_weights": 4 * unet.size() / 2**30,
        "gibibytes_of_one_value_and_pullback": alone / 2**30,
        "gibibytes_of_the_restoration": whole / 2**30,
        "ratio": whole / alone,
        "allowed": ALLOWED,
        "gibibytes_peak_of_the_process": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
        "seconds_with_compilation": first,
        "seconds_a_step": each,
        "hours_of_1000_steps": 1000 * each / 3600,
    }
    print(json.dumps(result, indent=2))
    record = {"command": shlex.join(["python", *sys.argv]), **result, "provenance": provenance()}
    RESULT.write_text(json.dumps(record, indent=2) + "\n")
    assert result["ratio"] <= ALLOWED


if __name__ == "__main__":
    main()
