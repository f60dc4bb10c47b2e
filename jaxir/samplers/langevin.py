"""Langevin dynamics at a fixed noise level: x += δ score + √(2δ) ξ leaves the marginal where it is as δ → 0.

How large δ is, is a rule of its own, the same for annealed Langevin sampling and for the corrector of a
predictor–corrector sampler. All norms are of one image.
"""

from __future__ import annotations

import abc

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, PyTree

from jaxir import expect
from jaxir.denoisers import Denoiser
from jaxir.samplers.intervals import Intervals, Moved, no_info, worst
from jaxir.typing import Image, Key, Scalar, Times


class StepSize(eqx.Module):
    """The rule for δ."""

    @abc.abstractmethod
    def __call__(self, score: Image, noise: Image, sigma: Scalar) -> Scalar:
        """δ in x += δ score + √(2δ) noise, at noise level σ."""


class NoiseShare(StepSize):
    """δ = c σ².

    Args:
        share: c. NCSN's x += ½ α score + √α ξ with α = ε σ²/σ_L² has c = ε/(2 σ_L²), and its values (ε = 2e-5,
            σ_L = 0.01) make 0.1 in any units; score-SDE's "ald" corrector has c = 2 snr².

    Source: [song2019ncsn] Algorithm 1.
    """

    share: float = 0.1

    def __check_init__(self) -> None:
        expect.positive("share", self.share)

    def __call__(self, score: Image, noise: Image, sigma: Scalar) -> Scalar:
        """c σ²."""
        return self.share * sigma**2


class SignalToNoise(StepSize):
    """δ = 2 (r ‖ξ‖/‖score‖)²: the step is so long that drift and noise have the ratio r.

    Differs from the paper: the norms are of one image and not means over a batch, and the factor α_t of VP, which is
    0.98 to 1, is left out.

    Args:
        ratio: r; 0.16 as published. Large ones bias the law.

    Source: [song2021score] Algorithms 4 and 5.
    """

    ratio: float = 0.16

    def __check_init__(self) -> None:
        expect.positive("ratio", self.ratio)

    def __call__(self, score: Image, noise: Image, sigma: Scalar) -> Scalar:
        """2 (r ‖ξ‖/‖score‖)²."""
        return 2 * self.ratio**2 * jnp.sum(noise**2) / jnp.sum(score**2)


def langevin(
    key: Key,
    denoiser: Denoiser,
    x: Image,
    t: Scalar,
    y: Array | None,
    *,
    step_size: StepSize,
    steps: int | Scalar,
) -> tuple[Image, PyTree]:
    """The state after `steps` steps at time `t`, and the largest `info` on the way."""
    process = denoiser.process

    def step(i: Scalar, state: tuple[Image, PyTree]) -> tuple[Image, PyTree]:
        x, before = state
        estimate = denoiser.estimate(x, t, y)
        score = process.score(x, t, estimate.x0_hat, y)
        noise = jax.random.normal(jax.random.fold_in(key, i), x.shape, x.dtype)
        delta = step_size(score, noise, process.coefficients(t).sigma)
        return x + delta * score + jnp.sqrt(2 * delta) * noise, worst(before, estimate.info)

    return jax.lax.fori_loop(0, steps, step, (x, no_info(denoiser, x, t, y)))


class AnnealedLangevin(Intervals):
    """Langevin steps at each level of noise, from one to the next with x̂ = (x − b y)/a kept, the estimate at the last.

    For Gaussian data of total variance v = a² p + σ² along a direction, a level's steps tend to the variance
    v/(1 − δ/(2v)) and not to v. N · steps + 1 evaluations.

    Args:
        step_size: δ.
        steps: at each level.

    Source: [song2019ncsn] Algorithm 1, with σ from 1 to 0.01 of [0, 1] in 10 levels; the last evaluation, which its
        authors added later, takes away the noise that is left.
    """

    step_size: StepSize = NoiseShare()
    steps: int = 100

    def __check_init__(self) -> None:
        expect.positive("steps", self.steps)

    @property
    def evaluations(self) -> int:
        """One a step."""
        return self.steps

    def moves(self, count: int) -> int:
        """One for each time: there are steps at the last as well."""
        return count

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
        """The steps at times[i], then x̂ goes to the next time, at the end to itself."""
        process, t, s = denoiser.process, times[i], times[jnp.minimum(i + 1, len(times) - 1)]
        x, info = langevin(key, denoiser, x, t, y, step_size=self.step_size, steps=self.steps)
        x_hat = (x - process.centre(t, y)) / process.coefficients(t).a
        return Moved(process.coefficients(s).a * x_hat + process.centre(s, y), carry, info)
