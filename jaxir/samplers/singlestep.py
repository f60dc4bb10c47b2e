"""DPM-Solver++ in single steps: the polynomial goes through estimates inside the step instead of past ones.

It needs no history, so it suits a few large steps, or a guidance that changes from one step to the next.
"""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, PyTree

from jaxir.denoisers import Denoiser, Estimate
from jaxir.processes import Process
from jaxir.samplers.continuous import expect_noise
from jaxir.samplers.intervals import Intervals, Moved, worst
from jaxir.transitions import DDIM
from jaxir.transitions.multistep import moments
from jaxir.typing import Image, Key, Scalar, Times


class Singlestep(Intervals):
    """DPM-Solver++(2S) and (3S), from ℓ_t over ℓ_t + h/2, or over ℓ_t + h/3 and ℓ_t + 2h/3, to ℓ_t + h = ℓ_s.

    Each part is a step of `DDIM()` from x_t with the mean, over that part, of the line through the estimates at t and
    at the latest point. (N − 1) · order + 1 evaluations for N times.

    Args:
        order: 2 or 3.

    Source: [lu2022dpmsolver] Algorithms 1 and 2 (their points); [lu2022dpmsolverpp] Algorithm 1 (for the clean image).
    """

    order: int = eqx.field(static=True, default=2)

    def __check_init__(self) -> None:
        if self.order not in (2, 3):
            raise ValueError(
                f"order is {self.order}, expected 2 or 3 (order 1 is Discrete(DDIM()))"
            )

    @property
    def evaluations(self) -> int:
        """As many as the order."""
        return self.order

    def check(self, process: Process, times: Times) -> None:
        """Both ends need noise and something of the image."""
        expect_noise(process, times)

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
        """The points in between, then the whole step."""
        process, t, s = denoiser.process, times[i], times[i + 1]
        ell = process.log_snr(t)
        h = process.log_snr(s) - ell
        now = denoiser.estimate(x, t, y)

        def to(time: Scalar, mean: Image) -> Image:
            return DDIM().advance(process, None, x, Estimate(mean), t, time, y)[0].mean

        rise, info = jnp.zeros_like(now.x0_hat), now.info  # over the whole step, of the line
        for point in range(1, self.order):
            part = point / self.order
            time = process.time(ell + part * h)
            share = part * moments(part * h)[0]
            then = denoiser.estimate(to(time, now.x0_hat + share * rise), time, y)
            rise, info = (then.x0_hat - now.x0_hat) / part, worst(info, then.info)
        # the line at its middle is the estimate there, as published for order 2
        middle = 0.5 if self.order == 2 else moments(h)[0]
        return Moved(to(s, now.x0_hat + middle * rise), carry, info)
