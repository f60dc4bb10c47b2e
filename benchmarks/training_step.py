"""What training costs beyond the network: a step against one written by hand, and the share spent waiting for data.

    python benchmarks/training_step.py [--rounds 15] [--steps 60]

The step of `experiments/natural_prior.py` (16 crops of 64 × 64) is held against one that knows only this network, this
loss and this optimiser: no protocol, no guard against what is not finite, no count by time. Operations are the
compiler's own count of both; times are medians of interleaved rounds with their quartiles, `--rounds 0` leaves them
out. The wait for data is what a run of `jaxir train` logs, on the photographs that JAXIR_DATA names or, without them,
on generated images.
"""

import argparse
import dataclasses
import json
import shlex
import statistics
import sys
import tempfile
from pathlib import Path

import jax
import jax.numpy as jnp
import optax
from sampler_overhead import ratios

from jaxir.data import Synthetic, crop_batch
from jaxir.provenance import provenance
from jaxir.training import initial_state, operations, train, train_step

RESULT = Path(__file__).parent / "results" / "training_step.json"
MOST_OPERATIONS, MOST_WAIT = 0.02, 0.05
"""What is allowed: the share of operations beyond the step by hand, and of the time spent waiting."""


def by_hand(network, transform, decay, state, images):
    """EDM's loss on VP, Adam and one average of the weights, and nothing else."""
    params, average, memory, step = state
    key = jax.random.fold_in(jax.random.key(0), step)
    count = len(images)
    time_key, noise_key = jax.random.split(key)
    normal = jax.random.normal(time_key, (count,)) * 1.4 - 1.4
    x0 = images.astype(jnp.float32) / 127.5 - 1
    eps = jax.random.normal(noise_key, x0.shape)
    sigma_hat = jnp.exp(normal)[:, None, None, None]
    root = jnp.sqrt(sigma_hat**2 + 0.25)

    def loss(params):
        x = (x0 + sigma_hat * eps) / root
        found = jax.vmap(network.apply, in_axes=(None, 0, 0))(params, x, normal / 4)
        return jnp.mean((found - (sigma_hat / 0.5 * x0 - 0.5 * eps) / root) ** 2)

    value, gradient = jax.value_and_grad(loss)(params)
    updates, memory = transform.update(gradient, memory, params)
    params = optax.apply_updates(params, updates)
    average = optax.incremental_update(params, average, 1 - decay)
    return (params, average, memory, step + 1), value


def compiled(step, state, images):
    """The program, and the operations that the compiler counts in it."""
    program = jax.jit(step).lower(state, images).compile()
    return program, program.cost_analysis()["flops"]


def waiting(experiment, steps):
    """The share of the time that a run of so many steps waited for its data, without the first line."""
    with tempfile.TemporaryDirectory() as folder:
        train(dataclasses.replace(experiment, steps=steps, validation=None), folder, log_every=10)
        lines = (Path(folder) / "metrics.jsonl").read_text().splitlines()
    return statistics.median(json.loads(line)["data_wait"] for line in lines[1:])


def main() -> None:
    """Measure, print, store, and say whether it is within what is allowed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--steps", type=int, default=60)
    arguments = parser.parse_args()
    sys.path.insert(0, str(Path(__file__).parents[1] / "experiments"))
    import natural_prior

    experiment = natural_prior.experiment()
    real = natural_prior.DATA.is_dir()
    if not real:
        experiment = dataclasses.replace(experiment, source=lambda: Synthetic(64, 128))
    images = crop_batch(
        experiment.source(), seed=0, step=0, batch=experiment.batch, size=experiment.crop
    )
    transform = experiment.optimizer(experiment.steps)
    state = initial_state(experiment, transform)
    bare = (state.params, state.ema[0], state.optimizer, state.step)

    def ours(state, images):
        return train_step(experiment, transform, state, images)

    def theirs(state, images):
        return by_hand(experiment.network, transform, experiment.ema, state, images)

    step, count = compiled(ours, state, images)
    hand, least = compiled(theirs, bare, images)
    result = {
        "operations_beyond_the_step_by_hand": count / least - 1,
        "allowed": MOST_OPERATIONS,
        "products_and_convolutions": operations(ours, state, images),
        "compiler_count": count,
    }
    if arguments.rounds:
        found = ratios(lambda: step(state, images), lambda: hand(bare, images), arguments.rounds)
        quarter = len(found) // 4
        result["time_ratio_median"] = statistics.median(found)
        result["time_ratio_quartiles"] = [found[quarter], found[-1 - quarter]]
    result |= {
        "data": "photographs" if real else "generated images",
        "data_wait": waiting(experiment, arguments.steps),
        "data_wait_allowed": MOST_WAIT,
    }
    print(json.dumps(result, indent=2))
    record = {
        "command": shlex.join(["python", *sys.argv]),
        "batch": [experiment.batch, experiment.crop, experiment.crop, 3],
        "rounds": arguments.rounds,
        **result,
        "provenance": provenance(),
    }
    RESULT.write_text(json.dumps(record, indent=2) + "\n")
    assert result["operations_beyond_the_step_by_hand"] <= MOST_OPERATIONS
    assert result["data_wait"] <= MOST_WAIT


if __name__ == "__main__":
    main()
