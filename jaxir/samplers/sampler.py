"""Many steps: the interface that every driver has, for one image.

A sampler is four pure functions: `start`, the law of its first state, `init` at the first time, `run` over a window of
the grid, `finish` at the last time. Windows exist so that the caller gets control back now and then, to move a progress
bar or to stop; their bounds are traced, so one compiled program serves all of them.
"""

from __future__ import annotations

import abc
from collections.abc import Sequence

import equinox as eqx
from jaxtyping import Array, PyTree

from jaxir.denoisers import Denoiser, Estimate
from jaxir.gaussian import Gaussian
from jaxir.processes import Process
from jaxir.typing import Image, Key, Scalar, Times


def twentieths(count: int) -> list[tuple[int, int]]:
    """About twenty windows [start, stop) over `count` visits."""
    size = max(1, -(-count // 20))
    return [(start, min(start + size, count)) for start in range(0, count, size)]


def expect_signal(method: str, process: Process, times: Times) -> None:
    """Refuse a grid that begins where nothing is left of the image.

    Raises:
        ValueError: if a is 0 at the first time.
    """
    if not process.coefficients(times[0]).a > 0:
        raise ValueError(
            f"times begin at {times[0]}, where nothing is left of x0 in the state of {type(process).__name__}: "
            f"let {method} begin below"
        )


class Sampler(eqx.Module):
    """From a state at times[0] to an estimate of the clean image at times[-1]."""

    @property
    def needs_y(self) -> bool:
        """Whether, on a process that moves towards the degraded image, the denoiser must see it."""
        return True

    def windows(self, count: int) -> Sequence[tuple[int, int]]:
        """Windows [start, stop) over a grid of `count` times: one over all of its intervals, unless overridden."""
        return [(0, count - 1)] if count > 1 else []

    def report(self, times: Times) -> dict[str, float]:
        """What is known of the cost beforehand, for `Samples.diagnostics`."""
        return {}

    def start(self, denoiser: Denoiser, like: Image, times: Times, y: Array | None) -> Gaussian:
        """The law of the first state: the process's at times[0]; `like` gives the image's shape and dtype.

        A law of shape (N, H, W, C) makes a sampler of a population: N images for each run.
        """
        return denoiser.process.start(like, times[0], y)

    def check(self, process: Process, times: Times) -> None:
        """Refuse a grid that the sampler cannot go along; `sample` asks before it starts."""
        return

    @abc.abstractmethod
    def init(self, denoiser: Denoiser, x: Image, times: Times, y: Array | None) -> PyTree:
        """The state of the sampler at the start."""

    @abc.abstractmethod
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
        """Go through the window [start, stop) of the grid."""

    def view(self, state: PyTree) -> Image | None:
        """What to show of a state on the way, the estimate of the clean image; None where there is none."""
        return None

    @abc.abstractmethod
    def finish(self, denoiser: Denoiser, state: PyTree, times: Times, y: Array | None) -> Estimate:
        """The estimate of the clean image at the last time, with the largest `info` seen on the way."""
