"""The density of an image under a denoiser's law, by the probability-flow ODE.

The flow carries the law at the clean end into the law at the noisy end, where it is known; along the way log p changes
by the divergence. In w = cos θ x̂ with x̂ = (x − b y)/a and in the clock ℓ the flow is regular at both ends,

    log p(x̂) = log N(w; 0, sin² θ₀ I) − ∫ div F dℓ + d log cos θ₁,    F = dw/dℓ = cos θ (D − cos θ w)

with θ₀ at the first time, the noisy one, and θ₁ at the last. What is measured is the law of x̂ = x0 + σ̂ ε at the last
time, of which the given image is taken to be a draw: the density of the clean image smoothed by σ̂, 0.01 at the end of
VP. Data that fill less than all dimensions have no other.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxir import integrate
from jaxir.denoisers import Denoiser
from jaxir.gaussian import Gaussian
from jaxir.integrate import Equation, Solver
from jaxir.samplers.continuous import angle, drift, expect_noise
from jaxir.typing import Image, Key, Scalar, Times


class LogLikelihood(NamedTuple):
    """How probable an image is.

    Attributes:
        nats: log p(x̂), summed over the entries of the image; a density in units of [-1, 1].
        error: standard error of `nats` from the random probes: 0 for the exact trace, NaN for a single probe.
        latent: w at the first time, which for data from the denoiser's law is about N(0, I).
        solver_steps: how many steps were taken.
    """

    nats: Scalar
    error: Scalar
    latent: Image
    solver_steps: Array


def log_likelihood(
    key: Key,
    denoiser: Denoiser,
    x0: Image,
    times: Times,
    y: Array | None = None,
    *,
    probes: int | None = 8,
    solver: Solver | None = None,
    tolerance: float | Scalar | None = 1e-5,
) -> LogLikelihood:
    """log p(x0 | y) of one image.

    The divergence is the mean of vᵀ ∂F/∂w v over random signs v, which stay the same along the way, so that the
    estimate is unbiased up to the solver's error; one evaluation and one pullback for each probe.

    Args:
        key: for the probes.
        denoiser: an exact one makes the density exact, up to the law at the first time, which is N(b y, σ² I): an error
            of the order of a/σ there, times how unusual the image is.
        x0: an image.
        times: decreasing; the ends decide where the density is taken and where the law is known, those between are the
            steps where there is no tolerance.
        y: the measurement, for p(x0 | y).
        probes: number of probes; None takes the whole trace by H W C pullbacks.
        solver: Heun by default, Tsit5 with a tolerance.
        tolerance: relative and absolute tolerance of adaptive steps; None takes those of the grid.

    Source: [song2021score] App. D.2; [hutchinson1989trace] for the probes.
    """
    expect_noise(denoiser.process, times)
    size, ells = x0.size, denoiser.process.log_snr(times)
    if probes is None:
        signs = jnp.eye(size, dtype=x0.dtype).reshape(size, *x0.shape)
        each = size  # the basis takes the trace in `size` parts
    else:
        signs = jax.random.rademacher(key, (probes, *x0.shape), x0.dtype)
        each = 1

    def backward(u: Scalar, state: tuple) -> tuple[Image, Float[Array, " k"]]:
        """From image to noise in the clock −ℓ, with the divergence for each dimension that each probe sees."""
        value, pull = jax.vjp(lambda w: drift(denoiser, w, -u, y, noise=0.0), state[0])
        trace = jax.vmap(lambda v: jnp.vdot(v, pull(v)[0], precision="highest"))(signs)
        return -value, trace * each / size

    start = angle(ells[-1])[1] * x0, jnp.zeros(len(signs), x0.dtype)
    clock = -ells[::-1] if tolerance is None else -ells[jnp.array([-1, 0])]
    states, steps = integrate.trajectory(
        Equation(backward), start, clock, solver=solver, tolerance=tolerance
    )
    latent, traces = jax.tree.map(lambda leaf: leaf[-1], states)
    sin, _ = angle(ells[0])
    known = Gaussian(jnp.zeros_like(latent), sin).log_prob(latent)
    volume = size * 0.5 * jax.nn.log_sigmoid(2 * ells[-1])
    nats = known - size * jnp.mean(traces) + volume
    error = (
        jnp.zeros_like(nats)
        if probes is None
        else size * jnp.std(traces, ddof=1) / jnp.sqrt(len(traces))
    )
    return LogLikelihood(nats, error, latent, steps)
