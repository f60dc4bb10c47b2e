"""DDBM's hybrid sampler: a little of the reverse SDE, then the probability flow, in every step."""

from __future__ import annotations

import jax
from jaxtyping import Array, PyTree

from jaxir import expect
from jaxir.denoisers import Denoiser
from jaxir.samplers.intervals import Intervals, Moved, worst
from jaxir.transitions import ReverseEuler
from jaxir.typing import Image, Key, Scalar, Times


class DDBMSampler(Intervals):
    """Euler–Maruyama over the first part of each step, Heun's method on the flow over the rest.

    In the process's own time, so on any process; from the pinned end of a bridge it needs a share above 0, for the flow
    is not defined there. 3 (N − 1) + 1 evaluations. Choose the times by `karras_times`, as published.

    Args:
        share: the first part, of each step; the published "churn step ratio" is 0.33.

    Source: [zhou2024ddbm] Algorithm 1.
    """

    share: float = 0.33

    def __check_init__(self) -> None:
        expect.share("share", self.share)

    @property
    def evaluations(self) -> int:
        """Three."""
        return 3

    def move(
        self,
        key: Key,
        denoiser: Denoiser,
        carry: PyTree,
        x: Image,
        times: Times,
        i: Scalar,
        y: Array | None,
    ) -> Moved:
        """SDE to t + share (s − t), then ODE to s."""
        process, t, s = denoiser.process, times[i], times[i + 1]
        middle = t + self.share * (s - t)
        noisy = ReverseEuler().step(denoiser, None, x, t, middle, y)
        x = noisy.law.sample(jax.random.fold_in(key, 0))
        now = denoiser.estimate(x, middle, y)
        slope = process.velocity(x, middle, now.x0_hat, y)
        ahead = x + (s - middle) * slope
        then = denoiser.estimate(ahead, s, y)
        slope = 0.5 * (slope + process.velocity(ahead, s, then.x0_hat, y))
        info = worst(noisy.estimate.info, now.info, then.info)
        return Moved(x + (s - middle) * slope, carry, info)
