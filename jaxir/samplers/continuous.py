"""Continuous sampling: one equation for every process, in the state and the clock where nothing is singular.

With w = (x − b y)/√(a² + σ²) = cos θ x0 + sin θ ε, tan θ = σ/a, and the increasing clock ℓ = log(a/σ),

    dw = [sin θ cos θ (sin θ D − cos θ ε̂) − λ sin θ ε̂] dℓ + sin θ √(2λ) dB,     ε̂ = (w − cos θ D)/sin θ

λ = 0 is the probability-flow ODE and λ = 1 the reverse SDE. The noise is additive, the state keeps the scale of an
image, and the process enters only through the denoiser and the grid. The two samplers differ in the equation alone.

Source: [song2021score] Eqs. 6 and 13 in the variables above; [karras2022edm] App. B for the family in λ.
"""

# No `from __future__ import annotations` here: equinox knows AbstractVar only where it is not a string.

import abc
from collections.abc import Sequence
from typing import ClassVar, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, PyTree

from jaxir import expect, integrate
from jaxir.denoisers import Denoiser, Estimate
from jaxir.integrate import Equation, Solver
from jaxir.processes import Process
from jaxir.samplers.sampler import Sampler, twentieths
from jaxir.typing import Image, Images, Key, Scalar, Times


def from_circle(denoiser: Denoiser, w: Image, ell: Scalar, y: Array | None) -> tuple[Image, Scalar]:
    """The process's state and time for (w, ℓ): x = √(a² + σ²) w + b y."""
    t = denoiser.process.time(ell)
    a, _, sigma = denoiser.process.coefficients(t)
    return jnp.hypot(a, sigma) * w + denoiser.process.centre(t, y), t


def to_circle(denoiser: Denoiser, x: Image, t: Scalar, y: Array | None) -> Image:
    """w = (x − b y)/√(a² + σ²)."""
    a, _, sigma = denoiser.process.coefficients(t)
    return (x - denoiser.process.centre(t, y)) / jnp.hypot(a, sigma)


def angle(ell: Scalar) -> tuple[Scalar, Scalar]:
    """(sin θ, cos θ), each to full precision."""
    sin, cos = jnp.exp(0.5 * jax.nn.log_sigmoid(jnp.stack([-2 * ell, 2 * ell])))
    return sin, cos


def drift(
    denoiser: Denoiser, w: Image, ell: Scalar, y: Array | None, *, noise: float | Scalar
) -> Image:
    """dw/dℓ without its noise; `noise` is λ."""
    sin, cos = angle(ell)
    x0_hat = denoiser(*from_circle(denoiser, w, ell, y), y)
    scaled_eps = w - cos * x0_hat  # sin θ ε̂
    return sin**2 * cos * x0_hat - (cos**2 + noise) * scaled_eps


def expect_noise(process: Process, times: Times) -> None:
    """Refuse a grid on whose ends ℓ is not finite, where its values are known.

    Raises:
        ValueError: if σ or a is 0 at the first or the last time.
    """
    for t in (times[0], times[-1]):
        a, _, sigma = process.coefficients(t)
        if expect.known(a, sigma) and not (a > 0 and sigma > 0):
            raise ValueError(
                f"times has {t:g}, where {type(process).__name__} has a = {abs(a):g} and σ = {abs(sigma):g}: "
                f"a continuous solve needs both positive, keep the times inside {process.span} or use Discrete"
            )


class Continuous(Sampler):
    """A sampler that solves an equation in ℓ; a concrete one writes `equation`.

    Attributes:
        solver: a diffrax solver for its equation.
        tolerance: relative and absolute tolerance of adaptive steps, of each image by itself; None takes the grid's
            steps, in windows.
        noisy: whether the equation has noise.
    """

    noisy: ClassVar[bool]
    solver: eqx.AbstractVar[Solver | None]
    tolerance: eqx.AbstractVar[float | None]

    @abc.abstractmethod
    def equation(self, key: Key, denoiser: Denoiser, y: Array | None) -> Equation:
        """dw/dℓ."""

    def check(self, process: Process, times: Times) -> None:
        """Both ends need noise and something of the image."""
        expect_noise(process, times)

    def windows(self, count: int) -> Sequence[tuple[int, int]]:
        """About twenty windows of fixed steps; one where the steps are adaptive."""
        if self.tolerance is not None or count < 2:
            return super().windows(count)
        return twentieths(count - 1)

    def init(self, denoiser: Denoiser, x: Image, times: Times, y: Array | None) -> PyTree:
        """(w, number of steps, number of windows)."""
        return to_circle(denoiser, x, times[0], y), *jnp.zeros(2, jnp.int32)

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
        """Integrate over the window; adaptive steps go over the whole grid."""
        w, before, windows = state
        equation, ells = self.equation(key, denoiser, y), denoiser.process.log_snr(times)
        if self.tolerance is None:
            steps = stop - start
            w = integrate.advance(equation, w, ells, start, stop, solver=self.solver)
        else:
            states, steps = integrate.trajectory(
                equation, w, ells[jnp.array([0, -1])], solver=self.solver, tolerance=self.tolerance
            )
            w = states[-1]
        return w, before + steps, windows + 1

    def finish(self, denoiser: Denoiser, state: PyTree, times: Times, y: Array | None) -> Estimate:
        """D at the last time, one evaluation more; `info` has `solver_steps` and, where known, `evaluations`."""
        w, steps, windows = state
        x, t = from_circle(denoiser, w, denoiser.process.log_snr(times[-1]), y)
        estimate = denoiser.estimate(x, t, y)
        info = {**(estimate.info or {}), "solver_steps": steps}
        adaptive = self.tolerance is not None
        count = integrate.evaluations(
            self.solver, steps, windows, noisy=self.noisy, adaptive=adaptive
        )
        return estimate._replace(info=info if count is None else {**info, "evaluations": count + 1})


