"""What is wrong with a training run, found in a minute before it takes a day.

Most runs that "give noise" or "give grey" have images in the wrong range, a deviation that is not the data's, layers
that no gradient reaches, or a rate that cannot even learn one batch by heart. Each is measured here on the experiment
itself, with its own network, loss and optimiser.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, UInt8

from jaxir.data import check_crop, crop_batch
from jaxir.denoisers import Residual
from jaxir.finding import Finding
from jaxir.mesh import data_mesh, split
from jaxir.training.experiment import Experiment
from jaxir.training.step import Metrics, TrainState, initial_state, train_step
from jaxir.typing import Params


def diagnose(
    experiment: Experiment,
    *,
    steps: int = 200,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Finding]:
    """Look at one batch, then learn it by heart with its noise and its times fixed.

    Args:
        experiment: as for `train`, with its data.
        steps: of learning the batch.
        progress: is called with (steps done, steps).

    Raises:
        ValueError: if `steps` < 1, or the batch does not divide over the devices.
    """
    if steps < 1:
        raise ValueError(f"steps is {steps}, expected at least 1")
    mesh = data_mesh()
    if experiment.batch % mesh.size:
        raise ValueError(
            f"batch is {experiment.batch}, expected a multiple of the {mesh.size} devices: choose another batch"
        )
    source = experiment.source()
    check_crop(source, experiment.crop)
    crops = crop_batch(
        source, seed=experiment.seed, step=0, batch=experiment.batch, size=experiment.crop
    )
    images = jax.device_put(crops, split(mesh))
    findings = _ranges(experiment, images)
    transform = experiment.optimizer(experiment.steps)
    start = jax.jit(functools.partial(initial_state, experiment, transform))()

    @jax.jit
    def step(state: TrainState, images: UInt8[Array, "n h w c"]) -> tuple[TrainState, Metrics]:
        """The same noise and times at every step: they are decided by the number of the step."""
        first = dataclasses.replace(state, step=jnp.zeros_like(state.step))
        return train_step(experiment, transform, first, images)

    state, seen = start, []
    for i in range(steps):
        state, metrics = step(state, images)
        seen.append(metrics)
        progress(i + 1, steps)
    first, last = jax.device_get((seen[0], seen[-1]))
    return [
        *findings,
        _learnt([float(metrics.loss) for metrics in jax.device_get(seen)], int(last.skipped)),
        _by_time(first, last),
        _moved(start.params, state.params),
    ]


def _ranges(experiment: Experiment, images: UInt8[Array, "n h w c"]) -> list[Finding]:
    """The range and the deviation of x0 and y."""
    keys = jax.random.split(jax.random.key(experiment.seed), len(images))
    x0, y = jax.jit(jax.vmap(experiment.pairing))(keys, images.astype(jnp.float32) / 127.5 - 1)
    findings = [_range("x0", np.asarray(x0))]
    what, spread = "x0", np.asarray(x0)
    if y is not None:
        findings.append(_range("y", np.asarray(y)))
        if isinstance(experiment.prediction, Residual) and y.shape == x0.shape:
            what, spread = "x0 − y", np.asarray(x0 - y)
        if y.shape == x0.shape and bool(jnp.all(y == x0)):
            findings.append(Finding("pairs", "y equals x0", "let the pairing degrade the image"))
    root = float(np.sqrt(np.mean(spread**2)))
    far = not experiment.data_std / 2 < root < 2 * experiment.data_std
    advice = f"set data_std to about {root:.2g}, or the network's input and output are badly scaled"
    findings.append(
        Finding(
            "data_std",
            f"the root mean square of {what} is {root:.3g}, data_std is {experiment.data_std:g}",
            advice if far else None,
        )
    )
    return findings


def _range(name: str, values: np.ndarray) -> Finding:
    if not np.all(np.isfinite(values)):
        return Finding(f"range of {name}", "not finite", "look for a division by zero in pairing")
    low, high = float(values.min()), float(values.max())
    advice = None
    if low < -4 or high > 4:
        advice = "images are in [-1, 1] here: divide by 127.5 and subtract 1"
    elif low >= 0 and high > 0:
        advice = "nothing is negative: images are in [-1, 1] here, not in [0, 1]"
    elif low == high:
        advice = "every number is the same: look at the images"
    return Finding(f"range of {name}", f"[{low:.3g}, {high:.3g}]", advice)


def _learnt(losses: list[float], skipped: int) -> Finding:
    if skipped:
        advice = "lower the learning rate or clip the gradient"
        return Finding("one batch by heart", f"{skipped} steps were not finite", advice)
    before, after = losses[0], float(np.mean(losses[-5:]))
    found = f"the loss falls from {before:.3g} to {after:.3g} in {len(losses)} steps"
    advice = "raise the learning rate, shorten the warm-up, or look at the prediction and its scale"
    return Finding("one batch by heart", found, None if after < before / 2 else advice)


def _by_time(first: Metrics, last: Metrics) -> Finding:
    def line(values: Array) -> str:
        return ", ".join("none" if np.isnan(v) else f"{v:.3g}" for v in np.asarray(values))

    share = np.nan_to_num(first.by_time) / max(np.nansum(first.by_time), 1e-30)
    found = f"{line(first.by_time)} at first, {line(last.by_time)} at last (clean to noisy)"
    advice = "weigh the times evenly: another prediction, weighting or law of the times"
    return Finding("loss by quarter of t", found, advice if share.max() > 0.95 else None)


def _moved(before: Params, after: Params) -> Finding:
    """Which weights are as they were."""
    still = jax.tree_util.tree_leaves_with_path(
        jax.tree.map(lambda a, b: bool(jnp.all(a == b)), before, after)
    )
    names = [jax.tree_util.keystr(path, simple=True, separator="/") for path, same in still if same]
    found = f"{len(names)} of {len(still)} arrays of weights never moved"
    if names:
        found += f", such as {', '.join(names[:3])}"
    advice = "no gradient reaches them: a part of the network is cut off, or its input is zero"
    return Finding("dead layers", found, advice if names else None)
