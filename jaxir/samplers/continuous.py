"""Continuous sampling: one equation for every process, in the state and the clock where nothing is singular.

With w = (x − b y)/√(a² + σ²) = cos θ x0 + sin θ ε, tan θ = σ/a, and the increasing clock ℓ = log(a/σ),

    dw = [sin θ cos θ (sin θ D − cos θ ε̂) − λ sin θ ε̂] dℓ + sin θ √(2λ) dB,     ε̂ = (w − cos θ D)/sin θ

λ = 0 is the probability-flow ODE and λ = 1 the reverse SDE. The noise is additive, the state keeps the scale of an
image, and the process enters only through the denoiser and the grid.

Source: [song2021score] Eqs. 6 and 13 in the variables above; [karras2022edm] App. B for the family in λ.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, PyTree

from jaxir.denoisers import Denoiser, Estimate
from jaxir.integrate import Solver, solve_ode, solve_sde
from jaxir.samplers.sampler import Sampler
from jaxir.typing import Image, Key, Scalar, Times


def from_circle(denoiser: Denoiser, w: Image, ell: Scalar, y: Array | None) -> tuple[Image, Scalar]:
    """The process's state and time for (w, ℓ): x = √(a² + σ²) w + b y."""
    t = denoiser.process.time(ell)
    a, _, sigma = denoiser.process.coefficients(t)
    return jnp.hypot(a, sigma) * w + denoiser.process.centre(t, y), t


def to_circle(denoiser: Denoiser, x: Image, t: Scalar, y: Array | None) -> Image:
    """w = (x − b y)/√(a² + σ²)."""
    a, _, sigma = denoiser.process.coefficients(t)
    return (x - denoiser.process.centre(t, y)) / jnp.hypot(a, sigma)


def drift(
    denoiser: Denoiser, w: Image, ell: Scalar, y: Array | None, *, noise: float | Scalar
) -> Image:
    """dw/dℓ without its noise; `noise` is λ."""
    sin, cos = jnp.exp(0.5 * jax.nn.log_sigmoid(jnp.stack([-2 * ell, 2 * ell])))
    x0_hat = denoiser(*from_circle(denoiser, w, ell, y), y)
    scaled_eps = w - cos * x0_hat  # sin θ ε̂
    return sin**2 * cos * x0_hat - (cos**2 + noise) * scaled_eps


class ProbabilityFlow(Sampler):
    """The probability-flow ODE (λ = 0): the start decides the image.

    Args:
        solver: a diffrax solver; Heun with the grid's steps by default, Tsit5 where the steps are adaptive.
        tolerance: relative and absolute tolerance of adaptive steps; None takes the grid's steps.

    Source: [song2021score] Eq. 13; [karras2022edm] Algorithm 1 is Heun in another clock.
    """

    solver: Solver | None = None
    tolerance: float | None = None

    def init(self, denoiser: Denoiser, x: Image, times: Times, y: Array | None) -> PyTree:
        """(w, number of solver steps)."""
        return to_circle(denoiser, x, times[0], y), jnp.zeros((), jnp.int32)

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
        """Integrate over the whole grid; `key`, `start` and `stop` are not used."""
        return solve_ode(
            lambda ell, w: drift(denoiser, w, ell, y, noise=0.0),
            state[0],
            denoiser.process.log_snr(times),
            solver=self.solver,
            tolerance=self.tolerance,
        )

    def finish(self, denoiser: Denoiser, state: PyTree, times: Times, y: Array | None) -> Estimate:
        """D at the last time."""
        w, steps = state
        x, t = from_circle(denoiser, w, denoiser.process.log_snr(times[-1]), y)
        estimate = denoiser.estimate(x, t, y)
        return estimate._replace(info={**(estimate.info or {}), "solver_steps": steps})


class ReverseSDE(Sampler):
    """The reverse-time SDE and its family in λ, in the grid's steps.

    Args:
        noise: λ ≥ 0; 1 is the reverse SDE, more is Langevin noise on top of it.
        solver: a diffrax solver for additive noise; Euler–Maruyama by default, `diffrax.ShARK()` for order 1.5.

    Source: [song2021score] Eq. 6.
    """

    noise: float = 1.0
    solver: Solver | None = None

    def __check_init__(self) -> None:
        if not isinstance(self.noise, jax.core.Tracer) and not self.noise >= 0:
            raise ValueError(f"noise is {self.noise}, expected 0 (the ODE) or more")

    def init(self, denoiser: Denoiser, x: Image, times: Times, y: Array | None) -> PyTree:
        """w."""
        return to_circle(denoiser, x, times[0], y)

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
        """Integrate over the whole grid; `start` and `stop` are not used."""

        def diffusion(ell: Scalar) -> Scalar:
            return jnp.exp(0.5 * jax.nn.log_sigmoid(-2 * ell)) * jnp.sqrt(2 * self.noise)

        return solve_sde(
            key,
            lambda ell, w: drift(denoiser, w, ell, y, noise=self.noise),
            diffusion,
            state,
            denoiser.process.log_snr(times),
            solver=self.solver,
        )

    def finish(self, denoiser: Denoiser, state: PyTree, times: Times, y: Array | None) -> Estimate:
        """D at the last time."""
        x, t = from_circle(denoiser, state, denoiser.process.log_snr(times[-1]), y)
        return denoiser.estimate(x, t, y)
