"""The door: keys, batches, devices, progress. Inside it everything is one image."""

from __future__ import annotations

import functools
import operator
import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PyTree

from jaxir.denoisers import Denoiser, Estimate, on
from jaxir.mesh import data_mesh, split
from jaxir.processes import Process, log_snr_times
from jaxir.samplers.discrete import Discrete
from jaxir.samplers.sampler import Sampler
from jaxir.samplers.samples import Samples
from jaxir.typing import Image, Key, Scalar, Times

START = 2**31 - 1
"""The fold of a draw's key that makes its first state; steps fold in their number."""

Callback = Callable[[int, int], None]
"""(done, total) -> None, called now and then; it may raise, which cancels the sampling."""

Watch = Callable[[Image], None]
"""Gets an estimate of the clean image, called as often."""


def sample(
    key: Key,
    denoiser: Denoiser,
    y: Array | None = None,
    *,
    shape: tuple[int, int, int],
    sampler: Sampler = Discrete(),
    times: int | Times = 50,
    samples: int = 1,
    chunk: int | None = None,
    process: Process | None = None,
    callback: Callback | None = None,
    watch: Watch | None = None,
    strict: bool = True,
) -> Samples:
    """Draw images from a denoiser's law, or from its posterior where the denoiser is guided.

    Draw i depends on `fold_in(key, i)` alone: the same whatever `samples`, `chunk` and the number of devices, over
    which the draws are spread where they divide, or else the particles of each.

    Args:
        key: a JAX random key.
        denoiser: D(x, t, y).
        y: the measurement, given to the denoiser at every step.
        shape: (H, W, C) of the images.
        sampler: how to go from noise to image.
        times: decreasing times inside the span, or how many, equally spaced in log-SNR.
        samples: number of runs; each is one draw, or a population where the sampler has particles.
        chunk: draws at a time, which bounds the memory; all by default. Images of several chunks are on the host.
        process: another process to sample on than the denoiser's own.
        callback: gets (done, total) as the work goes on; raise in it to cancel.
        watch: gets the estimate that the first draw has reached, as often, where the sampler has one to show.
        strict: raise where an image is not finite; otherwise it stays among the images.

    Raises:
        ValueError: if samples, chunk or times are not as described.
        FloatingPointError: if an image is not finite and `strict`.
    """
    if len(shape) != 3 or min(shape) < 1:
        raise ValueError(
            f"shape is {tuple(shape)}, expected (height, width, channels), all at least 1"
        )
    if samples < 1:
        raise ValueError(f"samples is {samples}, expected at least 1")
    if chunk is not None and chunk < 1:
        raise ValueError(f"chunk is {chunk}, expected at least 1")
    if process is not None:
        denoiser = on(process, denoiser)
    grid = (
        log_snr_times(denoiser.process, operator.index(times))
        if np.ndim(times) == 0
        else jnp.asarray(times)
    )
    _check_grid(grid, denoiser.process)
    sampler.check(denoiser.process, grid)
    if denoiser.process.coupled and sampler.needs_y and not denoiser.sees_y:
        raise ValueError(
            f"{type(denoiser).__name__} does not see the degraded image that {type(denoiser.process).__name__} moves "
            "towards, and this sampler would not have the law of x0 given y: use a denoiser with sees_y, or "
            "Discrete(Bridge()), which needs no y"
        )
    size = min(chunk or samples, samples)
    windows = sampler.windows(len(grid))
    total, done, began = -(-samples // size) * len(windows), 0, time.perf_counter()
    estimate, bad = None, 0
    for first in range(0, samples, size):
        numbers = jnp.arange(first, first + size)
        keys = _spread(jax.vmap(jax.random.fold_in, (None, 0))(key, numbers))
        state = _start(keys, denoiser, sampler, tuple(shape), grid, y)
        for window in windows:
            state = _run(keys, denoiser, sampler, state, grid, y, *window)
            jax.block_until_ready(state)  # one wait a window, so that Ctrl-C is heard
            done += 1
            if watch is not None and first == 0:
                shown = sampler.view(state)
                if shown is not None:
                    watch(shown[0])
            if callback is not None:
                callback(done, total)
        found = _finish(denoiser, sampler, state, grid, y)._replace(mix=None)
        finite = jnp.isfinite(found.x0_hat).all(axis=(-3, -2, -1))[: samples - first]
        bad += int(jnp.sum(~finite))
        estimate = found if size == samples else _stored(estimate, found, first, samples)
        del state, found  # nothing of a chunk stays behind while the next is drawn
    images = estimate.x0_hat.reshape(-1, *shape)
    if bad and strict:
        raise FloatingPointError(
            f"{bad} of {len(images)} samples are not finite: use more steps, a smaller guidance scale, or another "
            "method; strict=False returns them all, and Samples.finite tells which are"
        )
    info = {name: float(np.max(value)) for name, value in (estimate.info or {}).items()}
    seconds = time.perf_counter() - began
    diagnostics = {**sampler.report(grid), "seconds": seconds, **info}
    return Samples(images, diagnostics, estimate.unknowns, samples)


def _check_grid(times: Times, process: Process) -> None:
    grid, (low, high) = np.asarray(times), process.span
    if grid.ndim != 1 or not grid.size or np.any(np.diff(grid) >= 0):
        raise ValueError(
            f"times has shape {grid.shape}, expected a strictly decreasing list of times"
        )
    slack = 1e-6 * (high - low)
    if grid[0] > 1 + slack or grid[-1] < low - slack:
        raise ValueError(
            f"times run from {grid[0]} to {grid[-1]}, expected them between 1 and {low}, the clean end of the span "
            f"of {type(process).__name__}"
        )


def _spread(runs: Array) -> Array:
    """Over all devices, where they divide: the runs, or else the images of each run."""
    mesh = data_mesh()
    for axis in range(max(1, runs.ndim - 3)):
        if runs.shape[axis] % mesh.size == 0:
            return jax.lax.with_sharding_constraint(runs, split(mesh, axis))
    return runs


def _stored(whole: PyTree | None, part: PyTree, first: int, count: int) -> PyTree:
    """A chunk at its place on the host among all `count` draws."""
    part = jax.device_get(part)
    if whole is None:
        whole = jax.tree.map(lambda leaf: np.empty((count, *leaf.shape[1:]), leaf.dtype), part)
    for into, leaf in zip(jax.tree.leaves(whole), jax.tree.leaves(part), strict=True):
        into[first : first + len(leaf)] = leaf[: count - first]
    return whole


@functools.partial(jax.jit, static_argnames="shape")
def _start(
    keys: Key,
    denoiser: Denoiser,
    sampler: Sampler,
    shape: tuple[int, int, int],
    times: Times,
    y: Array | None,
) -> PyTree:
    law = sampler.start(denoiser, jnp.zeros(shape), times, y)
    x = jax.vmap(lambda key: law.sample(jax.random.fold_in(key, START)))(keys)
    return jax.vmap(lambda x: sampler.init(denoiser, x, times, y))(_spread(x))


@functools.partial(jax.jit, donate_argnames="state")
def _run(
    keys: Key,
    denoiser: Denoiser,
    sampler: Sampler,
    state: PyTree,
    times: Times,
    y: Array | None,
    start: Scalar,
    stop: Scalar,
) -> PyTree:
    run = functools.partial(
        sampler.run, denoiser=denoiser, times=times, y=y, start=start, stop=stop
    )
    return jax.vmap(lambda key, state: run(key, state=state))(keys, state)


@jax.jit
def _finish(
    denoiser: Denoiser, sampler: Sampler, state: PyTree, times: Times, y: Array | None
) -> Estimate:
    return jax.vmap(lambda state: sampler.finish(denoiser, state, times, y))(state)
