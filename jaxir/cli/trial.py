"""One trial: spoil an image as a task says, restore it by every method, measure. What `demo` and `bench` repeat."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

import jax
import jax.numpy as jnp

from jaxir import methods
from jaxir.cli.tasks import Task, spoil
from jaxir.metrics import psnr, ssim
from jaxir.report import Result
from jaxir.restoration import restore

if TYPE_CHECKING:
    from jaxir.denoisers import Denoiser
    from jaxir.methods import Method
    from jaxir.samplers import Samples
    from jaxir.typing import Image, Key

METHODS: dict[str, Method] = {
    "DiffPIR": methods.diffpir,
    "MMPS": methods.mmps,
    "ΠGDM": methods.pigdm,
}
"""The methods of the demo, with one setting for every task: their defaults."""


class Outcome(NamedTuple):
    """One image by one method: the row of the table, the estimate, and the samples where there are some."""

    result: Result
    image: Image
    samples: Samples | None = None


def trial(
    key: Key,
    name: str,
    task: Task,
    truth: Image,
    *,
    denoiser: Denoiser,
    chosen: Mapping[str, Method],
    steps: int,
    samples: int,
    callback: Callable[[str, int, int], None] = lambda label, done, total: None,
    refused: Callable[[str, Exception], None] | None = None,
) -> Iterator[Outcome]:
    """The degraded input, the classical baselines, then every method, as they are ready.

    `over_baseline` is the gain over the best of the baselines. A method that does not admit the task, or diverges, is
    told to `refused` and left out; without one the error is raised.
    """
    spoil_key, sample_key = jax.random.split(key)
    degradation, y = spoil(task, spoil_key, truth)
    view = task.view(y, degradation)
    given = float(psnr(view, truth))
    yield Outcome(
        Result(name, "input", given, None, None, None, float(ssim(view, truth)), None, None), view
    )

    baseline = -math.inf
    for label, classical in task.baselines.items():
        image = jnp.clip(classical(y, degradation), -1, 1)
        value, score = float(psnr(image, truth)), float(ssim(image, truth))
        baseline = max(baseline, value)
        row = Result(name, label, value, None, value - given, None, score, None, None)
        yield Outcome(row, image)

    for label, method in chosen.items():
        try:
            drawn = restore(
                y,
                degradation,
                prior=denoiser,
                method=method,
                steps=steps,
                samples=samples,
                key=sample_key,
                callback=functools.partial(callback, label),
            )
        except (TypeError, ValueError, FloatingPointError) as error:
            if refused is None:
                raise
            refused(label, error)
            continue
        mean = jnp.clip(drawn.mean, -1, 1)
        value = float(psnr(mean, truth))
        single = jax.vmap(lambda image: psnr(jnp.clip(image, -1, 1), truth))(drawn.images)
        evaluations = drawn.diagnostics.get("evaluations")
        row = Result(
            name,
            label,
            value,
            float(single.mean()),
            value - given,
            value - baseline,
            float(ssim(mean, truth)),
            None if evaluations is None else int(evaluations),
            drawn.diagnostics["seconds"],
        )
        yield Outcome(row, mean, drawn)
