"""The forward SDE, integrated: what the closed-form marginals are checked against, and pictures are made of."""

from __future__ import annotations

import jax.numpy as jnp

from jaxir.integrate import Equation, Solver, trajectory
from jaxir.processes.process import Process
from jaxir.typing import Image, Images, Key, Measurement, Scalar, Times


def simulate(
    key: Key,
    process: Process,
    x: Image,
    times: Times,
    y: Measurement | None = None,
    *,
    solver: Solver | None = None,
    tolerance: float | None = None,
) -> Images:
    """Integrate dx = (f x + h y) dt + g dw from times[0] to times[-1] through diffrax.

    Args:
        key: for the Brownian path.
        process: any process; its SDE follows from its coefficients.
        x: the state at times[0].
        times: increasing, inside the span, at least two; the steps too, unless there is a tolerance.
        y: degraded image, for a coupled process.
        solver: a diffrax solver, Euler–Maruyama by default.
        tolerance: relative and absolute tolerance of adaptive steps; the solver is then ShARK by default.

    Returns:
        The states at all times, (n, H, W, C).

    Source: [song2021score] Eq. 5.
    """
    pull = process.image(y)

    def drift(t: Scalar, x: Image) -> Image:
        f, h, _ = process.sde(t)
        return f * x + h * pull

    equation = Equation(drift, lambda t: jnp.sqrt(process.sde(t).g2), key)
    return trajectory(equation, x, times, solver=solver, tolerance=tolerance)[0]
