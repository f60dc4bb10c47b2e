"""`jaxir train`: run an experiment file."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

if TYPE_CHECKING:
    from jaxir.training import Experiment


@dataclasses.dataclass(frozen=True)
class Options:
    """Train what an experiment file describes, or go on with a run that was interrupted.

    Behind the file any field of the experiment and of its parts is an option, too:
    --batch 32 --network.widths 32,64 --process.std 0.1.

    Args:
        experiment: a Python file with a function `experiment()` that returns a `jaxir.training.Experiment`.
        workdir: the run's folder; runs/NAME by default. It holds checkpoints, metrics.jsonl, previews and
            at the end the weights, in model/.
        steps: total number of steps, instead of the experiment's.
        initial: weights or a run, by name or folder, that a new run starts from.
        devices: use so many devices; on a CPU it is taken for so many.
        fsdp: split the weights and the optimiser's state over the devices, too, and not only the batch.
        distributed: one of many processes, on as many hosts: each runs this command; see docs/many_devices.md.
        check: do not train, but look for what would go wrong: ranges, one batch by heart, dead layers, loss by t.
        profile: trace these steps, as in 100:110, into profile/ of the run.
        tensorboard: write the figures for TensorBoard, too, into tensorboard/ of the run.
        smoke: a few tiny steps on generated images, to see that everything works.
    """

    experiment: Annotated[Path, tyro.conf.Positional]
    workdir: Path | None = None
    steps: int | None = None
    initial: str | None = None
    devices: int | None = None
    fsdp: bool = False
    distributed: bool = False
    check: bool = False
    profile: str | None = None
    tensorboard: bool = False
    smoke: bool = False


def train(options: Options, changes: Sequence[str] = ()) -> None:
    """Run `jaxir train` with these options; `changes` are the arguments that name fields of the experiment.

    Raises:
        UsageError: if the file, an option or a change does not fit.
        SomeFailed: if `--check` found something.
    """
    from jaxir.cli.changes import changed, read_changes
    from jaxir.cli.errors import UsageError

    experiment, wanted = options.experiment, read_changes(changes)
    if not experiment.is_file():
        raise UsageError(
            f"{experiment} does not exist: give a Python file such as those in experiments/"
        )
    if options.devices is not None and options.distributed:
        raise UsageError("--devices and --distributed: of many processes each has its own devices")
    for name in ("steps", "devices"):
        if (value := getattr(options, name)) is not None and value < 1:
            raise UsageError(f"--{name} is {value}, expected at least 1")
    traced = None if options.profile is None else _stretch(options.profile)
    import importlib.util
    import sys

    import jax

    if options.smoke:  # compiling is nearly all of it
        jax.config.update("jax_disable_most_optimizations", True)
    if options.devices is not None:
        jax.config.update("jax_num_cpu_devices", options.devices)
    if options.distributed:
        jax.distributed.initialize()
    import jaxir
    from jaxir.mesh import FullyShard, replicate
    from jaxir.pretrained import model_of
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
    config = config.smoke() if options.smoke else config
    config = changed(config, wanted)
    if options.steps is not None:
        config = dataclasses.replace(config, steps=options.steps)
    if options.check:
        _check(config)
        return
    folder = options.workdir or Path("runs") / config.name
    state = run(
        config,
        folder,
        initial=None if options.initial is None else jaxir.load(model_of(options.initial)),
        rule=FullyShard() if options.fsdp else replicate,
        devices=options.devices,
        profile=traced,
        tensorboard=options.tensorboard,
    )
    print(f"{folder}: step {int(state.step)} of {config.steps}; weights in {folder / 'model'}")


def _stretch(text: str) -> range:
    """100:110 as the steps from 100 to 110, both traced."""
    from jaxir.cli.errors import UsageError

    first, colon, last = text.partition(":")
    if not (colon and first.isdigit() and last.isdigit() and 1 <= int(first) <= int(last)):
        raise UsageError(f"--profile is {text!r}, expected the first and last step, as in 100:110")
    return range(int(first), int(last) + 1)


def _check(config: Experiment) -> None:
    """Print what the training doctor finds."""
    from jaxir.cli.errors import SomeFailed
    from jaxir.cli.progress import progress
    from jaxir.training import diagnose

    with progress("learning one batch") as callback:
        findings = diagnose(config, progress=callback)
    for finding in findings:
        mark = "ok  " if finding.advice is None else "LOOK"
        print(f"{mark}  {finding.check}: {finding.found}")
        if finding.advice is not None:
            print(f"      {finding.advice}")
    bad = sum(finding.advice is not None for finding in findings)
    if bad:
        raise SomeFailed(f"{bad} of {len(findings)} checks of {config.name} want a look")
