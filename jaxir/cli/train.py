"""`jaxir train`: run an experiment file."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated

import tyro


def train(
    experiment: Annotated[Path, tyro.conf.Positional],
    workdir: Path | None = None,
    steps: int | None = None,
    initial: str | None = None,
    fsdp: bool = False,
    distributed: bool = False,
    smoke: bool = False,
) -> None:
    """Train what an experiment file describes, or go on with a run that was interrupted.

    Args:
        experiment: a Python file with a function `experiment()` that returns a `jaxir.training.Experiment`.
        workdir: the run's folder; runs/NAME by default. It holds checkpoints, metrics.jsonl, previews and
            at the end the weights, in model/.
        steps: total number of steps, instead of the experiment's.
        initial: weights, by name or folder, that a new run starts from.
        fsdp: split the weights and the optimiser's state over the devices, too, and not only the batch.
        distributed: one of many processes, on as many hosts: each runs this command; see docs/many_devices.md.
        smoke: a few tiny steps on generated images, to see that everything works.
    """
    from jaxir.cli.errors import UsageError

    if not experiment.is_file():
        raise UsageError(
            f"{experiment} does not exist: give a Python file such as those in experiments/"
        )
    if steps is not None and steps < 1:
        raise UsageError(f"--steps is {steps}, expected at least 1")
    import importlib.util
    import sys

    import jax

    if smoke:  # compiling is nearly all of it
        jax.config.update("jax_disable_most_optimizations", True)
    if distributed:
        jax.distributed.initialize()
    import jaxir
    from jaxir.mesh import FullyShard, replicate
    from jaxir.training import Experiment
    from jaxir.training import train as run

    spec = importlib.util.spec_from_file_location(experiment.stem, experiment)
    if spec is None or spec.loader is None:
        raise UsageError(f"{experiment} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(
        0, str(experiment.parent)
    )  # as Python does for a script: it may import its neighbours
    try:
        spec.loader.exec_module(module)
        made = hasattr(module, "experiment")
        config = module.experiment() if made else None
    except (SyntaxError, ImportError, NameError, AttributeError, LookupError) as error:
        raise UsageError(
            f"{experiment} cannot be run ({type(error).__name__}: {error}): "
            "see experiments/natural_prior.py"
        ) from error
    if not made:
        raise UsageError(
            f"{experiment} has no function experiment(): see experiments/natural_prior.py"
        )
    if not isinstance(config, Experiment):
        raise UsageError(
            f"experiment() of {experiment} returns {type(config).__name__}, "
            "expected a jaxir.training.Experiment"
        )
    config = config.smoke() if smoke else config
    if steps is not None:
        config = dataclasses.replace(config, steps=steps)
    folder = workdir or Path("runs") / config.name
    state = run(
        config,
        folder,
        initial=None if initial is None else jaxir.load(initial),
        rule=FullyShard() if fsdp else replicate,
    )
    print(f"{folder}: step {int(state.step)} of {config.steps}; weights in {folder / 'model'}")
