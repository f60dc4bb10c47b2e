"""Restore a degraded image: a measurement, how it was spoiled, a prior and a method."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import jax
import jax.numpy as jnp

from jaxir.degradations import Degradation, expect_sound
from jaxir.denoisers import Denoiser, Tiled, in_tiles
from jaxir.methods import Method, diffpir
from jaxir.pretrained import load
from jaxir.processes import log_snr_times
from jaxir.samplers import Callback, Samples, Watch, sample
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
    tile: int | None = None,
    overlap: int | None = None,
    tile_batch: int | None = None,
    chunk: int | None = None,
    callback: Callback | None = None,
    watch: Watch | None = None,
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
        tile: side in pixels of what the prior sees at once; an image that is no larger is seen whole, with 0 every one.
            By default images to 512 pixels are, and larger ones in tiles that fit in the memory that is free. Another
            size is another image: `diagnostics` has the one that was chosen.
        overlap: of neighbouring tiles in pixels; 64 or a quarter of a tile by default.
        tile_batch: tiles at a time, spread over the devices where they divide; one for each by default.
        chunk: samples at a time, which bounds the memory; all by default, of an image in tiles one.
        callback: gets (done, total); raise in it to cancel.
        watch: gets the estimate that the first restoration has reached, as often.
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
    shape = degradation.operator.shape
    denoiser = prior if isinstance(prior, Denoiser) else load(prior)
    denoiser = in_tiles(denoiser, shape, tile, overlap, tile_batch)
    tiled = isinstance(denoiser, Tiled)
    chosen = {"tile": denoiser.size if tiled else 0, "overlap": denoiser.overlap if tiled else 0}
    if isinstance(steps, int):
        steps = log_snr_times(denoiser.process, steps, sigma_max=SIGMA_MAX, sigma_min=SIGMA_MIN)
    guided, sampler = method(denoiser, degradation)
    drawn = sample(
        jax.random.key(0) if key is None else key,
        guided,
        y,
        shape=shape,
        sampler=sampler,
        times=steps,
        samples=samples,
        chunk=1 if tiled and chunk is None else chunk,
        callback=callback,
        watch=watch,
    )
    return dataclasses.replace(drawn, diagnostics={**drawn.diagnostics, **chosen})
