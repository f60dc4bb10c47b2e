"""The discrete driver: a transition applied along a grid, one network evaluation a time."""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Array, PyTree

from jaxir.denoisers import Denoiser, Estimate
from jaxir.samplers.sampler import Sampler, twentieths
from jaxir.transitions import DDIM, Transition
from jaxir.typing import Image, Key, Scalar, Times


class Discrete(Sampler):
    """x_{i+1} ~ transition(x_i) along N times; the estimate at the last one is the image. N evaluations in all.

    The step from the last time goes nowhere and is thrown away, so that the loop is one program with one network in it.

    With Python integers as bounds the loop is a `lax.scan` and can be differentiated; with traced bounds, as
    `sample` uses it, one program serves every window.

    Args:
        transition: the rule of a step.
    """

    transition: Transition = DDIM()

    @property
    def needs_y(self) -> bool:
        """As the transition."""
        return self.transition.needs_y

    def windows(self, count: int) -> Sequence[tuple[int, int]]:
        """About twenty windows."""
        return twentieths(count)

    def report(self, times: Times) -> dict[str, float]:
        """Evaluations of the denoiser for each image."""
        return {"evaluations": len(times)}

    def init(self, denoiser: Denoiser, x: Image, times: Times, y: Array | None) -> PyTree:
        """(state, carry, estimate), the estimate empty and its `info` at −∞."""
        carry = self.transition.init(x)
        step = jax.eval_shape(
            lambda x, t: self.transition.step(denoiser, carry, x, t, t, y), x, times[0]
        )
        empty = jax.tree.map(lambda leaf: jnp.full(leaf.shape, -jnp.inf, leaf.dtype), step.estimate)
        return x, carry, empty

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
        """Visit times[start] to times[stop − 1]; visit i draws the next state with `fold_in(key, i)`."""

        def visit(i: Scalar, state: PyTree) -> PyTree:
            x, carry, before = state
            following = times[jnp.minimum(i + 1, len(times) - 1)]
            step = self.transition.step(denoiser, carry, x, times[i], following, y)
            x = step.law.sample(jax.random.fold_in(key, i))
            worst = jax.tree.map(jnp.maximum, before.info, step.estimate.info)
            return x, step.carry, step.estimate._replace(info=worst)

        return jax.lax.fori_loop(start, stop, visit, state)

    def view(self, state: PyTree) -> Image:
        """The last estimate."""
        return state[2].x0_hat

    def finish(self, denoiser: Denoiser, state: PyTree, times: Times, y: Array | None) -> Estimate:
        """The estimate at the last time, with the largest `info` seen on the way."""
        return state[2]
