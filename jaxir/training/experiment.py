"""What a training run is: one value that names its objects."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax

from jaxir.data import Source, Synthetic
from jaxir.denoisers import Inlet, LogSNR, NetworkDenoiser, Preconditioned, Prediction
from jaxir.losses import Objective, matching_loss
from jaxir.networks import Network
from jaxir.processes import Process, uniform_law
from jaxir.training.gradient import Gradient, mean_gradient
from jaxir.training.pairing import Pairing, stacked, unpaired
from jaxir.training.preview import Preview, denoised
from jaxir.typing import Key, Params, Scalar, Times


@dataclasses.dataclass(frozen=True)
class Experiment:
    """A training run, as a file in `experiments/` returns it.

    Args:
        name: a short name, for the run's folder.
        source: opens the training images; called once, when training starts.
        network: the network.
        process: how images are corrupted in training.
        optimizer: number of steps -> an optax transformation with its schedule.
        prediction: what the network's output means.
        data_std: standard deviation of clean images in [-1, 1].
        inlet: how the network is asked.
        pairing: from a crop to the clean and the degraded image; none is degraded by default.
        objective: (key, denoiser, x0, t, y) -> the loss of one image. Where it is a pytree its arrays are arguments of
            the training step, and a `Following` one is shown the (first) average of the weights.
        times: (key, process, count) -> training times.
        gradient: what a step goes against: the gradient of the mean loss, or such as `Invariant`.
        steps: optimiser steps.
        batch: images a step, over all devices.
        parts: the batch is taken in so many parts, one after another, whose gradients are averaged: less memory.
        crop: side of the square crops.
        ema: decay of the average of the weights; it is shortened at the start to (1 + step)/(10 + step). Of several
            decays each has its average, and the first is the one that is stored and shown as the run's.
        seed: for weights, data and noise.
        validation: opens the images of the pictures during training; none, no pictures.
        preview: makes a picture and figures of validation images.
        best: a figure of the preview such as "psnr_restored": the weights that had most of it are kept.
    """

    name: str
    source: Callable[[], Source]
    network: Network
    process: Process
    optimizer: Callable[[int], optax.GradientTransformation]
    prediction: Prediction = Preconditioned()
    data_std: float = 0.5
    inlet: Inlet = LogSNR()
    pairing: Pairing = unpaired
    objective: Objective = matching_loss
    times: Callable[[Key, Process, int], Times] = uniform_law
    gradient: Gradient = mean_gradient
    steps: int = 10_000
    batch: int = 16
    parts: int = 1
    crop: int = 64
    ema: float | tuple[float, ...] = 0.999
    seed: int = 0
    validation: Callable[[], Source] | None = None
    preview: Preview = denoised
    best: str | None = None

    def __post_init__(self) -> None:
        for field in ("steps", "batch", "parts", "crop"):
            if getattr(self, field) < 1:
                raise ValueError(f"{field} is {getattr(self, field)}, expected at least 1")
        if self.batch % self.parts:
            raise ValueError(
                f"batch is {self.batch}, expected a multiple of the {self.parts} parts it is taken in"
            )
        if self.validation is not None and not self._shown:
            raise ValueError(
                "preview shows denoising, but the network or the process is given a degraded image: use "
                "preview=Restored(pairing)"
            )
        if len(set(self.decays)) < len(self.decays):
            raise ValueError(f"ema is {self.ema}, expected decays that differ")
        if not self.decays or not all(0 <= decay < 1 for decay in self.decays):
            raise ValueError(f"ema is {self.ema}, expected a decay in [0, 1) such as 0.999")

    @property
    def decays(self) -> tuple[float, ...]:
        """`ema`, of one or of several."""
        return self.ema if isinstance(self.ema, tuple) else (self.ema,)

    @property
    def _shown(self) -> bool:
        """Whether the preview can show what is trained."""
        return self.preview is not denoised or not (self.network.sees_y or self.process.coupled)

    def denoiser(self, params: Params) -> NetworkDenoiser:
        """The denoiser with these weights."""
        return NetworkDenoiser(
            self.process,
            params,
            self.network.apply,
            self.prediction,
            self.data_std,
            self.network.sees_y,
            self.inlet,
        )

    def settings(self) -> dict[str, str]:
        """What a resumed run must share with the one that it goes on with; the number of steps may differ."""
        parts = ("network", "process", "prediction", "data_std", "inlet")
        names = (*parts, "batch", "crop", "ema", "seed")
        return {name: repr(getattr(self, name)) for name in names}

    def smoke(self) -> Experiment:
        """The same run in seconds and without data: does it work?

        Network, process, loss and optimiser stay; it takes four steps of about two crops a device, twice as wide
        as the network's stride, from synthetic images.
        """
        crop = 2 * self.network.stride
        channels = self.network.out_channels * (2 if self.pairing is stacked else 1)

        def images() -> Source:
            return Synthetic(size=2 * crop, channels=channels, seed=self.seed)

        return dataclasses.replace(
            self,
            name=f"{self.name}-smoke",
            source=images,
            validation=images if self._shown else None,
            steps=4,
            batch=math.lcm(2, getattr(self.gradient, "multiple", 1))
            * self.parts
            * jax.device_count(),
            crop=crop,
        )


def warmup_stable_decay(
    peak: float, steps: int, *, warmup: int = 100, decay: float = 0.3
) -> optax.Schedule:
    """A rate that rises linearly, stays at `peak`, and falls to zero along 1 − √ over the last part of the run.

    Since the plateau does not know the total, an interrupted run may be resumed with another number of steps.

    Args:
        peak: learning rate of the plateau.
        steps: total steps.
        warmup: steps of the rise.
        decay: fraction of the steps in which the rate falls.

    Source: [hagele2024scaling] Sec. 3 (cooldown with 1 − √).
    """
    start = steps - max(1, int(decay * steps))

    def rate(step: Scalar) -> Scalar:
        done = jnp.clip((step - start) / (steps - start), 0.0, 1.0)
        return peak * jnp.minimum(1.0, (step + 1) / warmup) * (1 - jnp.sqrt(done))

    return rate
