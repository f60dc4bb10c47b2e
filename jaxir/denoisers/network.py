"""A network as a denoiser: weights, what its output means, and the process it was trained on."""

from __future__ import annotations

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array

from jaxir.denoisers.denoiser import Denoiser, Estimate
from jaxir.denoisers.inlet import Inlet, LogSNR
from jaxir.denoisers.prediction import Preconditioned, Prediction
from jaxir.processes import Process
from jaxir.typing import Image, Params, Scalar


class NetworkDenoiser(Denoiser):
    """D(x, t, y) from p = apply(params, c_in (x − b y), c_noise).

    The network sees the scaled state and a number that stands for the noise level, by default a function of the
    log-SNR; a published network is asked as it was trained, by an `inlet` of its own. Either can be sampled on any
    process and any grid. Weights are leaves: they travel as arguments through `jit` and `grad`.

    A network with twice the channels of the image has learnt the variance of its step too: the second half, in
    [-1, 1], lies between the logarithms of the least and of the largest, `Estimate.mix`.

    Args:
        process: the process of training.
        params: weights.
        apply: `apply(params, x, condition) -> p` for one image, hashable.
        prediction: what p is.
        data_std: σ_d, the standard deviation of clean images in [-1, 1].
        sees_y: whether the network is given the measurement: then `apply(params, x, condition, y)`. One that is not
            sees x where it would see x − b y, and its prediction should be the clean image, which needs no y either.
        inlet: c_in and c_noise, and what stands in the place of b y.

    Source: [karras2022edm] Eq. 7; [nichol2021improved] Eq. 15 (the learnt variance).
    """

    process: Process
    params: Params
    apply: Callable[..., Image] = eqx.field(static=True)
    prediction: Prediction = Preconditioned()
    data_std: float = 0.5
    sees_y: bool = eqx.field(static=True, default=False)
    inlet: Inlet = LogSNR()

    def __check_init__(self) -> None:
        expected = getattr(self.prediction, "data_std", self.data_std)
        if not isinstance(expected, jax.core.Tracer) and expected != self.data_std:
            raise ValueError(
                f"data_std is {self.data_std} but the prediction's is {expected}: give both the same, "
                "or the input and the output are scaled for different data"
            )

    def estimate(self, x: Image, t: Scalar, y: Array | None = None) -> Estimate:
        """One network evaluation."""
        p = self.output(x, t, y)
        mix = None
        if p.shape[-1] == 2 * x.shape[-1]:
            p, learnt = jnp.split(p, 2, axis=-1)
            mix = 0.5 * (1 + learnt)
        return Estimate(self.prediction.x0(self.process, p, x, t, y), mix)

    def output(self, x: Image, t: Scalar, y: Array | None = None) -> Image:
        """p itself, what a loss compares with the prediction's target."""
        c_in = self.inlet.c_in(self.process, t, self.data_std)
        c_noise = self.inlet.c_noise(self.process, t)
        if not self.sees_y:
            return self.apply(self.params, c_in * x, c_noise)
        return self.apply(
            self.params, c_in * (x - self.inlet.centre(self.process, t, y)), c_noise, y
        )
