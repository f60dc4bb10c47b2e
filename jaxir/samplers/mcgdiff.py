"""MCGDiff: particles led by the measurement, noised as they are, in the singular basis of the operator."""

from __future__ import annotations

from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, PyTree

from jaxir import expect
from jaxir.degradations import Degradation, Spectral
from jaxir.degradations.linear_gaussian import require_spectral
from jaxir.denoisers import Denoiser, Estimate
from jaxir.gaussian import Gaussian
from jaxir.processes import Process
from jaxir.samplers.resampling import effective_size, systematic
from jaxir.samplers.sampler import Sampler, twentieths
from jaxir.transitions import DDIM, Correlated
from jaxir.typing import Image, Images, Key, Scalar, Times


class MCGDiff(Sampler):
    """A coordinate i of A⁺y has noise σ_i = σ_y/s_i, so a_τ y_i is a state at the time τ_i where σ̂ = σ_i.

    Until then a coordinate is led by the potential g_t(x) = N(a_t y_i; x_i, v_t), v_t = σ_t² − (1 − κ) a_t² σ_i², the
    variance of the forward law from τ_i to t and a little more; after it, it is free. A step draws parents by
    the weights N(a_s y_i; μ_i, τ² + v_s)/g_t(x_t), then moves them by the product of its law N(μ, τ²) and g_s. They
    tend to the posterior for noise of variance (1 + κ) σ_y² as they become many.

    Args:
        degradation: an operator with a fast singular basis, Gaussian noise.
        particles: N, the images of one run.
        transition: the unguided step, which must have noise.
        softness: κ in (0, 1], the variance of the potential at τ_i in units of σ_τ².

    Source: [cardoso2024mcgdiff] Algorithm 1 and Sec. 3.
    Differs from the paper: its κ is a variance of its own, the same for every coordinate and noise.
    """

    degradation: Degradation
    particles: int = eqx.field(static=True, default=64)
    transition: Correlated = DDIM(0.6)
    softness: float = 1e-2

    def __check_init__(self) -> None:
        expect.positive("softness", self.softness)
        if self.particles < 2:
            raise ValueError(f"particles is {self.particles}, expected at least 2")
        require_spectral(
            "MCGDiff", self.degradation, otherwise="Twisted or MMPS", nonlinear="DPS or DAPS"
        )

    def windows(self, count: int) -> Sequence[tuple[int, int]]:
        """About twenty windows."""
        return twentieths(count)

    def report(self, times: Times) -> dict[str, float]:
        """One evaluation at each time, for each particle; no gradient."""
        return {"evaluations": len(times)}

    def start(self, denoiser: Denoiser, like: Image, times: Times, y: Array | None) -> Gaussian:
        """The process's law at times[0] times the potential there.

        Raises:
            ValueError: if the process is coupled, or `y` does not fit.
        """
        if denoiser.process.coupled:
            raise ValueError("MCGDiff needs a process that ends in noise, with b = 0: use VP or VE")
        self.degradation.expect_measurement(y)
        law = denoiser.process.start(like, times[0])
        return self._lead(denoiser.process, law, times[0], y, (self.particles, *like.shape))

    def init(self, denoiser: Denoiser, x: Images, times: Times, y: Array | None) -> PyTree:
        """(x, D, largest N/ESS)."""
        return x, x, jnp.ones((), x.dtype)

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
        """Visit times[start] to times[stop − 1]; the last visit only evaluates the denoiser."""
        process, last = denoiser.process, len(times) - 1
        analyse = jax.vmap(self.degradation.operator.analyse)

        def visit(i: Scalar, state: PyTree) -> PyTree:
            x, _, worst = state
            choose, move = jax.random.split(jax.random.fold_in(key, i))
            t, s = times[i], times[jnp.minimum(i + 1, last)]
            mean = jax.vmap(lambda x: denoiser(x, t))(x)
            law, _ = self.transition.advance(process, None, x, Estimate(mean), t, s)
            aim, now, then, led = self._potential(process, t, s, y)
            old = _log_normal(analyse(x), process.coefficients(t).a * aim, now, led)
            new = _log_normal(
                analyse(law.mean), process.coefficients(s).a * aim, then + law.std**2, led
            )
            log_weight = jnp.where(i == last, 0.0, new - old)
            parents = systematic(choose, log_weight)
            parents = jnp.where(i == last, jnp.arange(self.particles), parents)
            moved = self._lead(process, Gaussian(law.mean[parents], law.std), s, y, x.shape).sample(
                move
            )
            worst = jnp.maximum(worst, self.particles / effective_size(log_weight))
            return jnp.where(i == last, x, moved), mean, worst

        return jax.lax.fori_loop(start, stop, visit, state)

    def finish(self, denoiser: Denoiser, state: PyTree, times: Times, y: Array | None) -> Estimate:
        """D of every particle, with the largest N/ESS on the way as `degeneracy`; 1 is none."""
        return Estimate(state[1], info={"degeneracy": state[2]})

    def _potential(self, process: Process, t: Scalar, s: Scalar, y: Array) -> tuple:
        """(y_i, v_t, v_s, whether σ̂_s ≥ σ_i), in the singular basis."""
        operator = self.degradation.operator
        values = operator.spectrum.astype(jnp.result_type(t))
        seen = operator.observed(values)
        level = self.degradation.noise.sigma / jnp.where(seen, values, 1)

        def variance(t: Scalar) -> Array:
            """v_t, and κ σ_t² from τ_i on, where it is not used."""
            a, _, sigma = process.coefficients(t)
            led = jnp.minimum(a * level, sigma) ** 2
            return sigma**2 - (1 - self.softness) * led

        led = seen & (jnp.exp(-process.log_snr(s)) >= level)
        return operator.analyse(operator.pinv(y)), variance(t), variance(s), led

    def _lead(
        self, process: Process, law: Gaussian, s: Scalar, y: Array, shape: tuple[int, ...]
    ) -> Gaussian:
        """The product of N(mean, τ²) with g_s in the coordinates that are still led."""
        operator = self.degradation.operator
        aim, _, variance, led = self._potential(process, s, s, y)
        trust = jnp.where(led, law.std**2 / (law.std**2 + variance), 0.0)  # in y
        target = process.coefficients(s).a * aim

        def centre(mean: Image) -> Image:
            coordinates = operator.analyse(mean)
            return operator.synthesise(coordinates + trust * (target - coordinates))

        mean = jax.vmap(centre)(jnp.broadcast_to(law.mean, shape))
        scale = law.std * jnp.sqrt(1 - trust)
        return Gaussian(mean, jax.tree_util.Partial(_diagonal, operator, scale))


def _log_normal(x: Array, mean: Array, variance: Array, where: Array) -> Array:
    """Σ over the chosen coordinates of log N(x; mean, variance), for each particle, up to a common number."""
    square = jnp.abs(x - mean) ** 2 / variance + jnp.log(variance)
    return -0.5 * jnp.sum(jnp.where(where, square, 0.0), axis=tuple(range(1, x.ndim)))


def _diagonal(operator: Spectral, scale: Array, z: Images) -> Images:
    """V diag(scale) Vᴴ z, for every particle."""
    return jax.vmap(lambda z: operator.diagonal(scale, z))(z)
