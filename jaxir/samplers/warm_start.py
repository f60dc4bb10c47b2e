"""Sampling that does not begin in noise: from an image that is roughly right, noised part of the way."""

from __future__ import annotations

from collections.abc import Sequence

import jax.numpy as jnp
from jaxtyping import Array, PyTree

from jaxir.denoisers import Denoiser, Estimate
from jaxir.gaussian import Gaussian
from jaxir.processes import Process
from jaxir.samplers.diffusion_em import DiffusionEM
from jaxir.samplers.sampler import Sampler
from jaxir.typing import Image, Key, Scalar, Times


class WarmStart(Sampler):
    """Another sampler, started around a x̃ + b y at the first time of the grid, x̃ a first restoration.

    Its width is what that sampler begins with: σ for most, 0 for RED-diff, whose state is no noisy image. Choose the
    first time so that σ/a is about the error of x̃: earlier steps would only forget it. CCDF starts at a fifth of the
    chain, from a cheap restoration; SDEdit is the same without a measurement. SeeSR takes the latent of the degraded
    image at the first time of all, for a process that ends before noise alone is left, as published tables do.

    Args:
        sampler: what runs from there.
        image: x̃, (H, W, C) in [-1, 1].

    Source: [chung2022ccdf] Algorithms 1 to 3; [meng2022sdedit]; [wu2024seesr] (LR embedding).
    """

    sampler: Sampler
    image: Image

    def __check_init__(self) -> None:
        if isinstance(self.sampler, DiffusionEM):
            raise TypeError(
                "DiffusionEM starts its E-step anew in every round and would not look at image: give it a method that "
                "returns WarmStart(sampler, image)"
            )

    @property
    def needs_y(self) -> bool:
        """As the inner sampler."""
        return self.sampler.needs_y

    def check(self, process: Process, times: Times) -> None:
        """The inner sampler's."""
        self.sampler.check(process, times)

    def windows(self, count: int) -> Sequence[tuple[int, int]]:
        """As the inner sampler's."""
        return self.sampler.windows(count)

    def report(self, times: Times) -> dict[str, float]:
        """As the inner sampler's."""
        return self.sampler.report(times)

    def start(self, denoiser: Denoiser, like: Image, times: Times, y: Array | None) -> Gaussian:
        """The inner sampler's law, moved to where the process takes x̃.

        Raises:
            ValueError: if x̃ is not of the shape that is sampled.
        """
        if self.image.shape != like.shape:
            raise ValueError(
                f"image has shape {self.image.shape} but {like.shape} is sampled: give a first restoration of that size"
            )
        centre = denoiser.process.marginal(self.image, times[0], y).mean
        inner = self.sampler.start(denoiser, like, times, y)  # of a population, perhaps
        return Gaussian(jnp.broadcast_to(centre, inner.mean.shape), inner.scale)

    def init(self, denoiser: Denoiser, x: Image, times: Times, y: Array | None) -> PyTree:
        """The inner sampler's."""
        return self.sampler.init(denoiser, x, times, y)

    def run(
        self,
        key: Key,
        denoiser: Denoiser,
        state: PyTree,
        times: Times,
        y: Array | None,
        start: int | Scalar,
        stop: int | Scalar,
    ) -> PyTree:
        """The inner sampler's."""
        return self.sampler.run(key, denoiser, state, times, y, start, stop)

    def finish(self, denoiser: Denoiser, state: PyTree, times: Times, y: Array | None) -> Estimate:
        """The inner sampler's."""
        return self.sampler.finish(denoiser, state, times, y)
