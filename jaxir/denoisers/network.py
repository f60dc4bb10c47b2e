"""A network as a denoiser: weights, what its output means, and the process it was trained on."""

from __future__ import annotations

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array

from jaxir.denoisers.denoiser import Denoiser, Estimate
from jaxir.denoisers.prediction import Preconditioned, Prediction
from jaxir.processes import Process
from jaxir.typing import Image, Params, Scalar


class NetworkDenoiser(Denoiser):
    """D(x, t, y) from p = apply(params, c_in (x − b y), −ℓ/4), c_in = 1/√(σ² + a² σ_d²).

    The network sees the normalised state and a function of the log-SNR, never an index, so that it can be sampled
    on any process and any grid. Weights are leaves: they travel as arguments through `jit` and `grad`.

    Args:
        process: the process of training.
        params: weights.
        apply: `apply(params, x, condition) -> p` for one image, hashable.
        prediction: what p is.
        data_std: σ_d, the standard deviation of clean images in [-1, 1].
        sees_y: whether the network is given the measurement: then `apply(params, x, condition, y)`. One that is not
            sees x where it would see x − b y, and its prediction should be the clean image, which needs no y either.

    Source: [karras2022edm] Table 1 (c_in and c_noise = ln(σ̂)/4).
    """

    process: Process
    params: Params
    apply: Callable[..., Image] = eqx.field(static=True)
    prediction: Prediction = Preconditioned()
    data_std: float = 0.5
    sees_y: bool = eqx.field(static=True, default=False)

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
        return Estimate(self.prediction.x0(self.process, p, x, t, y))

    def output(self, x: Image, t: Scalar, y: Array | None = None) -> Image:
        """p itself, what a loss compares with the prediction's target."""
        a, _, sigma = self.process.coefficients(t)
        c_in = 1 / jnp.hypot(sigma, a * self.data_std)
        condition = jnp.clip(-self.process.log_snr(t) / 4, -1.75, 1.75)
        if not self.sees_y:
            return self.apply(self.params, c_in * x, condition)
        return self.apply(self.params, c_in * (x - self.process.centre(t, y)), condition, y)
