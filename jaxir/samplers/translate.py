"""From one law of images to another without pairs: into noise by one model's flow, out of it by another's.

Each half is the probability-flow ODE, which can be undone, so the way there and back is the identity up to the error of
the solver. In w = cos θ x̂ + … = (x − b y)/√(a² + σ²) the noise of all processes is the same, about N(0, I), and the two
models may be of different ones.

Source: [su2023ddib].
"""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array

from jaxir import integrate
from jaxir.denoisers import Denoiser
from jaxir.integrate import Equation, Solver
from jaxir.samplers.continuous import angle, drift, expect_noise
from jaxir.typing import Image, Scalar, Times


def encode(
    denoiser: Denoiser,
    x0: Image,
    times: Times,
    y: Array | None = None,
    *,
    solver: Solver | None = None,
    tolerance: float | Scalar | None = 1e-5,
) -> Image:
    """The noise w at times[0] that the flow of a denoiser makes into an image.

    Args:
        denoiser: of the law that the image is from.
        x0: an image, taken as x̂ = (x − b y)/a at the last time.
        times: decreasing; the steps, where there is no tolerance.
        y: the measurement, for a denoiser that sees it.
        solver: Heun by default, Tsit5 with a tolerance.
        tolerance: relative and absolute tolerance of adaptive steps; None takes those of the grid.
    """
    expect_noise(denoiser.process, times)
    ells = denoiser.process.log_snr(times)
    equation = Equation(lambda u, w: -drift(denoiser, w, -u, y, noise=0.0))
    return _end(equation, angle(ells[-1])[1] * x0, -ells[::-1], solver, tolerance)


def decode(
    denoiser: Denoiser,
    latent: Image,
    times: Times,
    y: Array | None = None,
    *,
    solver: Solver | None = None,
    tolerance: float | Scalar | None = 1e-5,
) -> Image:
    """The image x̂ = (x − b y)/a at times[-1] that the flow of a denoiser makes from noise: `encode` undone.

    A sampler ends with D, which cannot be undone; this is the state itself, with the noise of the last time in it.

    Args:
        denoiser: of the law that the image is to be from.
        latent: w at times[0].
        times: decreasing; the steps, where there is no tolerance.
        y: the measurement, for a denoiser that sees it.
        solver: Heun by default, Tsit5 with a tolerance.
        tolerance: relative and absolute tolerance of adaptive steps; None takes those of the grid.
    """
    expect_noise(denoiser.process, times)
    ells = denoiser.process.log_snr(times)
    equation = Equation(lambda ell, w: drift(denoiser, w, ell, y, noise=0.0))
    return _end(equation, latent, ells, solver, tolerance) / angle(ells[-1])[1]


def translate(
    source: Denoiser,
    target: Denoiser,
    x0: Image,
    times: Times,
    *,
    solver: Solver | None = None,
    tolerance: float | Scalar | None = 1e-5,
) -> Image:
    """An image of the source's law as one of the target's: encode with one, decode with the other.

    Between Gaussians whose covariances commute it is the optimal transport as the first noise goes to infinity and the
    last to nothing.

    Args:
        source: of the law that the image is from.
        target: of the law that it is to be from.
        x0: an image.
        times: decreasing, within the spans of both.
        solver: Heun by default, Tsit5 with a tolerance.
        tolerance: relative and absolute tolerance of adaptive steps; None takes those of the grid.

    Source: [su2023ddib] Algorithm 1.
    """
    latent = encode(source, x0, times, solver=solver, tolerance=tolerance)
    return decode(target, latent, times, solver=solver, tolerance=tolerance)


def _end(
    equation: Equation,
    w: Image,
    clock: Array,
    solver: Solver | None,
    tolerance: float | Scalar | None,
) -> Image:
    """The state at the end of an increasing clock."""
    if tolerance is None:
        return integrate.advance(equation, w, clock, 0, len(clock) - 1, solver=solver)
    ends = clock[jnp.array([0, -1])]
    return integrate.trajectory(equation, w, ends, solver=solver, tolerance=tolerance)[0][-1]
