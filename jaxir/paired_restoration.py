"""Restore an image with a network that was trained on pairs: it has seen how images are spoiled, and is not told."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import jax
import jax.numpy as jnp

from jaxir.denoisers import Denoiser, Tiled, in_tiles
from jaxir.pretrained import load
from jaxir.samplers import Callback, Discrete, Samples, Watch, sample
from jaxir.transitions import DDIM
from jaxir.typing import Image, Key, Times


def restore_paired(
    y: Image,
    prior: Denoiser | str | Path,
    *,
    steps: int | Times = 20,
    samples: int = 4,
    key: Key | None = None,
    eta: float = 1.0,
    tile: int | None = None,
    chunk: int | None = None,
    callback: Callback | None = None,
    watch: Watch | None = None,
) -> Samples:
    """Draw restorations of `y` from the law that the network has learnt of what belongs to it.

    Args:
        y: the degraded image in [-1, 1], of the size of the clean one: one that is smaller is enlarged first.
        prior: a denoiser that sees y, or what `jaxir.load` takes.
        steps: evaluations of the network for each sample, equally spaced in log-SNR; or the times themselves.
        samples: number of restorations.
        key: a JAX random key; `jax.random.key(0)` by default.
        eta: fresh noise of a step: 1 for draws, 0 for the one restoration that each first noise leads to.
        tile: side in pixels of what the network sees at once, as for `restore`.
        chunk: samples at a time, which bounds the memory; all by default, of an image in tiles one.
        callback: gets (done, total); raise in it to cancel.
        watch: gets the estimate that the first restoration has reached, as often.

    Raises:
        ValueError: if the prior does not see y, or `y` is not a finite image.
        FloatingPointError: if a restoration is not finite.
    """
    denoiser = prior if isinstance(prior, Denoiser) else load(prior)
    if not denoiser.sees_y:
        raise ValueError(
            "prior knows clean images and is not given the degraded one: use restore(y, degradation, prior=...), or a "
            "network that was trained on pairs"
        )
    y = jnp.asarray(y)
    if y.ndim != 3 or not bool(jnp.all(jnp.isfinite(y))):
        raise ValueError(f"y has shape {y.shape}, expected a finite image (H, W, C) in [-1, 1]")
    height, width, channels = y.shape
    shape = (height, width, channels)
    denoiser = in_tiles(denoiser, shape, tile)
    tiled = isinstance(denoiser, Tiled)
    drawn = sample(
        jax.random.key(0) if key is None else key,
        denoiser,
        y,
        shape=shape,
        sampler=Discrete(DDIM(eta)),
        times=steps,
        samples=samples,
        chunk=1 if tiled and chunk is None else chunk,
        callback=callback,
        watch=watch,
    )
    chosen = {"tile": denoiser.size if tiled else 0}
    return dataclasses.replace(drawn, diagnostics={**drawn.diagnostics, **chosen})
