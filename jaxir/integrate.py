"""Ordinary and stochastic differential equations, by diffrax; the only file that imports it.

An equation is a value; a solve either takes the steps of a grid, in windows whose bounds may be traced, or chooses its
own. Time always increases: the stochastic Runge–Kutta solvers of diffrax are wrong in decreasing time, and the sampling
clock of jaxir, the log-SNR, increases from noise to image. Steps are chosen for one image at a time; batches are made
outside by `jax.vmap`, so that no error norm mixes two images.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from jaxir.typing import Key, Scalar

Solver = object
"""Any solver of diffrax for its equation, such as `diffrax.Heun()`, `diffrax.Kvaerno5()` or `diffrax.ShARK()`.

Hold it in a static field: an implicit one has functions among its leaves."""


class Equation(NamedTuple):
    """dx = drift(t, x) dt + diffusion(t) dw, an ordinary differential equation without the last.

    The noise is additive, so that solvers of strong order 1.5 (ShARK, SRA1) apply.

    Attributes:
        drift: the right-hand side; `x` is a pytree of arrays, or one array where there is noise.
        diffusion: the scale of the noise, a number for each time.
        key: for the Brownian path.
    """

    drift: Callable[[Scalar, Any], Any]
    diffusion: Callable[[Scalar], Scalar] | None = None
    key: Key | None = None


def advance(
    equation: Equation,
    x: PyTree,
    times: Float[Array, " n"],
    start: int | Scalar,
    stop: int | Scalar,
    *,
    solver: Solver | None = None,
) -> PyTree:
    """The steps of a grid in the window [start, stop): from times[start] to times[stop].

    The noise depends on the key and on the step alone, so windows one after the other are the whole. With Python
    integers as bounds the loop is a `lax.scan` and has derivatives in both modes, at the memory of one state a step.

    Args:
        equation: what to solve.
        x: the state at times[start].
        times: increasing; all the steps.
        start: number of the first step.
        stop: one more than the number of the last.
        solver: Heun by default, Euler–Maruyama where there is noise.

    Returns:
        The state at times[stop], NaN if a step failed.

    Raises:
        ValueError: if an implicit solver does not say how exactly to solve for its stages.

    Source: [kidger2021diffrax].
    """
    visit, state = _fixed(equation, x, times, start, solver)
    x, _, failed = jax.lax.fori_loop(start, stop, lambda i, state: visit(state, i)[0], state)
    return _or_nan(failed, x)


def trajectory(
    equation: Equation,
    x: PyTree,
    times: Float[Array, " n"],
    *,
    solver: Solver | None = None,
    tolerance: float | Scalar | None = None,
    max_steps: int = 4096,
) -> tuple[PyTree, Array]:
    """The states at all times of a grid, from the one at its first.

    Args:
        equation: what to solve.
        x: the state at times[0].
        times: increasing, at least two.
        solver: Heun by default, Euler–Maruyama where there is noise; Tsit5 and ShARK with a tolerance.
        tolerance: relative and absolute tolerance of adaptive steps; None takes those of the grid. Derivatives are then
            in reverse mode only, and the path of the noise is a Brownian tree, refined where steps are small.
        max_steps: limit of an adaptive solve. With noise no step is less than 2/max_steps of the whole.

    Returns:
        The states, with a leading axis, NaN if the solve failed; and the number of steps, also of those tried in vain.

    Source: [kidger2021diffrax]; [tsitouras2011tsit5] and [foster2023shark] for the solvers.
    """
    if tolerance is None:
        steps = len(times) - 1
        visit, state = _fixed(equation, x, times, 0, solver)
        (_, _, failed), states = jax.lax.scan(visit, state, jnp.arange(steps))
        states = jax.tree.map(lambda first, rest: jnp.concatenate([first[None], rest]), x, states)
        return _or_nan(failed, states), jnp.asarray(steps, jnp.int32)

    import diffrax as dfx

    solver = _chosen(solver, equation.diffusion is not None, adaptive=True)
    whole = times[-1] - times[0]
    if equation.diffusion is None:
        least = None
        controller = dfx.PIDController(rtol=tolerance, atol=tolerance)
    else:
        least = 2 * whole / max_steps
        controller = dfx.PIDController(  # the coefficients that diffrax recommends for SDEs
            rtol=tolerance, atol=tolerance, pcoeff=0.1, icoeff=0.3, dtmin=least
        )
    solution = dfx.diffeqsolve(
        _terms(equation, x, solver, (times[0], times[-1], least)),
        solver,
        times[0],
        times[-1],
        whole / 64,
        x,
        saveat=dfx.SaveAt(ts=times),
        stepsize_controller=controller,
        max_steps=max_steps,
        throw=False,
    )
    failed = solution.result != dfx.RESULTS.successful
    return _or_nan(failed, solution.ys), jnp.asarray(solution.stats["num_steps"], jnp.int32)


def evaluations(
    solver: Solver | None, steps: Array, solves: Array, *, noisy: bool, adaptive: bool
) -> Array | None:
    """Evaluations of the drift in so many steps of so many solves; None where the number of stages varies.

    Args:
        solver: as given to the solve; None for its default.
        steps: number of steps.
        solves: number of windows, each of which begins afresh.
        noisy: whether the equation has noise.
        adaptive: whether the steps were.
    """
    import diffrax as dfx

    solver = _chosen(solver, noisy, adaptive)
    if isinstance(solver, dfx.HalfSolver):  # an instance of what it halves, too
        return None
    if isinstance(solver, dfx.Euler):
        return steps
    if isinstance(solver, dfx.AbstractSRK):
        ignored = solver.tableau.ignore_stage_f
        return (len(solver.tableau.b_sol) - (0 if ignored is None else int(ignored.sum()))) * steps
    if isinstance(solver, dfx.AbstractERK):
        kept = int(solver.tableau.fsal and not noisy)  # the last stage is the next step's first
        return kept * solves + (solver.tableau.num_stages - kept) * steps
    return None


def _chosen(solver: Any, noisy: bool, adaptive: bool) -> Any:
    """The solver, or the default."""
    import diffrax as dfx

    if solver is not None:
        return solver
    if adaptive:
        return dfx.ShARK() if noisy else dfx.Tsit5()
    return dfx.Euler() if noisy else dfx.Heun()


def _fixed(
    equation: Equation, x: PyTree, times: Array, start: int | Scalar, solver: Any
) -> tuple[Callable, tuple]:
    """A step as the body of a loop, and its first state: (x, the solver's own, whether a step has failed)."""
    import diffrax as dfx

    solver = _chosen(solver, equation.diffusion is not None, adaptive=False)
    implicit = isinstance(solver, dfx.AbstractImplicitSolver)
    if implicit and not isinstance(solver.root_finder.rtol, int | float):
        raise ValueError(
            f"{type(solver).__name__} got fixed steps but no tolerance for its stages: give a tolerance, or the "
            "solver root_finder=diffrax.VeryChord(rtol=..., atol=..., norm=optimistix.max_norm)"
        )
    terms = _terms(equation, x, solver)

    def visit(state: tuple, i: Scalar) -> tuple[tuple, PyTree]:
        x, carry, failed = state
        x, _, _, carry, result = solver.step(
            terms, times[i], times[i + 1], x, None, carry, made_jump=False
        )
        return (x, carry, failed | (result != dfx.RESULTS.successful)), x

    carry = solver.init(terms, times[start], times[start + 1], x, None)
    return jax.checkpoint(visit, prevent_cse=False), (x, carry, jnp.asarray(False))


def _terms(
    equation: Equation, x: PyTree, solver: Any, tree: tuple[Scalar, Scalar, Scalar] | None = None
) -> Any:
    """The equation in diffrax's words; `tree` is the span and the least step of a path that is refined."""
    import diffrax as dfx
    import lineax as lx

    drift: dfx.ODETerm = dfx.ODETerm(lambda t, x, _: equation.drift(t, x))
    if equation.diffusion is None:
        return drift
    like = jax.ShapeDtypeStruct(x.shape, x.dtype)
    abstract = getattr(solver, "minimal_levy_area", dfx.AbstractBrownianIncrement)
    levy: type = next(
        area
        for area in (dfx.BrownianIncrement, dfx.SpaceTimeLevyArea, dfx.SpaceTimeTimeLevyArea)
        if issubclass(area, abstract)
    )
    if tree is None:
        path = dfx.UnsafeBrownianPath(like, equation.key, levy_area=levy)
    else:
        start, stop, least = tree
        path = dfx.VirtualBrownianTree(start, stop, least / 2, like, equation.key, levy_area=levy)
    identity = lx.IdentityLinearOperator(like)

    def noise(t: Any, x: Any, _: Any) -> Any:
        return identity * equation.diffusion(jnp.asarray(t)).astype(x.dtype)

    return dfx.MultiTerm(drift, dfx.ControlTerm(noise, path))


def _or_nan(failed: Array, x: PyTree) -> PyTree:
    """`x`, and never half an integral."""
    return jax.tree.map(lambda leaf: jnp.where(failed, jnp.nan, leaf), x)
