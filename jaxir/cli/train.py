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
    smoke: bool = False,
) -> None:
    """Train what an experiment file describes, or go on with a run that was interrupted.

    Args:
        experiment: a Python file with a function `experiment()` that returns a `jaxir.training.Experiment`.
        workdir: the run's folder; runs/NAME by default. It holds checkpoints, metrics.jsonl, previews and
            at the end the weights, in model/.
        steps: total number of steps, instead of the experiment's.
        initial: weights, by name or folder, that a new run starts from.
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

    import jaxir
    from jaxir.training import Experiment
    from jaxir.training import train as run

    spec = importlib.util.spec_from_file_location(experiment.stem, experiment)
    if spec is None or spec.loader is None:
        raise UsageError(f"{experiment} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except (SyntaxError, ImportError, NameError, AttributeError) as error:
        raise UsageError(
            f"{experiment} cannot be run ({type(error).__name__}: {error}): "
            "see experiments/natural_prior.py"
        ) from error
    if not hasattr(module, "experiment"):
        raise UsageError(
            f"{experiment} has no function experiment(): see experiments/natural_prior.py"
        )
    config = module.experiment()
    if not isinstance(config, Experiment):
        raise UsageError(
            f"experiment() of {experiment} returns {type(config).__name__}, "
            "expected a jaxir.training.Experiment"
        )
    config = config.smoke() if smoke else config
    if steps is not None:
        config = dataclasses.replace(config, steps=steps)
    folder = workdir or Path("runs") / config.name
    state = run(config, folder, initial=None if initial is None else jaxir.load(initial))
    print(f"{folder}: step {int(state.step)} of {config.steps}; weights in {folder / 'model'}")
