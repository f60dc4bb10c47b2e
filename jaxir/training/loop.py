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
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from jaxir.data import Source, crop_batch, prefetch
from jaxir.denoisers import NetworkDenoiser
from jaxir.mesh import data_mesh, replicated, split
from jaxir.pretrained import save_denoiser
from jaxir.provenance import provenance
from jaxir.training.checkpoint import CheckpointError, Checkpoints
from jaxir.training.experiment import Experiment
from jaxir.training.preview import write_preview
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
    initial: NetworkDenoiser | None = None,
) -> TrainState:
    """Run an experiment to its last step, or go on with a run that was interrupted.

    Writes into `workdir`: `run.json`, `checkpoints/`, `metrics.jsonl`, `preview-STEP.png` and at the end (and at
    SIGTERM or Ctrl-C) `model/`, the averaged weights in the form that `jaxir.load` reads.

    Args:
        experiment: what to train.
        workdir: the run's folder, made if missing.
        log_every: steps between two lines of `metrics.jsonl`.
        save_every: steps between two checkpoints; each has a line too, so that none is written of a loss gone wrong.
        preview_every: steps between two pictures of denoised validation crops, with their PSNR.
        validation: other images for the pictures than the experiment's own.

        initial: weights that a new run starts from; an interrupted run goes on with its own.

    Returns:
        The final state.

    Raises:
        ValueError: if the batch does not divide over the devices.
        FloatingPointError: if the loss or its gradient is not finite; the last checkpoint stays.
        CheckpointError: if the last checkpoint cannot be resumed.
        KeyboardInterrupt: at Ctrl-C, after the step in hand was saved; a second Ctrl-C does not wait.
    """
    mesh = data_mesh()
    if experiment.batch % mesh.size:
        raise ValueError(
            f"batch is {experiment.batch}, expected a multiple of the {mesh.size} devices: choose another batch"
        )
    workdir = Path(workdir)
    workdir.mkdir(parents=True, exist_ok=True)
    transform = experiment.optimizer(experiment.steps)
    start = jax.jit(
        functools.partial(initial_state, experiment, transform), out_shardings=replicated(mesh)
    )
    jitted = jax.jit(
        functools.partial(train_step, experiment, transform),
        in_shardings=(replicated(mesh), split(mesh)),
        out_shardings=replicated(mesh),
        donate_argnums=0,
    )
    if validation is None and experiment.validation is not None:
        validation = experiment.validation()
    with _stop_on_signals() as caught, Checkpoints(workdir / "checkpoints") as checkpoints:
        state = start()
        state = checkpoints.restore(state) or _begin(state, initial)
        first = int(state.step)
        _record(workdir / "run.json", experiment, resumed=first > 0)
        source = experiment.source()

        def make(i: int) -> np.ndarray:
            return crop_batch(
                source, seed=experiment.seed, step=i, batch=experiment.batch, size=experiment.crop
            )

        with (
            closing(prefetch(make, first, experiment.steps)) as batches,
            closing(Log(workdir / "metrics.jsonl", experiment, first)) as log,
        ):
            step = None
            for i, batch in enumerate(batches, first + 1):
                # every host makes the whole batch and keeps its part, so one seed means one batch
                images = jax.make_array_from_process_local_data(split(mesh), batch, batch.shape)
                if step is None:
                    step = jitted.lower(state, images).compile()
                    log.compiled(step, mesh.size)
                state, metrics = step(state, images)
                last = i == experiment.steps or bool(caught)
                saving = last or i % save_every == 0
                if saving or i % log_every == 0:
                    log.write(i, loss=float(metrics.loss), gradient=float(metrics.gradient_norm))
                if validation is not None and (i % preview_every == 0 or i == experiment.steps):
                    denoiser = experiment.denoiser(state.ema)
                    scores = write_preview(workdir / f"preview-{i}.png", denoiser, validation)
                    log.write(i, **scores)
                if saving:
                    checkpoints.save(state)
                if last:
                    break
        save_denoiser(workdir / "model", experiment.denoiser(state.ema), experiment.network)
    if signal.SIGINT in caught:
        raise KeyboardInterrupt
    return state


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
    path.write_text(json.dumps(record, indent=2) + "\n")


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

    def __init__(self, path: Path, experiment: Experiment, first: int) -> None:
        partial = path.with_suffix(".partial")
        partial.write_text("".join(_lines(path, first)))
        partial.replace(path)
        self._file = path.open("a")
        self._batch, self._last, self._flops = experiment.batch, (first, time.perf_counter()), 0.0
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
        self._last = (self._last[0], time.perf_counter())

    def write(self, step: int, **values: float) -> None:
        """Append one line with the step, the speed since the last line and `values`.

        Raises:
            FloatingPointError: if the loss or its gradient is not finite; no line is written then.
        """
        for name in ("loss", "gradient"):
            if not np.isfinite(values.get(name, 0.0)):
                raise FloatingPointError(
                    f"the {name} at step {step} is {values[name]}: lower the learning rate or clip the gradient; "
                    "the last checkpoint is kept"
                )
        (before, then), now = self._last, time.perf_counter()
        line = dict(values)
        if step > before:
            rate = (step - before) / (now - then)
            line |= {"images_per_s": rate * self._batch, "tflop_per_s": rate * self._flops / 1e12}
            self._last = (step, now)
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
