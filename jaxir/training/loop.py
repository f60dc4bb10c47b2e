"""The training loop: data in, steps, logs, pictures and checkpoints out.

The loop holds no state of its own. A run is (experiment, folder): started again with the same two it goes on
where it stopped, bit for bit; SIGTERM saves first.
"""

from __future__ import annotations

import functools
import json
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event

import jax
import numpy as np
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from jaxir.data import Source, crop_batch, prefetch
from jaxir.pretrained import save_denoiser
from jaxir.training.checkpoint import Checkpoints
from jaxir.training.experiment import Experiment
from jaxir.mesh import data_mesh, replicated, split
from jaxir.training.preview import write_preview
from jaxir.training.step import TrainState, initial_state, train_step


def train(
    experiment: Experiment,
    workdir: str | Path,
    *,
    log_every: int = 50,
    save_every: int = 500,
    preview_every: int = 1000,
    validation: Source | None = None,
) -> TrainState:
    """Run an experiment to its last step, or go on with a run that was interrupted.

    Writes into `workdir`: `checkpoints/`, `metrics.jsonl`, `preview-STEP.png` and at the end (and at SIGTERM or
    Ctrl-C) `model/`, the averaged weights in the form that `jaxir.load` reads.

    Args:
        experiment: what to train.
        workdir: the run's folder, made if missing.
        log_every: steps between two lines of `metrics.jsonl`.
        save_every: steps between two checkpoints.
        preview_every: steps between two pictures of denoised validation crops, with their PSNR.
        validation: images for the pictures; none, no pictures.

    Returns:
        The final state.

    Raises:
        ValueError: if the batch does not divide over the devices.
        FloatingPointError: if the loss is not finite; the last checkpoint stays.
    """
    workdir = Path(workdir)
    workdir.mkdir(parents=True, exist_ok=True)
    mesh = data_mesh()
    if experiment.batch % mesh.size:
        raise ValueError(
            f"batch is {experiment.batch}, expected a multiple of the {mesh.size} devices: choose another batch"
        )
    transform = experiment.optimizer(experiment.steps)
    start = jax.jit(
        functools.partial(initial_state, experiment, transform), out_shardings=replicated(mesh)
    )
    step = jax.jit(
        functools.partial(train_step, experiment, transform),
        in_shardings=(replicated(mesh), split(mesh)),
        out_shardings=replicated(mesh),
        donate_argnums=0,
    )
    with Checkpoints(workdir / "checkpoints") as checkpoints, _stop_on_sigterm() as stopped:
        state = start()
        state = checkpoints.restore(state) or state
        first = int(state.step)
        source = experiment.source()
        batches = prefetch(
            lambda i: crop_batch(
                source, seed=experiment.seed, step=i, batch=experiment.batch, size=experiment.crop
            ),
            first,
            experiment.steps,
        )
        log = Log(workdir / "metrics.jsonl", experiment, first)
        try:
            for i, batch in enumerate(batches, first + 1):
                images = jax.make_array_from_process_local_data(split(mesh), batch)
                if i == first + 1:
                    step = step.lower(state, images).compile()
                    log.compiled(step)
                state, metrics = step(state, images)
                if i % log_every == 0 or i == experiment.steps:
                    log.write(i, loss=float(metrics.loss), gradient=float(metrics.gradient_norm))
                if validation is not None and (i % preview_every == 0 or i == experiment.steps):
                    denoiser = experiment.denoiser(state.ema)
                    log.write(i, **write_preview(workdir / f"preview-{i}.png", denoiser, validation))
                if i % save_every == 0 or i == experiment.steps or stopped.is_set():
                    checkpoints.save(state)
                if stopped.is_set():
                    break
        except KeyboardInterrupt:
            checkpoints.save(state)
            raise
        finally:
            log.close()
        save_denoiser(workdir / "model", experiment.denoiser(state.ema), experiment.network)
    return state


class Log:
    """The progress bar and `metrics.jsonl`, one line for each call of `write`."""

    def __init__(self, path: Path, experiment: Experiment, first: int) -> None:
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

    def compiled(self, step: jax.stages.Compiled) -> None:
        """Take the operations of a step from the compiler, and start the clock."""
        self._flops = (step.cost_analysis() or {}).get("flops", 0.0)
        self._last = (self._last[0], time.perf_counter())

    def write(self, step: int, **values: float) -> None:
        """Append one line with the step, the speed since the last line and `values`.

        Raises:
            FloatingPointError: if the loss is not finite.
        """
        (before, then), now = self._last, time.perf_counter()
        line: dict[str, float] = {"step": step, **values}
        if step > before:
            rate = (step - before) / (now - then)
            line |= {"images_per_s": rate * self._batch, "tflop_per_s": rate * self._flops / 1e12}
            self._last = (step, now)
        self._file.write(json.dumps({k: float(f"{v:.6g}") for k, v in line.items()}) + "\n")
        self._file.flush()
        note = "  ".join(f"{k} {v:.4g}" for k, v in line.items() if k != "step")
        self._bar.update(self._task, completed=step, note=note)
        if not np.isfinite(values.get("loss", 0.0)):
            raise FloatingPointError(
                f"the loss at step {step} is {values['loss']}: lower the learning rate or clip the gradient; "
                "the last checkpoint is kept"
            )

    def close(self) -> None:
        """Stop the bar and close the file."""
        self._bar.stop()
        self._file.close()


@contextmanager
def _stop_on_sigterm() -> Iterator[Event]:
    """An event that SIGTERM sets; the loop ends after the step in hand."""
    stopped = Event()
    try:
        previous = signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    except ValueError:  # not the main thread: somebody else handles signals
        yield stopped
        return
    try:
        yield stopped
    finally:
        signal.signal(signal.SIGTERM, previous)
