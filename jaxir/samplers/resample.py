"""ReSample: now and then the estimate is moved to where it explains y, and the state is drawn anew around it."""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Array, PyTree

from jaxir import expect
from jaxir.codecs import taken_apart
from jaxir.degradations import Degradation
from jaxir.denoisers import Denoiser, Estimate
from jaxir.gaussian import Gaussian
from jaxir.least_squares import least_squares
from jaxir.processes import Process
from jaxir.samplers.discrete import Discrete
from jaxir.samplers.sampler import Sampler
from jaxir.transitions import DDIM, Transition
from jaxir.typing import Image, Key, Scalar, Times


class ReSample(Sampler):
    """x' ~ transition(x_t), and at every `every`-th time ẑ = argmin_z ‖y − A D(z)‖² from D(x_t), then

        x_s ~ N(w a_s ẑ + (1 − w) x', w σ_s²),    w = γ u/(1 + γ u),    u = 1 − ρ_t/ρ_s,    ρ = a²/σ²

    which is the posterior of a state that is N(a_s ẑ, σ_s²) and was seen as x' with noise of γ times u σ_s², the
    variance of an ancestral step. γ = 0 leaves the step as it is; γ → ∞ forgets x'.

    The argmin is hard consistency, as far as y has no noise: it ends where the noise accounts for what is left, at
    ‖y − A D(z)‖² = m σ_y², and is conjugate gradients where A ∘ D is linear. Above the level `pixel` it is sought among
    images and encoded, which needs no derivative of the decoder; below it among latents, and so for the result.

    Args:
        degradation: of images or, made by `codec.through`, of latents; with any differentiable operator and a noise
            that has a deviation.
        transition: the step between.
        strength: γ ≥ 0.
        every: how many times lie between two consistencies, counted from the end.
        below: σ̂ = σ/a at and below which there are any; two thirds of the published chain.
        pixel: σ̂ above which they are sought among images; the second of its thirds.
        steps: of the optimiser, at most.

    Source: [song2024resample] Algorithm 1, with the settings of its code.
    Differs from the paper: its optimiser is AdamW, stopped at a fixed residual, and its code starts it from an estimate
        five steps ahead; its text has 1/ᾱ_t in the variance that γ multiplies, its code 1/(1 − ᾱ_t), as here.
    """

    degradation: Degradation
    transition: Transition = DDIM()
    strength: float = 40.0
    every: int = 10
    below: float = 9.4
    pixel: float = 1.5
    steps: int = 50

    def __check_init__(self) -> None:
        for name in ("strength", "below", "pixel"):
            value = getattr(self, name)
            if expect.known(value) and not value >= 0:
                raise ValueError(f"{name} is {value}, expected 0 or more")
        for name in ("every", "steps"):
            value = getattr(self, name)
            if expect.known(value) and not value >= 1:
                raise ValueError(f"{name} is {value}, expected at least 1")

    def windows(self, count: int) -> Sequence[tuple[int, int]]:
        """As `Discrete`."""
        return Discrete(self.transition).windows(count)

    def report(self, times: Times) -> dict[str, float]:
        """One evaluation at each time."""
        return {"evaluations": len(times)}

    def check(self, process: Process, times: Times) -> None:
        """Refuse a process whose state holds y already."""
        if process.coupled:
            raise ValueError(
                "ReSample needs a process that ends in noise, with b = 0: use VP or VE"
            )

    def init(self, denoiser: Denoiser, x: Image, times: Times, y: Array | None) -> PyTree:
        """As `Discrete`."""
        self.degradation.expect_measurement(y)
        return Discrete(self.transition).init(denoiser, x, times, y)

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
        process, last = denoiser.process, len(times) - 1

        def visit(i: Scalar, state: PyTree) -> PyTree:
            x, carry, before = state
            t, s = times[i], times[jnp.minimum(i + 1, last)]
            here = jax.random.fold_in(key, i)
            step = self.transition.step(denoiser, carry, x, t, s, y)
            x, x0_hat = step.law.sample(here), step.estimate.x0_hat
            level = jnp.exp(-process.log_snr(t))

            def anew() -> tuple[Image, PyTree]:
                clean = jax.lax.cond(
                    level > self.pixel,
                    lambda: self._among_images(x0_hat, y),
                    lambda: self._among_latents(x0_hat, y),
                )
                law = self.around(process, clean, x, t, s)
                return law.sample(jax.random.fold_in(here, 0)), self.transition.init(x)

            due = (i < last) & ((last - i) % self.every == 0) & (level <= self.below)
            x, carry = jax.lax.cond(due, anew, lambda: (x, step.carry))
            worst = jax.tree.map(jnp.maximum, before.info, step.estimate.info)
            return x, carry, step.estimate._replace(info=worst)

        return jax.lax.fori_loop(start, stop, visit, state)

    def finish(self, denoiser: Denoiser, state: PyTree, times: Times, y: Array | None) -> Estimate:
        """The estimate at the last time, moved to where it explains y."""
        estimate = Discrete(self.transition).finish(denoiser, state, times, y)
        return estimate._replace(x0_hat=self._among_latents(estimate.x0_hat, y))

    def around(self, process: Process, clean: Image, x: Image, t: Scalar, s: Scalar) -> Gaussian:
        """N(w a_s ẑ + (1 − w) x', w σ_s²), the law of x_s given ẑ and the step's x'."""
        a, _, sigma = process.coefficients(s)
        odds = -self.strength * jnp.expm1(2 * (process.log_snr(t) - process.log_snr(s)))
        w = odds / (1 + odds)
        return Gaussian(w * a * clean + (1 - w) * x, jnp.sqrt(w) * sigma)

    def _among_latents(self, z: Image, y: Array) -> Image:
        """argmin ‖y − A D(z)‖² from `z`."""
        return self._explaining(self.degradation, z, y)

    def _among_images(self, z: Image, y: Array) -> Image:
        """E(argmin ‖y − A x‖²) from x = D(z)."""
        operator, codec = taken_apart(self.degradation.operator)
        seen = Degradation(operator, self.degradation.noise)
        return codec.encode(self._explaining(seen, codec.decode(z), y))

    def _explaining(self, degradation: Degradation, start: Image, y: Array) -> Image:
        """From `start` to where the noise accounts for the residual."""
        operator = degradation.operator
        std = degradation.noise.std(operator(start))
        parts = 2 if jnp.iscomplexobj(y) else 1
        enough = parts * jnp.sum(jnp.where(operator.told(y), std, 0) ** 2)
        y = operator.clean(y)
        return least_squares(operator, start, y, enough=enough, steps=self.steps)
