"""Filtering posterior sampling: the measurement is noised with the image, and every step back must agree with it.

What the measurement's path y_t says of the state is then exact at every time, and not an approximation of p(y | x_t):
of a linear A and Gaussian noise the pair (x_t, y_t) is a Markov chain, and a particle filter runs along it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, PyTree

from jaxir import expect
from jaxir.degradations import Degradation
from jaxir.degradations.linear_gaussian import require_linear_gaussian
from jaxir.denoisers import Denoiser, Estimate
from jaxir.gaussian import Gaussian
from jaxir.processes import Process
from jaxir.samplers.resampling import effective_size, systematic
from jaxir.samplers.sampler import Sampler, twentieths
from jaxir.transitions import Ancestral
from jaxir.typing import Image, Images, Key, Measurement, Scalar, Times


class FPS(Sampler):
    """Along y_t = a y + σ (A ε + σ_y ξ/√v) a step is the product of p(x_s | x_t) and p(y_s | x_s, x_t, y_t).

    ε is the noise of the state, so that e_t = y_t − A x_t = a e_0 + σ σ_y ξ/√v is a chain of its own. Both chains go
    back as the natural posterior does, the variance of x0 given x_t taken as for N(m, v I), and e_0 is N(0, σ_y² I):

        x' ~ N(k x_t + (a_s − k a_t) D, q² v),    e' ~ N(c e_t, q² σ_y²),    q² = τ²/v + (a_s − k a_t)² σ²/(a² v + σ²)
        x_s = x' + K (y_s − A x' − e'),    K = Aᴴ (A Aᴴ + σ_y²/v)⁻¹

    With particles (FPS-SMC) the parents are drawn by the weights p(y_s | x_t, y_t), and their law tends to p(x0 | y) as
    they and the steps become many, for a y without noise as well. For a prior N(m, v I) the weights are all equal, and
    one particle (FPS) is exact. For others it is not, since y_t does not tell it what y will be: it has then the
    measurement right if that is without noise, and the rest about.

    Args:
        degradation: linear with Gaussian noise.
        particles: N; the images of one run, which share their ancestors and are not independent.
        variance: v > 0, the prior variance of a pixel; 0.25 is that of photographs in [-1, 1].
        threshold: share of N below which the particles are resampled; 1, at every step, in the paper.

    Source: [dou2024fps].
    Differs from the paper: there y_t has no noise of the sensor, so that e_t = a e_0 is the same all along, but is
        taken for new at every step, which counts a noisy y as often as there are steps; and τ is the deviation of a
        step.
    """

    degradation: Degradation
    particles: int = eqx.field(static=True, default=64)
    variance: float = 0.25
    threshold: float = 0.5

    def __check_init__(self) -> None:
        expect.positive("variance", self.variance)
        expect.share("threshold", self.threshold)
        if self.particles < 1:
            raise ValueError(f"particles is {self.particles}, expected at least 1")
        require_linear_gaussian("FPS", self.degradation, otherwise="DPS, DAPS or EnKG")

    def windows(self, count: int) -> Sequence[tuple[int, int]]:
        """About twenty windows."""
        return twentieths(count)

    def report(self, times: Times) -> dict[str, float]:
        """One evaluation at each time, for each particle; no gradient."""
        return {"evaluations": len(times)}

    def start(self, denoiser: Denoiser, like: Image, times: Times, y: Array | None) -> Gaussian:
        """Independent first states, of variance σ² + a² v.

        Raises:
            ValueError: if the process is coupled.
        """
        if denoiser.process.coupled:
            raise ValueError("FPS needs a process that ends in noise, with b = 0: use VP or VE")
        a, _, sigma = denoiser.process.coefficients(times[0])
        mean = jnp.zeros((self.particles, *like.shape), like.dtype)
        return Gaussian(mean, jnp.sqrt(sigma**2 + a**2 * self.variance))

    def init(self, denoiser: Denoiser, x: Images, times: Times, y: Array | None) -> PyTree:
        """(x, log weight, D, y_t, largest N/ESS); the path of y begins at the first visit."""
        self.degradation.expect_measurement(y)
        zero = jnp.zeros(self.particles, x.dtype)
        return x, zero, jnp.zeros_like(x), jnp.zeros_like(y), jnp.ones((), x.dtype)

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
        """Visit times[start] to times[stop − 1]: come there, resampled at the last, then evaluate the denoiser."""
        operator, noise = jax.vmap(self.degradation.operator), self.degradation.noise
        y, root = self.degradation.operator.clean(y), jnp.sqrt(self.variance)

        def visit(i: Scalar, state: PyTree) -> PyTree:
            x, log_weight, mean, y_t, worst = state
            here = jax.random.fold_in(key, i)
            choose, path, sensor, fresh, common = (jax.random.fold_in(here, j) for j in range(5))
            step = self._step(denoiser.process, times[jnp.maximum(i - 1, 0)], times[i], i == 0)
            z = root * jax.random.normal(common, x.shape[1:], x.dtype)
            y_s = step.keep * y_t + step.gain * y
            y_s = y_s + step.tau / root * self.degradation.sample(path, z)

            mu = step.keep * x + step.gain * mean
            old = step.c * x - mu
            residual = y_s - step.c * y_t + operator(old)
            shift = jax.vmap(self._correct)(residual)
            # ⟨r, (A Aᴴ v + σ_y²)⁻¹ r⟩ less that of the mean r̄, since r − r̄ = A(old − its mean)
            gap = (old - jnp.mean(old, axis=0)) * (shift + jnp.mean(shift, axis=0))
            axes = tuple(range(1, x.ndim))
            log_weight -= 0.5 * jnp.sum(gap, axis=axes) / (root * step.q) ** 2
            size = effective_size(log_weight)
            poor = (size < self.threshold * self.particles) | (i == len(times) - 1)
            parents = systematic(choose, log_weight)
            parents = jnp.where(poor, parents, jnp.arange(self.particles))
            log_weight = jnp.where(poor, 0.0, log_weight)

            mu, residual = mu[parents], residual[parents]
            drawn = mu + root * step.q * jax.random.normal(fresh, x.shape, x.dtype)
            drawn = jnp.where(i == 0, x, drawn)
            error = step.q * noise.sample(sensor, jnp.zeros_like(residual))
            x = drawn + jax.vmap(self._correct)(residual - operator(drawn - mu) - error)
            worst = jnp.maximum(worst, self.particles / size)
            return x, log_weight, jax.vmap(lambda x: denoiser(x, times[i]))(x), y_s, worst

        return jax.lax.fori_loop(start, stop, visit, state)

    def finish(self, denoiser: Denoiser, state: PyTree, times: Times, y: Array | None) -> Estimate:
        """D + K (y − A D − E[e_0 | e_t]) of every particle, with the largest N/ESS on the way as `degeneracy`."""
        x, _, mean, y_t, worst = state
        a, _, sigma = denoiser.process.coefficients(times[-1])
        shrink = a * self.variance / (a**2 * self.variance + sigma**2)
        y = self.degradation.operator.clean(y)
        residual = y - shrink * y_t + jax.vmap(self.degradation.operator)(shrink * x - mean)
        return Estimate(mean + jax.vmap(self._correct)(residual), info={"degeneracy": worst})

    def _step(self, process: Process, t: Scalar, s: Scalar, first: Scalar) -> _Step:
        """The step from t to s; the first comes from where all is noise."""
        now, then = process.coefficients(t), process.coefficients(s)
        keep, gain, tau = Ancestral().weights(process, t, s)
        keep, gain = jnp.where(first, 0.0, keep), jnp.where(first, then.a, gain)
        tau = jnp.where(first, then.sigma, tau)
        total = now.a**2 * self.variance + now.sigma**2
        shrink = jnp.where(first, 0.0, now.a * self.variance / total)
        left = jnp.where(first, 1.0, now.sigma**2 / total)
        q = jnp.sqrt(tau**2 / self.variance + gain**2 * left)
        return _Step(keep, gain, tau, keep + gain * shrink, q)

    def _correct(self, residual: Measurement) -> Image:
        """K r."""
        operator, sigma = self.degradation.operator, self.degradation.noise.sigma
        rho = jnp.maximum(sigma, 1e-3) ** 2 / self.variance
        return operator.solve(operator.adjoint(residual), rho)


class _Step(NamedTuple):
    """x_s ~ N(keep x + gain D, q² v), e_s ~ N(c e, q² σ_y²), and τ for the path of y."""

    keep: Scalar
    gain: Scalar
    tau: Scalar
    c: Scalar
    q: Scalar
