"""RED-diff: one image, moved by an optimiser until it explains y and the denoiser leaves it alone."""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, PyTree

from jaxir import expect
from jaxir.degradations import Degradation, Linear
from jaxir.denoisers import Denoiser, Estimate
from jaxir.gaussian import Gaussian
from jaxir.processes import Process
from jaxir.samplers.sampler import Sampler, expect_signal, twentieths
from jaxir.typing import Image, Key, Scalar, Times


class REDDiff(Sampler):
    """One Adam step at each time of the grid on ½ ‖y − A μ‖²/m + w ⟨ε̂(x_t) − ε, μ⟩/n with w = `weight` σ/a.

    m and n are the sizes of the measurement and of the image.
    The prior's term is a gradient without the network's Jacobian: ε̂ − ε = a (μ − D)/σ says where the denoiser would
    move μ. It is a variational posterior of no width, so its draws differ only by their noise: a restoration, not a
    sample, and its spread is no uncertainty.

    Args:
        degradation: any differentiable operator; its noise is not used.
        weight: λ of the prior.
        rate: learning rate of Adam with β = (0.9, 0.99).
        damping: ρ > 0 of the start (AᴴA + ρ)⁻¹Aᴴy for a linear operator: the square of the noise over that of the
            image's deviation, 0.1 over 0.5 by default.

    Source: [mardani2024reddiff] Algorithm 1.
    Differs from the paper: it starts from A⁺y, which a blur makes of noise alone, far from any image.
    """

    degradation: Degradation
    weight: float = 0.25
    rate: float = 0.1
    damping: float = 0.04

    def __check_init__(self) -> None:
        expect.positive("weight", self.weight)
        expect.positive("rate", self.rate)
        expect.positive("damping", self.damping)

    def windows(self, count: int) -> Sequence[tuple[int, int]]:
        """About twenty windows."""
        return twentieths(count)

    def report(self, times: Times) -> dict[str, float]:
        """One evaluation at each time."""
        return {"evaluations": len(times)}

    def check(self, process: Process, times: Times) -> None:
        """Refuse a grid that begins where nothing is left of the image, which a state could not tell."""
        expect_signal("REDDiff", process, times)

    def start(self, denoiser: Denoiser, like: Image, times: Times, y: Array | None) -> Gaussian:
        """The state of (AᴴA + ρ)⁻¹Aᴴy for a linear operator, of 0 for others, without noise."""
        self.degradation.expect_measurement(y)
        operator = self.degradation.operator
        clean = (
            operator.solve(operator.adjoint(operator.clean(y)), self.damping)
            if isinstance(operator, Linear)
            else jnp.zeros_like(like)
        )
        return Gaussian(denoiser.process.marginal(clean, times[0], y).mean, 0.0)

    def init(self, denoiser: Denoiser, x: Image, times: Times, y: Array | None) -> PyTree:
        """(μ, the optimiser's state), μ = (x − b y)/a the image whose state it is."""
        process = denoiser.process
        mean = (x - process.centre(times[0], y)) / process.coefficients(times[0]).a
        return mean, self._optimizer().init(mean)

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
            mean, momentum = state
            t = times[i]
            x = process.marginal(mean, t, y).sample(jax.random.fold_in(key, i))
            pull = mean - denoiser(x, t, y)  # (σ/a)(ε̂ − ε)

            def misfit(mean: Image) -> Scalar:
                return 0.5 * jnp.mean(jnp.abs(y - self.degradation(mean)) ** 2)

            gradient = jax.grad(misfit)(mean) + self.weight * pull / mean.size
            change, momentum = self._optimizer().update(gradient, momentum)
            return mean + change, momentum

        return jax.lax.fori_loop(start, stop, visit, state)

    def finish(self, denoiser: Denoiser, state: PyTree, times: Times, y: Array | None) -> Estimate:
        """μ."""
        return Estimate(state[0])

    def _optimizer(self) -> optax.GradientTransformation:
        return optax.adam(self.rate, b1=0.9, b2=0.99)
