"""Ordinary and stochastic differential equations, by diffrax; the only file that imports it.

Time always increases: the stochastic Runge–Kutta solvers of diffrax are wrong in decreasing time, and the sampling
clock of jaxir, the log-SNR, increases from noise to image. Steps are chosen for one image at a time; batches are made
outside by `jax.vmap`, so that no error norm mixes two images.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxir.typing import Key, Scalar

Solver = object
"""Any solver of diffrax, such as `diffrax.Heun()` or `diffrax.ShARK()`."""


def solve_ode(
    field: Callable[[Scalar, Array], Array],
    x: Array,
    times: Float[Array, " n"],
    *,
    solver: Solver | None = None,
    tolerance: float | None = None,
    max_steps: int = 4096,
) -> tuple[Array, Array]:
    """dx/dt = field(t, x) from times[0] to times[-1].

    Args:
        field: the right-hand side.
        x: the state at times[0].
        times: increasing; the steps of a fixed-step solve, of which an adaptive one uses the ends and first gap.
        solver: Heun by default (Tsit5 when adaptive).
        tolerance: relative and absolute tolerance of an adaptive solve; None takes the given steps.
        max_steps: limit of an adaptive solve.

    Returns:
        The state at times[-1] and the number of steps taken.

    Source: [kidger2021diffrax].
    """
    import diffrax as dfx

    if tolerance is None:
        solver, limit, controller = solver or dfx.Heun(), len(times), dfx.StepTo(times)
        first = None
    else:
        solver, limit = solver or dfx.Tsit5(), max_steps
        controller, first = dfx.PIDController(rtol=tolerance, atol=tolerance), times[1] - times[0]
    solution = dfx.diffeqsolve(
        dfx.ODETerm(lambda t, x, _: field(t, x)),
        solver,
        times[0],
        times[-1],
        first,
        x,
        stepsize_controller=controller,
        max_steps=limit,
        throw=False,
    )
    failed = solution.result != dfx.RESULTS.successful
    return jnp.where(failed, jnp.nan, solution.ys[-1]), solution.stats["num_steps"]


def solve_sde(
    key: Key,
    drift: Callable[[Scalar, Array], Array],
    diffusion: Callable[[Scalar], Scalar],
    x: Array,
    times: Float[Array, " n"],
    *,
    solver: Solver | None = None,
) -> Array:
    """dx = drift(t, x) dt + diffusion(t) dw from times[0] to times[-1], in the given steps.

    The noise is additive, so that solvers of strong order 1.5 (ShARK, SRA1) apply.

    Args:
        key: for the Brownian path.
        drift: the drift.
        diffusion: the scale of the noise, a number for each time.
        x: the state at times[0].
        times: increasing; the steps.
        solver: Euler–Maruyama by default.

    Returns:
        The state at times[-1].

    Source: [kidger2021diffrax]; [foster2023shark].
    """
    import diffrax as dfx
    import lineax as lx

    solver = solver or dfx.Euler()
    like = jax.ShapeDtypeStruct(x.shape, x.dtype)
    abstract = getattr(solver, "minimal_levy_area", dfx.AbstractBrownianIncrement)
    levy: type = next(
        area
        for area in (dfx.BrownianIncrement, dfx.SpaceTimeLevyArea, dfx.SpaceTimeTimeLevyArea)
        if issubclass(area, abstract)
    )
    path = dfx.UnsafeBrownianPath(like, key, levy_area=levy)
    identity = lx.IdentityLinearOperator(like)
    terms: dfx.MultiTerm = dfx.MultiTerm(
        dfx.ODETerm(lambda t, x, _: drift(t, x)),
        dfx.ControlTerm(lambda t, x, _: identity * diffusion(jnp.asarray(t)).astype(x.dtype), path),
    )
    solution = dfx.diffeqsolve(
        terms,
        solver,
        times[0],
        times[-1],
        None,
        x,
        stepsize_controller=dfx.StepTo(times),
        adjoint=dfx.ForwardMode(),
        max_steps=len(times),
        throw=False,
    )
    failed = solution.result != dfx.RESULTS.successful
    return jnp.where(failed, jnp.nan, solution.ys[-1])
