"""The forward SDE, integrated: what the closed-form marginals are checked against, and pictures are made of."""

from __future__ import annotations

import jax.numpy as jnp

from jaxir.integrate import Solver, solve_sde
from jaxir.processes.process import Process
from jaxir.typing import Image, Key, Times


def simulate(
    key: Key,
    process: Process,
    x: Image,
    times: Times,
    y: Image | None = None,
    *,
    solver: Solver | None = None,
) -> Image:
    """Integrate dx = (f x + h y) dt + g dw from times[0] to times[-1] through diffrax.

    Args:
        key: for the Brownian path.
        process: any process; its SDE follows from its coefficients.
        x: the state at times[0].
        times: increasing, inside the span; the steps.
        y: degraded image, for a coupled process.
        solver: a diffrax solver, Euler–Maruyama by default.

    Returns:
        The state at times[-1].

    Source: [song2021score] Eq. 5.
    """

    def drift(t, x):
        f, h, _ = process.sde(t)
        return f * x + (h * y if process.coupled else 0.0)

    return solve_sde(key, drift, lambda t: jnp.sqrt(process.sde(t).g2), x, times, solver=solver)
