"""The training loop: data in, steps, logs, pictures and checkpoints out.

The loop holds no state of its own. A run is (experiment, folder): started again with the same two it goes on
where it stopped, bit for bit; SIGTERM and Ctrl-C save first.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import signal
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental.multihost_utils import reached_preemption_sync_point
from jax.sharding import Mesh
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from jaxir.data import Source, check_crop, crop_batch, prefetch
from jaxir.denoisers import NetworkDenoiser
from jaxir.mesh import Rule, data_mesh, replicate, replicated, shardings, split
from jaxir.pretrained import save_denoiser
from jaxir.provenance import provenance
from jaxir.training.checkpoint import CheckpointError, Checkpoints
from jaxir.training.experiment import Experiment
from jaxir.training.step import TrainState, initial_state, train_step
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
    initial: NetworkDenoiser | None = None,
) -> TrainState:
    """Run an experiment to its last step, or go on with a run that was interrupted.

    Writes into `workdir`: `run.json`, `checkpoints/`, `metrics.jsonl`, `preview-STEP.png` and at the end (and at
    SIGTERM or Ctrl-C) `model/`, the averaged weights in the form that `jaxir.load` reads. Of several processes each
    has a log, and the first writes the rest; they draw no pictures.

    Args:
        experiment: what to train.
        workdir: the run's folder, made if missing.
        log_every: steps between two lines of `metrics.jsonl`.
        save_every: steps between two checkpoints; each has a line too, so that none is written of a loss gone wrong.
        preview_every: steps between two of the experiment's pictures, with their figures.
        validation: other images for the pictures than the experiment's own.
        rule: how parameters and the optimiser's state lie on the devices; each has all of them by default.
        initial: weights that a new run starts from; an interrupted run goes on with its own.

    Returns:
        The final state.

    Raises:
        ValueError: if the batch does not divide over the devices.
        FloatingPointError: if no step between two lines of the log had a finite loss and gradient; those that have
            none change nothing and are counted. The last checkpoint stays.
        CheckpointError: if the last checkpoint cannot be resumed.
        KeyboardInterrupt: at Ctrl-C, after the step in hand was saved; a second Ctrl-C does not wait.
    """
    mesh = data_mesh()
    share = mesh.size * experiment.parts
    if experiment.batch % share:
        raise ValueError(
            f"batch is {experiment.batch}, expected a multiple of {share}, the {mesh.size} devices times "
            f"{experiment.parts} parts: choose another batch"
        )
    source = experiment.source()
    check_crop(source, experiment.crop)
    workdir = Path(workdir)
    workdir.mkdir(parents=True, exist_ok=True)
    transform = experiment.optimizer(experiment.steps)
    begin = functools.partial(initial_state, experiment, transform)
    layout = shardings(mesh, jax.eval_shape(begin), rule)
    start = jax.jit(begin, out_shardings=layout)
    jitted = jax.jit(
        functools.partial(train_step, experiment, transform),
        in_shardings=(layout, split(mesh)),
        out_shardings=(layout, replicated(mesh)),
        donate_argnums=0,
    )
    if validation is None and experiment.validation is not None:
        validation = experiment.validation()
    alone = jax.process_count() == 1
    looking = validation is not None and alone
    log_name = (
        "metrics.jsonl" if jax.process_index() == 0 else f"metrics-{jax.process_index()}.jsonl"
    )
    with _stop_on_signals() as caught, Checkpoints(workdir / "checkpoints") as checkpoints:
        state = start()
        state = checkpoints.restore(state) or _begin(state, initial)
        first = int(state.step)
        _record(workdir / "run.json", experiment, resumed=first > 0)
        settings = {"batch": experiment.batch, "size": experiment.crop}
        ours = _rows(mesh, experiment.batch)

        def make(i: int) -> np.ndarray:
            return crop_batch(source, seed=experiment.seed, step=i, part=ours, **settings)

        with (
            closing(prefetch(make, first, experiment.steps)) as batches,
            closing(Log(workdir / log_name, experiment, first, int(state.skipped))) as log,
        ):
            step = None
            for i, batch in enumerate(log.waiting(batches), first + 1):
                whole = (experiment.batch, *batch.shape[1:])
                images = jax.make_array_from_process_local_data(split(mesh), batch, whole)
                if step is None:
                    step = jitted.lower(state, images).compile()
                    log.compiled(step, mesh.size)
                state, metrics = step(state, images)
                stopped = bool(caught) if alone else reached_preemption_sync_point(i)
                last = i == experiment.steps or stopped
                saving = last or i % save_every == 0
                if saving or i % log_every == 0:
                    loss, gradient, skipped = jax.device_get(
                        (metrics.loss, metrics.gradient_norm, metrics.skipped)
                    )
                    log.step(i, float(loss), float(gradient), int(skipped))
                if saving:
                    checkpoints.save(state)
                if looking and (i % preview_every == 0 or i == experiment.steps):
                    denoiser = experiment.denoiser(_whole(mesh, state.ema))
                    path = workdir / f"preview-{i}.png"
                    log.write(i, **experiment.preview(path, denoiser, validation))
                if last:
                    break
        params = _whole(mesh, state.ema)
        if jax.process_index() == 0:
            save_denoiser(workdir / "model", experiment.denoiser(params), experiment.network)
    if signal.SIGINT in caught:
        raise KeyboardInterrupt
    return state


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

    params, ema = place(initial.params, state.params), place(initial.params, state.ema)
    return dataclasses.replace(state, params=params, ema=ema)


class Log:
    """The progress bar and `metrics.jsonl`, one line for each call of `write`."""

    def __init__(self, path: Path, experiment: Experiment, first: int, skipped: int) -> None:
        partial = path.with_suffix(".partial")
        partial.write_text("".join(_lines(path, first)))
        partial.replace(path)
        self._file = path.open("a")
        self._batch, self._last, self._flops = experiment.batch, (first, time.perf_counter()), 0.0
        self._counted, self._waited = (first, skipped), 0.0
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
        )
        self._task = self._bar.add_task(
            experiment.name, total=experiment.steps, completed=first, note="compiling"
        )
        self._bar.start()

    def compiled(self, step: jax.stages.Compiled, devices: int) -> None:
        """Take the operations of a step, on all devices, from the compiler, and start the clock."""
        self._flops = (step.cost_analysis() or {}).get("flops", 0.0) * devices
        self._last, self._waited = (self._last[0], time.perf_counter()), 0.0

    def waiting(self, batches: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """The batches, while the time that is spent on waiting for them is taken."""
        coming = iter(batches)
        while True:
            began = time.perf_counter()
            batch = next(coming, None)
            self._waited += time.perf_counter() - began
            if batch is None:
                return
            yield batch

    def step(self, step: int, loss: float, gradient: float, skipped: int) -> None:
        """Append the line of a training step, without what is not finite.

        Raises:
            FloatingPointError: if no step since the last line was finite; no line is written then.
        """
        before, known = self._counted
        missed, taken = skipped - known, step - before
        if missed and missed >= taken:
            raise FloatingPointError(
                f"the loss at step {step} is {loss}, its gradient {gradient}, and none of the last {taken} steps had a "
                "finite update: lower the learning rate or clip the gradient; the last checkpoint is kept"
            )
        self._counted = (step, skipped)
        values = {"loss": loss, "gradient": gradient} | ({"skipped": skipped} if skipped else {})
        self.write(step, **values)

    def write(self, step: int, **values: float) -> None:
        """Append one line with the step, the speed since the last line and the finite ones of `values`."""
        (before, then), now = self._last, time.perf_counter()
        line = {name: value for name, value in values.items() if np.isfinite(value)}
        if step > before:
            rate = (step - before) / (now - then)
            line |= {
                "images_per_s": rate * self._batch,
                "tflop_per_s": rate * self._flops / 1e12,
                "data_wait": self._waited / (now - then),
            }
            self._last, self._waited = (step, now), 0.0
        rounded = {name: float(f"{value:.6g}") for name, value in line.items()}
        self._file.write(json.dumps({"step": step, **rounded}) + "\n")
        self._file.flush()
        note = "  ".join(f"{name} {value:.4g}" for name, value in line.items())
        self._bar.update(self._task, completed=step, note=note)

    def close(self) -> None:
        """Stop the bar and close the file."""
        self._bar.stop()
        self._file.close()


def _lines(path: Path, last: int) -> list[str]:
    """The lines of a log up to step `last`: what a killed run wrote after its last checkpoint is written again."""
    lines = path.read_text().splitlines(keepends=True) if path.exists() else []
    return [line for line in lines if line.endswith("\n") and json.loads(line)["step"] <= last]


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
