"""The loop: walk along one drift, learn the other from the walk, exchange them; as one compiled program.

Walks are made on the device, all images side by side along the leading axis, and kept while a drift is learnt from
them.
"""

from __future__ import annotations

import functools

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from jaxir.training.schrodinger.fitting import Drift, Fitting, Leg, MarkovianFitting
from jaxir.training.schrodinger.regression import Regression
from jaxir.typing import Image, Images, Key, Params, Scalar, Times


class SchrodingerBridge(eqx.Module):
    """Two drifts, one that carries x0 to x1 and one that carries x1 to x0.

    Attributes:
        regression: what the params are of.
        forward: params of the drift from x0 to x1.
        backward: params of the drift from x1 to x0.
        leg: the times from 0 to 1 and the noise of each step.
        errors: the error of regression in each iteration, of the backward drift and of the forward one. It is bounded
            below by the noise of the targets: it settles, it does not vanish.
    """

    regression: Regression
    forward: Params
    backward: Params
    leg: Leg
    errors: Float[Array, "n 2"]

    def to_x1(self, key: Key, x0: Image) -> Image:
        """A draw of x1 given x0."""
        return self.leg.walk(key, _drift(self.regression, self.forward, self.leg), x0)[0]

    def to_x0(self, key: Key, x1: Image) -> Image:
        """A draw of x0 given x1."""
        back = self.leg.back()
        return back.walk(key, _drift(self.regression, self.backward, back), x1)[0]


def schrodinger_bridge(
    key: Key,
    x0: Images,
    x1: Images,
    *,
    regression: Regression,
    fitting: Fitting = MarkovianFitting(),
    times: Times | int = 20,
    iterations: int = 10,
    refreshes: int = 1,
    walks: int | None = None,
) -> SchrodingerBridge:
    """Fit the bridge between two sources of images.

    Of all processes that begin as x0 and end as x1 it is the one nearest to the reference in relative entropy; its ends
    are the entropic optimal transport between the two laws.

    Args:
        key: for the walks and the regressions.
        x0: images at time 0.
        x1: images at time 1.
        regression: what a drift is and how it is learnt.
        fitting: which of the two ways.
        times: increasing from 0 to 1, or how many equal steps.
        iterations: each learns the backward drift, then the forward one.
        refreshes: how often in each of those the walks are made anew.
        walks: how many walks there are at a time, from randomly chosen images; one from each image by default.

    Raises:
        ValueError: if the images, times or counts are not as described.

    Source: [debortoli2021dsb]; [shi2023dsbm].
    """
    if x0.shape != x1.shape or x0.ndim != 4:
        raise ValueError(
            f"x0 has shape {x0.shape} and x1 {x1.shape}, expected both (n, height, width, channels): give as many "
            "images of the one as of the other, of one size"
        )
    walks = len(x0) if walks is None else walks
    if not 1 <= walks <= len(x0):
        raise ValueError(f"walks is {walks}, expected 1 to {len(x0)}, the number of images")
    for name, value in {"iterations": iterations, "refreshes": refreshes}.items():
        if value < 1:
            raise ValueError(f"{name} is {value}, expected at least 1")
    grid = jnp.linspace(0, 1, times + 1) if isinstance(times, int) else jnp.asarray(times)
    if (
        grid.ndim != 1
        or len(grid) < 2
        or grid[0] != 0
        or grid[-1] != 1
        or (jnp.diff(grid) <= 0).any()
    ):
        raise ValueError(
            "times do not increase from 0 to 1: give such a list, or a number of steps"
        )
    return _fit(key, x0, x1, regression, fitting, grid, iterations, refreshes, walks)


@functools.partial(jax.jit, static_argnames=("iterations", "refreshes", "walks"))
def _fit(
    key: Key,
    x0: Images,
    x1: Images,
    regression: Regression,
    fitting: Fitting,
    times: Times,
    iterations: int,
    refreshes: int,
    walks: int,
) -> SchrodingerBridge:
    leg = fitting.leg(times)
    back = leg.back()

    def learn(key: Key, params: Params, along: Leg, walk: PyTree) -> tuple[Params, Scalar]:
        """Fit the drift opposite to `along`, on walks made by `walk(keys, chosen)`."""

        def refresh(params: Params, key: Key) -> tuple[Params, Scalar]:
            chosen, walking, fit = jax.random.split(key, 3)
            chosen = jax.random.permutation(chosen, len(x0))[:walks]
            kept = walk(jax.random.split(walking, walks), chosen)

            def draw(key: Key, j: Scalar, i: Scalar):
                one = jax.tree.map(lambda leaf: leaf[i], kept)
                return fitting.example(key, along, one, j)

            return regression.fit(fit, params, draw, len(times) - 1, walks)

        params, errors = jax.lax.scan(refresh, params, jax.random.split(key, refreshes))
        return params, jnp.mean(errors)

    def iterate(carry: tuple[Params, Params], i: Scalar) -> tuple[tuple[Params, Params], Array]:
        forward, backward = carry
        outward, homeward = jax.random.split(jax.random.fold_in(key, i))

        def from_x0(keys: Key, chosen: Array) -> PyTree:
            drift = _drift(regression, forward, leg)
            return jax.lax.cond(
                i == 0,
                lambda: jax.vmap(lambda *a: fitting.first(a[0], leg, *a[1:]))(
                    keys, x0[chosen], x1[chosen]
                ),
                lambda: jax.vmap(lambda k, x: fitting.keep(k, leg, drift, x))(keys, x0[chosen]),
            )

        backward, error = learn(outward, backward, leg, from_x0)

        def from_x1(keys: Key, chosen: Array) -> PyTree:
            drift = _drift(regression, backward, back)
            return jax.vmap(lambda k, x: fitting.keep(k, back, drift, x))(keys, x1[chosen])

        forward, other = learn(homeward, forward, back, from_x1)
        return (forward, backward), jnp.stack([error, other])

    # each drift is needed, and learnt, at the times where the opposite walk arrives
    start = tuple(regression.init(x0[0], towards.times[1:]) for towards in (back, leg))
    (forward, backward), errors = jax.lax.scan(iterate, start, jnp.arange(iterations))
    return SchrodingerBridge(regression, forward, backward, leg, errors)


def _drift(regression: Regression, params: Params, leg: Leg) -> Drift:
    return lambda x, j: regression.apply(params, x, leg.times[j])
