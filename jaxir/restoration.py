"""Restore a degraded image: a measurement, how it was spoiled, a prior and a method."""

from __future__ import annotations

from pathlib import Path

import jax
import jax.numpy as jnp

from jaxir.degradations import Degradation, expect_sound
from jaxir.denoisers import Denoiser
from jaxir.methods import Method, diffpir
from jaxir.pretrained import load
from jaxir.processes import log_snr_times
from jaxir.samplers import Callback, Samples, sample
from jaxir.typing import Key, Measurement, Times

SIGMA_MAX, SIGMA_MIN = 5.0, 0.03
"""Where a restoration starts and ends, as σ/a in [-1, 1] units: at 5 nothing of an image is left (its deviation is
0.5), and below 0.03, four grey levels, a measurement with noise adds nothing. Steps spent outside are lost."""


def restore(
    y: Measurement,
    degradation: Degradation,
    *,
    prior: Denoiser | str | Path = "natural-prior",
    method: Method = diffpir,
    steps: int | Times = 50,
    samples: int = 4,
    key: Key | None = None,
    chunk: int | None = None,
    callback: Callback | None = None,
    check: bool = True,
) -> Samples:
    """Draw restorations of `y`; their `mean` is the estimate, their `std` the uncertainty at each pixel.

    Args:
        y: the measurement, in [-1, 1] where it is an image.
        degradation: how the clean image became `y`.
        prior: a denoiser of clean images, or what `jaxir.load` takes.
        method: one of `jaxir.methods`, or a function of your own.
        steps: how many times, for most methods the evaluations of the denoiser for each sample, equally spaced in
            log-SNR from σ/a = `SIGMA_MAX` to `SIGMA_MIN`; or the times themselves.
        samples: number of restorations; for particle methods of runs, each of which gives all its particles.
        key: a JAX random key; `jax.random.key(0)` by default.
        chunk: samples at a time, which bounds the memory.
        callback: gets (done, total); raise in it to cancel.
        check: measure an operator of your own before sampling: finite values, no mixing of images, linearity and the
            adjoint of a linear one. A dozen applications of it.

    Raises:
        ValueError: if `y` does not fit the degradation or is not finite, or the operator fails its check.
        FloatingPointError: if a restoration is not finite.

    Example:
        >>> degradation = Degradation(motion_blur((96, 96, 3), 11, 30), GaussianNoise(0.1))
        >>> restored = restore(y, degradation)
        >>> restored.mean, restored.std
    """
    y = jnp.asarray(y)
    degradation.expect_measurement(y)
    if check:
        expect_sound(degradation.operator)
    degradation, y = degradation.without_offset(y)
    y = degradation.operator.clean(y)
    if not bool(jnp.all(jnp.isfinite(y))):
        raise ValueError(
            f"y holds {int(jnp.sum(~jnp.isfinite(y)))} values that are not finite: "
            "fill them in and mask them with a Mask operator"
        )
    if not isinstance(prior, Denoiser | str | Path):
        raise TypeError(
            f"prior is {type(prior).__name__}, expected a Denoiser or what jaxir.load takes: "
            "subclass jaxir.denoisers.Denoiser around a function of your own"
        )
    denoiser = prior if isinstance(prior, Denoiser) else load(prior)
    if isinstance(steps, int):
        steps = log_snr_times(denoiser.process, steps, sigma_max=SIGMA_MAX, sigma_min=SIGMA_MIN)
    guided, sampler = method(denoiser, degradation)
    return sample(
        jax.random.key(0) if key is None else key,
        guided,
        y,
        shape=degradation.operator.shape,
        sampler=sampler,
        times=steps,
        samples=samples,
        chunk=chunk,
        callback=callback,
    )
