"""What a run tells: a progress bar, `metrics.jsonl`, and TensorBoard's files for who wants them.

Everything is measured between two lines, without what pictures take; nothing here touches a device.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

PEAKS = {
    "NVIDIA A100-PCIE-40GB": 312e12,
    "NVIDIA A100-SXM4-40GB": 312e12,
    "NVIDIA A100-SXM4-80GB": 312e12,
    "NVIDIA H100 80GB HBM3": 989e12,
    "NVIDIA H200": 989e12,
    "TPU v4": 275e12,
    "TPU v5": 459e12,
    "TPU v5 lite": 197e12,
    "TPU v5e": 197e12,
    "TPU v5p": 459e12,
    "TPU v6 lite": 918e12,
    "TPU v6e": 918e12,
}
"""Operations a second of dense bfloat16 products that makers state, by the name that JAX has for the device."""


class Log:
    """The progress bar and `metrics.jsonl`, one line for each call of `write`.

    Args:
        path: of the lines; those after step `first` are taken out, since the run goes on from there.
        name: for the bar.
        steps: of the whole run.
        batch: images a step.
        first: the step that the run begins after.
        skipped: steps that were skipped until then.
        tensorboard: a folder for TensorBoard's files, by `tensorboardX`.
    """

    def __init__(
        self,
        path: Path,
        *,
        name: str,
        steps: int,
        batch: int,
        first: int,
        skipped: int,
        tensorboard: Path | None = None,
    ) -> None:
        partial = path.with_suffix(".partial")
        partial.write_text("".join(_lines(path, first)))
        partial.replace(path)
        self._file = path.open("a")
        self._writer = None if tensorboard is None else _writer(tensorboard, first)
        self._batch, self._devices, self._operations = batch, 1, 0
        self._peak: float | None = None
        self._counted = (first, skipped)
        self._last, self._waited, self._paused = (first, time.perf_counter()), 0.0, 0.0
        self._once: dict[str, float] = {}
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
        )
        self._task = self._bar.add_task(name, total=steps, completed=first, note="compiling")
        self._bar.start()

    def compiled(self, seconds: float, operations: int, devices: int, kind: str) -> None:
        """Start the clock of a step of so many operations, on so many devices of this kind."""
        self._once = {"compile_s": seconds}
        self._operations, self._devices = operations, devices
        self._peak = PEAKS.get(kind)
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

    def step(
        self,
        step: int,
        loss: float,
        gradient: float,
        skipped: int,
        by_time: Sequence[float],
        memory: int | None,
    ) -> None:
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
        values = {"loss": loss, "gradient": gradient}
        values |= {f"loss_t{i}": value for i, value in enumerate(by_time, 1)}
        if skipped:
            values["skipped"] = skipped
        if memory is not None:
            values["peak_gb"] = memory / 1e9
        self.write(step, **values, **self._speed(step), **self._once)
        self._once = {}

    def write(self, step: int, **values: float) -> None:
        """Append one line with the step and the finite ones of `values`."""
        line = {name: value for name, value in values.items() if np.isfinite(value)}
        rounded = {name: float(f"{value:.6g}") for name, value in line.items()}
        self._file.write(json.dumps({"step": step, **rounded}) + "\n")
        self._file.flush()
        shown = ("loss", "gradient", "images_per_s", "data_wait", "skipped")
        some = {n: v for n, v in line.items() if n in shown or "loss" not in values}
        note = "  ".join(f"{name} {value:.4g}" for name, value in some.items())
        self._bar.update(self._task, completed=step, note=note)
        if self._writer is not None:
            for name, value in line.items():
                self._writer.add_scalar(name, value, step)

    @contextmanager
    def pause(self) -> Iterator[None]:
        """What is done here counts for nothing: pictures are not training."""
        began = time.perf_counter()
        yield
        self._paused += time.perf_counter() - began

    def _speed(self, step: int) -> dict[str, float]:
        """Since the last line."""
        (before, then), now = self._last, time.perf_counter()
        elapsed = now - then - self._paused
        self._last, waited = (step, now), self._waited
        self._waited = self._paused = 0.0
        if step == before or elapsed <= 0:
            return {}
        rate = (step - before) / elapsed
        speed = {
            "images_per_s": rate * self._batch,
            "images_per_s_per_device": rate * self._batch / self._devices,
            "tflop_per_s": rate * self._operations / 1e12,
            "data_wait": waited / elapsed,
        }
        if self._peak is not None:
            speed["mfu"] = rate * self._operations / (self._peak * self._devices)
        return speed

    def close(self) -> None:
        """Stop the bar and close the files."""
        self._bar.stop()
        self._file.close()
        if self._writer is not None:
            self._writer.close()


def _writer(folder: Path, first: int) -> Any:
    """What writes TensorBoard's files; its lines after `first` are hidden."""
    from tensorboardX import SummaryWriter

    return SummaryWriter(str(folder), purge_step=first + 1)


def _lines(path: Path, last: int) -> list[str]:
    """The lines of a log up to step `last`: what a killed run wrote after its last checkpoint is written again."""
    lines = path.read_text().splitlines(keepends=True) if path.exists() else []
    return [line for line in lines if line.endswith("\n") and json.loads(line)["step"] <= last]
