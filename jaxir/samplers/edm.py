"""EDM's sampler on every process: in x̂ = (x − b y)/a and σ̂ = σ/a they are all the one it was made for."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, PyTree

from jaxir import expect
from jaxir.denoisers import Denoiser
from jaxir.processes import Process
from jaxir.samplers.continuous import expect_noise
from jaxir.samplers.intervals import Intervals, Moved, worst
from jaxir.typing import Image, Key, Scalar, Times


class EDMSampler(Intervals):
    """Noise is put back, x̂ += S_noise √(σ̂₊² − σ̂²) ξ with σ̂₊ = (1 + γ) σ̂, then the flow is followed down to the next σ̂:

        dx̂/dσ̂ = (x̂ − D)/σ̂,    γ = min(S_churn/N, √2 − 1) where S_min ≤ σ̂ ≤ S_max, else 0

    by Heun's method, with 2N − 1 evaluations for N times: the last step, to no noise, is the estimate itself, without
    churn. Choose the times by `karras_times`.

    Differs from the paper: σ̂₊ is kept inside the span of the process, beyond which it has no meaning for some.

    Args:
        churn: S_churn ≥ 0, the noise that is put back over the whole grid; 0 is deterministic.
        sigma_min: S_min, in [-1, 1] units of x̂.
        sigma_max: S_max, in the same units.
        inflation: S_noise, slightly more than 1 against a denoiser that takes away too much.
        order: 2 for Heun, 1 for Euler, which without churn is `DDIM`.

    Source: [karras2022edm] Algorithm 2; its values for ImageNet-64 are 40, 0.05, 50 and 1.003.
    """

    churn: float = 0.0
    sigma_min: float = 0.0
    sigma_max: float = float("inf")
    inflation: float = 1.0
    order: int = eqx.field(static=True, default=2)

    def __check_init__(self) -> None:
        if self.order not in (1, 2):
            raise ValueError(f"order is {self.order}, expected 2 (Heun) or 1 (Euler)")
        if expect.known(self.churn) and not self.churn >= 0:
            raise ValueError(f"churn is {self.churn}, expected 0 or more (0 is deterministic)")

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
        """Up by the churn, then down."""
        process, t, s = denoiser.process, times[i], times[i + 1]
        top = jnp.exp(-process.log_snr(jnp.full_like(t, process.span[1])))
        sigma, lower = jnp.exp(-process.log_snr(t)), jnp.exp(-process.log_snr(s))
        gamma = jnp.minimum(self.churn / len(times), 2**0.5 - 1)
        gamma = jnp.where((self.sigma_min <= sigma) & (sigma <= self.sigma_max), gamma, 0)
        upper = jnp.maximum(sigma, jnp.minimum((1 + gamma) * sigma, top))
        up = jnp.where(upper > sigma, process.time(-jnp.log(upper)), t)

        x_hat = (x - process.centre(t, y)) / process.coefficients(t).a
        fresh = self.inflation * jnp.sqrt((upper - sigma) * (upper + sigma))
        x_hat = x_hat + fresh * jax.random.normal(key, x.shape, x.dtype)

        def state(x_hat: Image, t: Scalar) -> Image:
            return process.coefficients(t).a * x_hat + process.centre(t, y)

        now = denoiser.estimate(state(x_hat, up), up, y)
        slope = (x_hat - now.x0_hat) / upper
        ahead = x_hat + (lower - upper) * slope
        if self.order == 1:
            return Moved(state(ahead, s), carry, now.info)
        then = denoiser.estimate(state(ahead, s), s, y)
        slope = 0.5 * (slope + (ahead - then.x0_hat) / lower)
        x_hat = x_hat + (lower - upper) * slope
        return Moved(state(x_hat, s), carry, worst(now.info, then.info))
