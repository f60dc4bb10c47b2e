"""Matching the mean of a step: what a mean-reverting SDE trains so that its next state is the likeliest one.

The likeliest x_s given x_t, x0 and y is the mean of the natural posterior, `Ancestral()`. A network can be asked to hit
it in two ways, which differ by what brings its estimate to x_s.
"""

from __future__ import annotations

from collections.abc import Callable

import jax.numpy as jnp

from jaxir.denoisers import Denoiser, Estimate, NetworkDenoiser
from jaxir.losses.matching import Objective
from jaxir.transitions import Ancestral, ReverseEuler
from jaxir.typing import Image, Key, Measurement, Scalar


def stepwise(loss: Callable[..., Scalar], steps: int) -> Objective:
    """A loss of a step as one of a time: the step of length (span)/`steps` that starts there.

    Args:
        loss: (key, denoiser, x0, t, s, y) -> the loss of one image.
        steps: of the sampling, ≥ 1.
    """

    def objective(
        key: Key, denoiser: NetworkDenoiser, x0: Image, t: Scalar, y: Image | None
    ) -> Scalar:
        low, high = denoiser.process.span
        return loss(key, denoiser, x0, t, jnp.maximum(t - (high - low) / steps, low), y)

    return objective


def mean_matching_loss(
    key: Key,
    denoiser: Denoiser,
    x0: Image,
    t: Scalar,
    s: Scalar,
    y: Measurement | None = None,
    *,
    power: float = 1.0,
) -> Scalar:
    """Mean over pixels of |μ(x_t, D) − μ(x_t, x0)|^p, both means the posterior's: (a_s − k a_t)^p |D − x0|^p.

    The exact variant, for samplers of the κ family: for p = 2 the minimiser is E[x0 | x_t, y], so that the noise is
    E[ε | x_t, y] without a bias. For p = 1 it is a conditional median, which is not a score.

    Args:
        key: for ε.
        denoiser: D(x, t, y).
        x0: clean image.
        t: time of the state.
        s: time of the step's end, s < t.
        y: the measurement, for a coupled process.
        power: p, 1 as published.

    Source: [yue2024goub] (the L1 distance of the means); [ho2020ddpm] Eq. 8 for p = 2.
    """
    process = denoiser.process
    x = process.marginal(x0, t, y).sample(key)
    gain = Ancestral().weights(process, t, s).gain
    return jnp.mean(jnp.abs(gain * (denoiser(x, t, y) - x0)) ** power)


def euler_matching_loss(
    key: Key,
    denoiser: Denoiser,
    x0: Image,
    t: Scalar,
    s: Scalar,
    y: Measurement | None = None,
    *,
    power: float = 1.0,
) -> Scalar:
    """Mean over pixels of |Euler's mean with D − μ(x_t, x0)|^p: the maximum-likelihood objective as published.

    Its minimiser is not E[ε | x_t, y]. For IR-SDE, with q = θ (t − s) the same as θ̄_t − θ̄_s, it is

        (sinh q/q) ε̂ − ((e^q − 1 − q)/q) σ_t/(2 λ²) (x_t − y)

    which cancels in the Euler–Maruyama steps that it was made for, `ReverseEuler()` on the same grid, and nowhere else:
    the network is tied to its number of steps. It is here to reproduce published training.

    Args:
        key: for ε.
        denoiser: D(x, t, y).
        x0: clean image.
        t: time of the state.
        s: time of the step's end, s < t, where samples will step to.
        y: the measurement, for a coupled process.
        power: p, 1 as published.

    Source: [luo2023irsde] (the maximum likelihood objective of Sec. 3).
    """
    process = denoiser.process
    x = process.marginal(x0, t, y).sample(key)
    reached = ReverseEuler().step(denoiser, None, x, t, s, y).law.mean
    likeliest, _ = Ancestral().advance(process, None, x, Estimate(x0), t, s, y)
    return jnp.mean(jnp.abs(reached - likeliest.mean) ** power)
