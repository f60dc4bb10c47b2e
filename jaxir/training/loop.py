"""The training loop: data in, steps, logs, pictures and checkpoints out.

The loop holds no state of its own. A run is (experiment, folder): started again with the same two it goes on
where it stopped, bit for bit; SIGTERM and Ctrl-C save first.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib.util
import json
import math
import shutil
import signal
import time
import warnings
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental.multihost_utils import reached_preemption_sync_point
from jax.sharding import Mesh
from jaxtyping import Array, PyTree

from jaxir.data import Source, check_crop, crop_batch, prefetch
from jaxir.denoisers import NetworkDenoiser
from jaxir.mesh import Rule, data_mesh, replicate, replicated, shardings, split
from jaxir.pretrained import WeightsError, configuration, save_denoiser
from jaxir.provenance import provenance
from jaxir.training.checkpoint import CheckpointError, Checkpoints
from jaxir.training.experiment import Experiment
from jaxir.training.log import Log
from jaxir.training.operations import counted
from jaxir.training.profile import Profile
from jaxir.training.step import Metrics, TrainState, initial_state, train_step
from jaxir.typing import Params


def train(
    experiment: Experiment,
    workdir: str | Path,
    *,
    log_every: int = 50,
    save_every: int = 500,
    preview_every: int = 1000,
    validation: Source | None = None,
    rule: Rule = replicate,
    devices: int | None = None,
    initial: NetworkDenoiser | None = None,
    profile: range | None = None,
    tensorboard: bool = False,
) -> TrainState:
    """Run an experiment to its last step, or go on with a run that was interrupted.

    Writes into `workdir`: `run.json`, `checkpoints/`, `metrics.jsonl`, `preview-STEP.png`, `best/` where the experiment
    says what is best, and at the end (and at SIGTERM or Ctrl-C) `model/`, the averaged weights in the form that
    `jaxir.load` reads, with a `model-DECAY/` for each further decay. Of several processes each has a log, and the first
    writes the rest; they draw no pictures.

    Args:
        experiment: what to train.
        workdir: the run's folder, made if missing.
        log_every: steps between two lines of `metrics.jsonl`, which are the only times the host waits for a step.
        save_every: steps between two checkpoints; each has a line too, so that none is written of a loss gone wrong.
        preview_every: steps between two of the experiment's pictures, with their figures.
        validation: other images for the pictures than the experiment's own; None for its own, where it has some.
        rule: how parameters and the optimiser's state lie on the devices; each has all of them by default.
        devices: use the first so many; all by default.
        initial: weights that a new run starts from; an interrupted run goes on with its own.
        profile: steps that are traced into `profile/`, for TensorBoard or Perfetto.
        tensorboard: write the log's figures into `tensorboard/` too, by tensorboardX.

    Returns:
        The final state.

    Raises:
        ValueError: if the batch does not divide over the devices, or an option cannot be kept.
        FloatingPointError: if no step between two lines of the log had a finite loss and gradient; those that have
            none change nothing and are counted. The last checkpoint stays.
        CheckpointError: if the last checkpoint cannot be resumed.
        KeyboardInterrupt: at Ctrl-C, after the step in hand was saved; a second Ctrl-C does not wait.
    """
    mesh = data_mesh(devices)
    share = mesh.size * experiment.parts
    if experiment.batch % share:
        raise ValueError(
            f"batch is {experiment.batch}, expected a multiple of {share}, the {mesh.size} devices times "
            f"{experiment.parts} parts: choose another batch"
        )
    source = experiment.source()
    check_crop(source, experiment.crop)
    storable = _storable(experiment)
    if tensorboard and importlib.util.find_spec("tensorboardX") is None:
        raise ValueError(
            "tensorboard needs tensorboardX: pip install 'jaxir[track]', or leave it out"
        )
    if profile is not None and profile.stop > experiment.steps + 1:
        raise ValueError(
            f"profile is {profile.start}:{profile.stop - 1}, expected steps up to {experiment.steps}"
        )
    workdir = Path(workdir)
    workdir.mkdir(parents=True, exist_ok=True)
    transform = experiment.optimizer(experiment.steps)
    begin = functools.partial(initial_state, experiment, transform)
    layout = shardings(mesh, jax.eval_shape(begin), rule)
    start = jax.jit(begin, out_shardings=layout)
    arrays, rest = eqx.partition(experiment.objective, eqx.is_array)
    arrays = jax.device_put(arrays, replicated(mesh))  # the weights of a teacher are arguments too

    def advance(state: TrainState, images: Array, arrays: PyTree) -> tuple[TrainState, Metrics]:
        objective = eqx.combine(arrays, rest)
        run = dataclasses.replace(experiment, objective=objective)
        return train_step(run, transform, state, images)

    jitted = jax.jit(
        advance,
        in_shardings=(layout, split(mesh), replicated(mesh)),
        out_shardings=(layout, replicated(mesh)),
        donate_argnums=0,
    )
    if validation is None and experiment.validation is not None:
        validation = experiment.validation()
    alone, leading = jax.process_count() == 1, jax.process_index() == 0
    looking = validation is not None and alone
    if experiment.best is not None and not (looking and storable):
        raise ValueError(
            f"best is {experiment.best!r}, but there are no pictures to judge by or no weights to keep: give "
            "validation, one process and a network of jaxir, or leave best out"
        )
    log_name = "metrics.jsonl" if leading else f"metrics-{jax.process_index()}.jsonl"
    with _stop_on_signals() as caught, Checkpoints(workdir / "checkpoints") as checkpoints:
        _record(workdir / "run.json", experiment, resumed=checkpoints.some)
        state = start()
        state = checkpoints.restore(state) or _begin(state, initial)
        first = int(state.step)
        if leading and experiment.best is not None:
            _drop_later(workdir / "best", experiment.best, first)
        settings = {"batch": experiment.batch, "size": experiment.crop}
        ours = _rows(mesh, experiment.batch)

        def make(i: int) -> np.ndarray:
            return crop_batch(source, seed=experiment.seed, step=i, part=ours, **settings)

        def show(i: int) -> None:
            denoiser = experiment.denoiser(_whole(mesh, state.ema[0]))
            with log.pause():
                figures = experiment.preview(workdir / f"preview-{i}.png", denoiser, validation)
                if experiment.best is not None:
                    _keep_best(workdir / "best", experiment, denoiser, figures, i)
            log.write(i, **figures)

        with (
            closing(prefetch(make, first, experiment.steps)) as batches,
            closing(
                Log(
                    workdir / log_name,
                    name=experiment.name,
                    steps=experiment.steps,
                    batch=experiment.batch,
                    first=first,
                    skipped=int(state.skipped),
                    tensorboard=workdir / "tensorboard" if tensorboard and leading else None,
                )
            ) as log,
            Profile(workdir / "profile", profile) as profiling,
        ):
            step = None
            for i, batch in enumerate(log.waiting(batches), first + 1):
                whole = (experiment.batch, *batch.shape[1:])
                images = jax.make_array_from_process_local_data(split(mesh), batch, whole)
                if step is None:
                    began = time.perf_counter()
                    traced = jitted.trace(state, images, arrays)
                    step, count = traced.lower().compile(), counted(traced.jaxpr.jaxpr)
                    seconds = time.perf_counter() - began
                    log.compiled(seconds, count, mesh.size, mesh.devices[0].device_kind)
                profiling.before(i)
                state, metrics = step(state, images, arrays)
                profiling.after(i, metrics.loss)
                stopped = bool(caught) if alone else reached_preemption_sync_point(i)
                last = i == experiment.steps or stopped
                saving = last or i % save_every == 0
                if saving or i % log_every == 0:
                    found = jax.device_get(metrics)
                    log.step(
                        i,
                        loss=float(found.loss),
                        gradient=float(found.gradient_norm),
                        skipped=int(found.skipped),
                        by_time=found.by_time.tolist(),
                        memory=_peak_memory(mesh),
                    )
                try:  # the picture first, so that a run killed here makes it again; an error in it loses no step
                    if looking and (i % preview_every == 0 or i == experiment.steps):
                        show(i)
                finally:
                    if saving:
                        checkpoints.save(state)
                if last:
                    break
        for number, decay in enumerate(experiment.decays):
            params = _whole(mesh, state.ema[number])
            if leading and storable:
                folder = workdir / ("model" if number == 0 else f"model-{decay}")
                save_denoiser(folder, experiment.denoiser(params), experiment.network)
    if signal.SIGINT in caught:
        raise KeyboardInterrupt
    return state


def _storable(experiment: Experiment) -> bool:
    """Whether the weights can be written as `jaxir.load` reads them; if not, a warning says it before training."""
    try:
        configuration(experiment.denoiser({}), experiment.network)
    except WeightsError as error:
        warnings.warn(f"the run will leave checkpoints and no model/: {error}", stacklevel=3)
        return False
    return True


def _keep_best(
    folder: Path,
    experiment: Experiment,
    denoiser: NetworkDenoiser,
    figures: dict[str, float],
    step: int,
) -> None:
    """Keep the weights if they have more of the experiment's figure than those in the folder.

    Raises:
        ValueError: if the preview has no such figure.
    """
    name = experiment.best
    if name not in figures:
        raise ValueError(
            f"best is {name!r}, expected one of the preview's figures: {', '.join(figures)}"
        )
    record = folder / "best.json"
    before = json.loads(record.read_text())[name] if record.exists() else -math.inf
    if figures[name] > before:
        save_denoiser(folder, denoiser, experiment.network)
        record.write_text(json.dumps({"step": step, name: figures[name]}) + "\n")


def _drop_later(folder: Path, name: str, step: int) -> None:
    """Remove kept weights that a later step than this one made, or that another figure chose."""
    record = folder / "best.json"
    if record.exists():
        kept = json.loads(record.read_text())
        if kept["step"] > step or name not in kept:
            shutil.rmtree(folder)


def _peak_memory(mesh: Mesh) -> int | None:
    """The most bytes that a device of this process has held, where it says so."""
    name, statistics = "peak_bytes_in_use", [d.memory_stats() or {} for d in mesh.local_devices]
    return max((each[name] for each in statistics if name in each), default=None)


def _whole(mesh: Mesh, params: Params) -> Params:
    """Parameters that may be split over the devices of all hosts, on this one."""

    def gathered(
        leaf: jax.Array,
    ) -> jax.Array:  # one at a time: together they may not fit on a device
        return jnp.asarray(np.asarray(jax.device_put(leaf, replicated(mesh))))

    return jax.tree.map(gathered, params)


def _rows(mesh: Mesh, batch: int) -> slice:
    """The rows of the global batch that lie on this process's devices, which are neighbours in the mesh."""
    taken = split(mesh).addressable_devices_indices_map((batch,)).values()
    starts, stops = zip(*(rows[0].indices(batch)[:2] for rows in taken), strict=True)
    return slice(min(starts), max(stops))


