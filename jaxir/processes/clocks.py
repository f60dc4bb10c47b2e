"""Grids of times for sampling and laws of times for training.

A grid is a decreasing array from the noisy end of a span to its clean end. The number of steps matters less than
where they lie: uniform in log-SNR is the default that suits every process.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from jaxir import expect
from jaxir.processes.process import Process
from jaxir.typing import Key, Scalar, Times


def _check(steps: int) -> None:
    if steps < 1:
        raise ValueError(f"steps is {steps}, expected at least 1 (each is one network evaluation)")


def uniform_times(process: Process, steps: int) -> Times:
    """`steps` times, equally spaced in t."""
    _check(steps)
    low, high = process.span
    return jnp.linspace(high, low, steps)


def quadratic_times(process: Process, steps: int) -> Times:
    """`steps` times whose square roots are equally spaced: more of them near the clean end.

    Source: [song2021ddim] App. D.2.
    """
    _check(steps)
    low, high = process.span
    times = jnp.linspace(high**0.5, low**0.5, steps) ** 2
    return _with_ends(process, times)


def cosine_times(process: Process, steps: int) -> Times:
    """`steps` times at ½(1 + cos πu) of the span, u uniform: dense at both ends, as a bridge wants them.

    Source: [li2023bbdm] (the cosine sampling schedule of its code).
    """
    _check(steps)
    low, high = process.span
    times = low + (high - low) * 0.5 * (1 + jnp.cos(jnp.pi * jnp.linspace(0, 1, steps)))
    return _with_ends(process, times)


def respaced_times(process: Process, alpha_bar: Array, steps: int) -> Times:
    """`steps` of the levels of a discrete model, evenly chosen from its table, as times of a process.

    A level is known by its log-SNR ½ log(ᾱ/(1 − ᾱ)), so a model trained on a table of 1000 levels is sampled at
    exactly those, on any process.

    Args:
        process: any process.
        alpha_bar: ᾱ at each level, decreasing, in (0, 1).
        steps: number of times, at most as many as levels; the noisiest and the cleanest level are among them.

    Raises:
        ValueError: if the table does not decrease, is shorter than `steps`, or has levels that the process never has.

    Source: [nichol2021improved] Sec. 4 (strided levels).
    """
    _check(steps)
    table = np.asarray(alpha_bar, np.float64)
    if table.ndim != 1 or len(table) < steps:
        raise ValueError(
            f"alpha_bar has shape {table.shape}, expected a table of at least {steps} levels"
        )
    if not (np.all(np.diff(table) < 0) and table[-1] > 0 and table[0] < 1):
        raise ValueError("alpha_bar does not decrease from 1 to 0: give ᾱ of every level in order")
    chosen = table[np.round(np.linspace(len(table) - 1, 0, steps)).astype(int)]
    ells = jnp.asarray(0.5 * (np.log(chosen) - np.log1p(-chosen)))
    times = process.time(ells)
    if expect.known(times) and not jnp.allclose(process.log_snr(times), ells, rtol=0, atol=0.01):
        raise ValueError(
            f"alpha_bar goes from {chosen[-1]:.3g} to {chosen[0]:.3g}, expected levels that "
            f"{type(process).__name__} reaches: choose its parameters or fewer levels"
        )
    return times


def log_snr_times(
    process: Process,
    steps: int,
    *,
    sigma_max: float | None = None,
    sigma_min: float | None = None,
) -> Times:
    """`steps` times, equally spaced in ℓ; without limits the ends are those of the span exactly.

    Args:
        process: its span bounds the grid.
        steps: number of times.
        sigma_max: σ/a at the first time, in [-1, 1] units; the span's by default.
        sigma_min: σ/a at the last time; the span's by default.

    Raises:
        ValueError: if steps < 1, or the limits are not positive and decreasing.
    """
    _check(steps)
    least = 0.0 if sigma_min is None else sigma_min
    most = float("inf") if sigma_max is None else sigma_max
    if not (0 <= least < most and sigma_min != 0):
        raise ValueError(
            f"sigma_max is {sigma_max} and sigma_min {sigma_min}, expected 0 < sigma_min < sigma_max"
        )
    low, high = (jnp.asarray(end) for end in process.span)
    first, last = process.log_snr(high), process.log_snr(low)
    start = first if sigma_max is None else jnp.maximum(first, -jnp.log(sigma_max))
    end = last if sigma_min is None else jnp.minimum(last, -jnp.log(sigma_min))
    times = process.time(jnp.linspace(start, end, steps))
    if steps > 1:
        times = times.at[-1].set(jnp.where(end == last, low, times[-1]))
    return times.at[0].set(jnp.where(start == first, high, times[0]))


def karras_times(process: Process, steps: int, *, rho: float = 7.0) -> Times:
    """`steps` times at which σ/a follows ((σ̂_max^{1/ρ} + i/(N−1) (σ̂_min^{1/ρ} − σ̂_max^{1/ρ})))^ρ.

    Args:
        process: its span gives σ̂_max and σ̂_min.
        steps: number of times.
        rho: ρ, 7 in the paper; larger puts more steps near the clean end.

    Source: [karras2022edm] Eq. 5.
    """
    _check(steps)
    low, high = (jnp.asarray(end) for end in process.span)
    ends = jnp.exp(-jnp.stack([process.log_snr(high), process.log_snr(low)]) / rho)
    ells = -rho * jnp.log(jnp.linspace(ends[0], ends[1], steps))
    return _with_ends(process, process.time(ells))


def _with_ends(process: Process, times: Times) -> Times:
    """The grid with the ends of the span to the last digit, its first time before its last."""
    low, high = process.span
    return times.at[-1].set(low).at[0].set(high)


def uniform_law(key: Key, process: Process, count: int) -> Times:
    """`count` training times, uniform on the span and stratified: one in each of `count` equal strata.

    Source: [kingma2021vdm] Sec. 4 (low-discrepancy sampler).
    """
    low, high = process.span
    return low + (high - low) * _strata(key, count)


def log_normal_law(key: Key, process: Process, count: int, *, mean: Scalar, std: Scalar) -> Times:
    """`count` training times at which log(σ/a) ~ N(mean, std²), stratified and kept inside the span.

    Source: [karras2022edm] Table 1, with mean −1.2 and std 1.2.
    """
    ell = -(mean + std * jax.scipy.special.ndtri(_strata(key, count)))
    low, high = (jnp.asarray(end) for end in process.span)
    ell = jnp.clip(ell, process.log_snr(high), process.log_snr(low))
    return process.time(ell)


def grid_law(key: Key, process: Process, count: int, *, times: Times) -> Times:
    """`count` training times out of a grid, each of its times as likely as another, and stratified.

    Args:
        key: for the choice.
        process: of which the grid is.
        count: how many.
        times: the grid.
    """
    return times[(_strata(key, count) * len(times)).astype(int)]


def _strata(key: Key, count: int) -> Times:
    """A shuffled stratified sample of (0, 1): each value uniform, all together evenly spread."""
    shift, order = jax.random.split(key)
    u = (jnp.arange(count) + jax.random.uniform(shift, (count,))) / count
    return jax.random.permutation(order, jnp.clip(u, 1e-6, 1 - 1e-6))