class ProbabilityFlow(Continuous):
    """The probability-flow ODE (λ = 0): the start decides the image.

    Args:
        solver: a diffrax solver; Heun with the grid's steps by default, Tsit5 where the steps are adaptive.
        tolerance: relative and absolute tolerance of adaptive steps; None takes the grid's steps.

    Source: [song2021score] Eq. 13; [karras2022edm] Algorithm 1 is Heun in another clock.
    """

    noisy: ClassVar[bool] = False
    solver: Solver | None = eqx.field(static=True, default=None)
    tolerance: float | None = None

    def equation(self, key: Key, denoiser: Denoiser, y: Array | None) -> Equation:
        """The drift with λ = 0."""
        return Equation(lambda ell, w: drift(denoiser, w, ell, y, noise=0.0))


class ReverseSDE(Continuous):
    """The reverse-time SDE and its family in λ.

    Args:
        noise: λ ≥ 0; 1 is the reverse SDE, more is Langevin noise on top of it.
        solver: a diffrax solver for additive noise; Euler–Maruyama by default, `diffrax.ShARK()` for order 1.5, which
            is the default where the steps are adaptive.
        tolerance: relative and absolute tolerance of adaptive steps; None takes the grid's steps.

    Source: [song2021score] Eq. 6.
    """

    noisy: ClassVar[bool] = True
    noise: float = 1.0
    solver: Solver | None = eqx.field(static=True, default=None)
    tolerance: float | None = None

    def __check_init__(self) -> None:
        if expect.known(self.noise) and not self.noise >= 0:
            raise ValueError(f"noise is {self.noise}, expected 0 (the ODE) or more")

    def equation(self, key: Key, denoiser: Denoiser, y: Array | None) -> Equation:
        """The drift with λ and the noise sin θ √(2λ)."""
        return Equation(
            lambda ell, w: drift(denoiser, w, ell, y, noise=self.noise),
            lambda ell: angle(ell)[0] * jnp.sqrt(2 * self.noise),
            key,
        )


class Trajectory(NamedTuple):
    """The way of one image.

    Attributes:
        x: the states of the process at each time, (n, H, W, C).
        x0_hat: the estimates of the clean image there.
        solver_steps: how many steps were taken.
    """

    x: Images
    x0_hat: Images
    solver_steps: Array


def trajectory(
    key: Key,
    denoiser: Denoiser,
    x: Image,
    times: Times,
    y: Array | None = None,
    *,
    sampler: Continuous = ProbabilityFlow(),
) -> Trajectory:
    """The states at all times of a grid, and what the denoiser makes of them.

    Args:
        key: for the noise of an SDE.
        denoiser: D(x, t, y).
        x: the state at times[0].
        times: decreasing, at least two; the steps too, unless the sampler has a tolerance.
        y: the measurement.
        sampler: which equation, solver and tolerance.
    """
    expect_noise(denoiser.process, times)
    equation, ells = sampler.equation(key, denoiser, y), denoiser.process.log_snr(times)
    w = to_circle(denoiser, x, times[0], y)
    states, steps = integrate.trajectory(
        equation, w, ells, solver=sampler.solver, tolerance=sampler.tolerance
    )

    def look(w: Image, t: Scalar) -> tuple[Image, Image]:
        a, _, sigma = denoiser.process.coefficients(t)
        x = jnp.hypot(a, sigma) * w + denoiser.process.centre(t, y)
        return x, denoiser(x, t, y)

    x, x0_hat = jax.lax.map(lambda pair: look(*pair), (states, times))
    return Trajectory(x, x0_hat, steps)