def _record(path: Path, experiment: Experiment, *, resumed: bool) -> None:
    """Write what the run is made of; refuse to go on with a run that was made of something else.

    Raises:
        CheckpointError: if a setting differs from the run's own.
    """
    settings = experiment.settings()
    if resumed and path.exists():
        for name, before in json.loads(path.read_text())["settings"].items():
            if settings.get(name) != before:
                raise CheckpointError(
                    f"{name} is {settings.get(name)} but the run in {path.parent} has {before}: "
                    "give it the same, or choose another workdir"
                )
    record = {"name": experiment.name, "settings": settings, "provenance": provenance()}
    if jax.process_index() == 0:
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps(record, indent=2) + "\n")
        partial.replace(path)


def _begin(state: TrainState, initial: NetworkDenoiser | None) -> TrainState:
    """The state of a new run, with other weights where they are given."""
    if initial is None:
        return state
    if jax.tree.map(jnp.shape, initial.params) != jax.tree.map(jnp.shape, state.params):
        raise ValueError(
            "the initial weights do not fit the experiment's network: use the network they belong to"
        )

    def place(new: Params, old: Params) -> Params:
        return jax.tree.map(lambda n, o: jax.device_put(jnp.copy(n), o.sharding), new, old)

    params = place(initial.params, state.params)
    ema = tuple(place(initial.params, average) for average in state.ema)
    return dataclasses.replace(state, params=params, ema=ema)


@contextmanager
def _stop_on_signals() -> Iterator[list[int]]:
    """A list that SIGTERM and Ctrl-C fill; the loop ends after the step in hand, whose state is whole.

    An exception would come between a step that has consumed its state and the assignment of the new one. The
    second Ctrl-C is an exception.
    """
    caught: list[int] = []
    previous = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def note(number: int, _: object) -> None:
        caught.append(number)
        if number == signal.SIGINT:
            signal.signal(number, previous[signal.SIGINT])

    if jax.process_count() > 1:  # JAX hears the signal, and tells all processes the step to stop at
        yield caught
        return
    try:
        for number in previous:
            signal.signal(number, note)
    except ValueError:  # not the main thread: somebody else handles signals
        yield caught
        return
    try:
        yield caught
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
