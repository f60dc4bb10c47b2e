"""Twisted sequential Monte Carlo: guided particles, weighted so that what the guidance gets wrong is corrected."""

from __future__ import annotations

from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from jaxir import expect
from jaxir.degradations import Degradation
from jaxir.degradations.linear_gaussian import require_linear_gaussian
from jaxir.denoisers import Denoiser, Estimate
from jaxir.gaussian import Gaussian
from jaxir.processes import Process
from jaxir.samplers.resampling import effective_size, systematic
from jaxir.samplers.sampler import Sampler, expect_signal, twentieths
from jaxir.transitions import Ancestral, Correlated
from jaxir.typing import Image, Images, Key, Scalar, Times


class Twisted(Sampler):
    """Particles with proposal N(μ(D + (σ²/a) ∇ log ψ_t), τ²) and weights p(x_s | x_t) ψ_s(x_s)/(q(x_s | x_t) ψ_t(x_t)).

    The twist ψ_t(x) = N(y; A D(x), σ_y² I + r² A Aᴴ), r² = v σ̂²/(v + σ̂²), tends to the likelihood as t → 0, so that the
    particles' law tends to p(x0 | y) as they become many, whatever the twist. They are resampled systematically when
    their effective size falls below a share of their number, and at the end, so that the images are equally weighted.

    Args:
        degradation: linear with Gaussian noise.
        particles: N; the images of one run, which share their ancestors and are not independent.
        variance: v > 0, the prior variance of a pixel; 0.25 is that of photographs in [-1, 1].
        transition: the unguided step; it must have noise.
        threshold: share of N below which the particles are resampled.

    Source: [wu2023tds] Algorithm 1.
    """

    degradation: Degradation
    particles: int = eqx.field(static=True, default=64)
    variance: float = 0.25
    transition: Correlated = Ancestral()
    threshold: float = 0.5

    def __check_init__(self) -> None:
        expect.positive("variance", self.variance)
        expect.share("threshold", self.threshold)
        if self.particles < 2:
            raise ValueError(f"particles is {self.particles}, expected at least 2")
        require_linear_gaussian("Twisted", self.degradation, otherwise="DPS or DAPS")

    def windows(self, count: int) -> Sequence[tuple[int, int]]:
        """About twenty windows."""
        return twentieths(count)

    def report(self, times: Times) -> dict[str, float]:
        """One evaluation and one pullback at each time, for each particle."""
        return {"evaluations": len(times)}

    def check(self, process: Process, times: Times) -> None:
        """Refuse a grid that begins where the twist is not finite."""
        expect_signal("Twisted", process, times)

    def start(self, denoiser: Denoiser, like: Image, times: Times, y: Array | None) -> Gaussian:
        """Independent first states."""
        law = denoiser.process.start(like, times[0], y)
        return Gaussian(jnp.broadcast_to(law.mean, (self.particles, *like.shape)), law.std)

    def init(self, denoiser: Denoiser, x: Images, times: Times, y: Array | None) -> PyTree:
        """(x, log weight, log of what the next twist is divided by, D, largest N/ESS)."""
        self.degradation.expect_measurement(y)
        zero = jnp.zeros(self.particles, x.dtype)
        return x, zero, zero, x, jnp.ones((), x.dtype)

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
        """Visit times[start] to times[stop − 1]; at the last one the particles are resampled and stay."""
        process, last = denoiser.process, len(times) - 1

        def visit(i: Scalar, state: PyTree) -> PyTree:
            x, log_weight, divisor, _, worst = state
            choose, move = jax.random.split(jax.random.fold_in(key, i))
            t, s = times[i], times[jnp.minimum(i + 1, last)]
            twist = jax.value_and_grad(self._log_twist, argnums=2, has_aux=True)
            (log_psi, mean), pull = jax.vmap(lambda x: twist(denoiser, y, x, t))(x)
            log_weight = log_weight + log_psi - divisor
            size = effective_size(log_weight)
            poor = (size < self.threshold * self.particles) | (i == last)
            parents = systematic(choose, log_weight)
            parents = jnp.where(poor, parents, jnp.arange(self.particles))
            log_weight = jnp.where(poor, 0.0, log_weight)
            x, log_psi, mean, pull = (leaf[parents] for leaf in (x, log_psi, mean, pull))

            a, _, sigma = process.coefficients(t)
            free, _ = self.transition.advance(process, None, x, Estimate(mean), t, s)
            bent, _ = self.transition.advance(
                process, None, x, Estimate(mean + sigma**2 / a * pull), t, s
            )
            moved = bent.sample(move)
            axes = tuple(range(1, x.ndim))
            tau2 = jnp.where(i == last, 1.0, free.std**2)
            gap = jnp.sum((moved - bent.mean) ** 2 - (moved - free.mean) ** 2, axis=axes)
            divisor = log_psi - 0.5 * gap / tau2
            worst = jnp.maximum(worst, self.particles / size)
            return jnp.where(i == last, x, moved), log_weight, divisor, mean, worst

        return jax.lax.fori_loop(start, stop, visit, state)

    def finish(self, denoiser: Denoiser, state: PyTree, times: Times, y: Array | None) -> Estimate:
        """D of every particle, with the largest N/ESS on the way as `degeneracy`; 1 is none."""
        return Estimate(state[3], info={"degeneracy": state[4]})

    def _log_twist(
        self, denoiser: Denoiser, y: Array, x: Image, t: Scalar
    ) -> tuple[Float[Array, ""], Image]:
        """log ψ_t(x) up to a number that is the same for all particles, and D."""
        operator = self.degradation.operator
        level = jnp.exp(-2 * denoiser.process.log_snr(t))
        r2 = self.variance * level / (self.variance + level)
        mean = denoiser(x, t)
        residual = y - operator(mean)
        # for a residual in the range of A: ⟨r, (σ_y² + r² A Aᴴ)⁻¹ r⟩ = ⟨A⁺r, (AᴴA + σ_y²/r²)⁻¹ Aᴴr⟩/r²
        rho = jnp.maximum(self.degradation.noise.sigma, 1e-3) ** 2 / r2
        solved = operator.solve(operator.adjoint(residual), rho) / r2
        return -0.5 * jnp.sum(operator.pinv(residual) * solved), mean
