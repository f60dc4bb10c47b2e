"""Grids of times for sampling and laws of times for training.

A grid is a decreasing array from the noisy end of a span to its clean end. The number of steps matters less than
where they lie: uniform in log-SNR is the default that suits every process.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

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
    if not 0 < (sigma_min or 1e-9) < (sigma_max or 1e9):
        raise ValueError(
            f"sigma_max is {sigma_max} and sigma_min {sigma_min}, expected 0 < sigma_min < sigma_max"
        )
    low, high = (jnp.asarray(end) for end in process.span)
    first, last = process.log_snr(high), process.log_snr(low)
    start = first if sigma_max is None else jnp.maximum(first, -jnp.log(sigma_max))
    end = last if sigma_min is None else jnp.minimum(last, -jnp.log(sigma_min))
    times = process.time(jnp.linspace(start, end, steps))
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
    return process.time(ells).at[0].set(high).at[-1].set(low if steps > 1 else high)


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


def _strata(key: Key, count: int) -> Times:
    """A shuffled stratified sample of (0, 1): each value uniform, all together evenly spread."""
    shift, order = jax.random.split(key)
    u = (jnp.arange(count) + jax.random.uniform(shift, (count,))) / count
    return jax.random.permutation(order, jnp.clip(u, 1e-6, 1 - 1e-6))
