"""Predict and refine as one network: a first answer g(y), and the diffusion of what it lacks.

With r = x0 − g(y) the diffusion x_t = a x0 + σ ε of images is, seen from a g(y), that of residuals: x_t − a g(y) =
a r + σ ε, with the same a, σ and ε. Steps of samplers are linear in (x, D) and keep the two the same, so a process of
residuals is not needed. What is needed is that the network subtracts g(y) from its normalised input and adds it to its
output, and both factors are functions of the log-SNR, which it is given: everything else (losses, samplers, storage)
sees one network, with the weights of both, that are trained jointly by the one loss. The state is that of the image:
a sampler starts from noise beside which the image is nothing, as on `VP`, for g(y) is no part of its start.
"""

from __future__ import annotations

import dataclasses
import math

import jax
import jax.numpy as jnp

from jaxir.networks.network import Network
from jaxir.typing import Image, Key, Params, Scalar


@dataclasses.dataclass(frozen=True)
class Refinement:
    """D(x, t, y) = g(y) + R(x − a g(y), t, y), as the output of a network behind `Preconditioned(data_std)`.

    g(y) = y + P(y) with P the predictor, so that a new network takes y for its first answer. R is the denoiser of
    residuals that the refiner is behind the same `Preconditioned`. With σ̂ = σ/a and the residuals' deviation σ_r

        F(x) = F_refiner(x − g/√(σ̂² + σ_r²)) + g σ̂/(σ_r √(σ̂² + σ_r²))

    Where nothing but noise is left, D is g alone: at those times the loss is that of a regression.

    Args:
        predictor: from y to what is added to it, an image; sees no y beside its input.
        refiner: from the state of a residual, with y at its side; as large an output as the predictor's.
        data_std: σ_r, the deviation of residuals in [-1, 1] units, the same as the prediction's and the experiment's.

    Source: [whang2022deblurring] Sec. 3.
    Differs from the paper: σ_r scales the residual, and the output is EDM's instead of the noise.
    """

    predictor: Network
    refiner: Network
    data_std: float

    def __post_init__(self) -> None:
        if self.predictor.sees_y or not self.refiner.sees_y:
            raise ValueError(
                "the predictor must not see y beside its input, which is y, and the refiner must: give conditioning "
                "to the refiner alone"
            )
        if self.predictor.out_channels != self.refiner.out_channels:
            raise ValueError(
                f"predictor has {self.predictor.out_channels} channels out but refiner "
                f"{self.refiner.out_channels}: both make the same image"
            )
        if not self.data_std > 0:
            raise ValueError(f"data_std is {self.data_std}, expected a positive number")

    @property
    def out_channels(self) -> int:
        """Of the image."""
        return self.refiner.out_channels

    @property
    def stride(self) -> int:
        """What both strides divide."""
        return math.lcm(self.predictor.stride, self.refiner.stride)

    @property
    def sees_y(self) -> bool:
        """True."""
        return True

    def init(self, key: Key) -> Params:
        """New parameters of both."""
        first, second = jax.random.split(key)
        return {"predictor": self.predictor.init(first), "refiner": self.refiner.init(second)}

    def predict(self, params: Params, y: Image) -> Image:
        """g(y), the first answer."""
        return y + self.predictor.apply(params["predictor"], y, jnp.zeros(()))

    def apply(self, params: Params, x: Image, condition: Scalar, y: Image | None = None) -> Image:
        """F(x), for the `condition` log(σ̂)/4."""
        first = self.predict(params, y)
        noise = jnp.exp(4 * condition)
        total = jnp.hypot(noise, self.data_std)
        refined = self.refiner.apply(params["refiner"], x - first / total, condition, y)
        return refined + first * noise / (self.data_std * total)

    def size(self) -> int:
        """Number of parameters of both."""
        return self.predictor.size() + self.refiner.size()
