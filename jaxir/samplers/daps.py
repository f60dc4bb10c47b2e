"""DAPS: every noise level starts afresh from a draw of the posterior, so that an early error is not carried along."""

from __future__ import annotations

from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, PyTree

from jaxir import expect
from jaxir.degradations import Degradation
from jaxir.denoisers import Denoiser, Estimate
from jaxir.samplers.sampler import Sampler
from jaxir.typing import Image, Key, Scalar, Times


class DAPS(Sampler):
    """At each time of the grid: x̃ from x_t by the probability flow, then x0 by Langevin, then x_s ~ p(x_s | x0).

    The Langevin steps x0 ← x0 + h ∇ log π(x0) + √(2h) ξ have the target π(x0) ∝ N(x0; x̃, σ̂² I) p(y | x0), which takes
    the error of x̃ to be that of its noise level. h = `step`/(σ̂⁻² + σ_y⁻²), which is stable below 2 for an operator of
    norm at most 2.

    Args:
        degradation: any with a log-likelihood.
        flow: steps of the probability flow, each an evaluation of the denoiser.
        langevin: Langevin steps, which need no denoiser.
        step: h in units of the smallest variance of π.

    Source: [zhang2025daps].
    Differs from the paper: the likelihood has its ½, and the step follows the noise level, where the code has a fixed
        rate for each task.
    """

    degradation: Degradation
    flow: int = eqx.field(static=True, default=5)
    langevin: int = eqx.field(static=True, default=100)
    step: float = 0.5

    def __check_init__(self) -> None:
        expect.positive("step", self.step)
        if min(self.flow, self.langevin) < 1:
            raise ValueError(
                f"flow is {self.flow} and langevin {self.langevin}, expected at least 1 of each"
            )
        sigma = getattr(self.degradation.noise, "sigma", None)
        if sigma is not None and expect.known(sigma) and not sigma > 0:
            raise ValueError(
                f"DAPS got a noise of {sigma}, whose log-likelihood is not finite: give it a small sigma, or use DDNM"
            )
        if sigma is None:
            raise TypeError(
                f"DAPS chooses its step by the noise's sigma, which {type(self.degradation.noise).__name__} has not"
            )

    def windows(self, count: int) -> Sequence[tuple[int, int]]:
        """About twenty windows."""
        size = -(-count // 20)
        return [(start, min(start + size, count)) for start in range(0, count, size)]

    def report(self, times: Times) -> dict[str, float]:
        """`flow` evaluations at each time."""
        return {"evaluations": len(times) * self.flow}

    def init(self, denoiser: Denoiser, x: Image, times: Times, y: Array | None) -> PyTree:
        """(x_t, x0)."""
        self.degradation.expect_measurement(y)
        return x, jnp.zeros_like(x)

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
        """Visit times[start] to times[stop − 1]."""
        process = denoiser.process

        def visit(i: Scalar, state: PyTree) -> PyTree:
            local, renoise = jax.random.split(jax.random.fold_in(key, i))
            guess = self._flow(denoiser, state[0], times[i], y)
            x0 = self._langevin(local, guess, jnp.exp(-process.log_snr(times[i])), y)
            following = times[jnp.minimum(i + 1, len(times) - 1)]
            return process.marginal(x0, following, y).sample(renoise), x0

        return jax.lax.fori_loop(start, stop, visit, state)

    def finish(self, denoiser: Denoiser, state: PyTree, times: Times, y: Array | None) -> Estimate:
        """x0 as drawn at the last time."""
        return Estimate(state[1])

    def _flow(self, denoiser: Denoiser, x: Image, t: Scalar, y: Array | None) -> Image:
        """x̃: Euler steps of the probability flow in x̂, over equal steps of log σ̂, and D at their end."""
        process = denoiser.process
        first, last = process.log_snr(t), process.log_snr(jnp.asarray(process.span[0], t.dtype))
        path = process.time(jnp.linspace(first, last, self.flow + 1)[:-1]).at[0].set(t)

        def follow(i: Scalar, x: Image) -> Image:
            now, then = path[i], path[i + 1]
            mean = denoiser(x, now, y)
            eps = process.eps(x, now, mean, y)
            return process.marginal(mean, then, y).mean + process.coefficients(then).sigma * eps

        x = jax.lax.fori_loop(0, self.flow - 1, follow, x)
        return denoiser(x, path[-1], y)

    def _langevin(self, key: Key, guess: Image, sigma: Scalar, y: Array) -> Image:
        noise = self.degradation.noise.sigma
        h = self.step / (sigma**-2 + jnp.maximum(noise, 1e-3) ** -2)

        def log_target(x: Image) -> Scalar:
            prior = -0.5 * jnp.sum(((x - guess) / sigma) ** 2)
            return prior + self.degradation.log_prob(y, x)

        def move(i: Scalar, x: Image) -> Image:
            xi = jax.random.normal(jax.random.fold_in(key, i), x.shape, x.dtype)
            return x + h * jax.grad(log_target)(x) + jnp.sqrt(2 * h) * xi

        return jax.lax.fori_loop(0, self.langevin, move, guess)
