"""The discrete driver: a transition applied along a grid, one network evaluation a time."""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Array, PyTree

from jaxir.denoisers import Denoiser, Estimate
from jaxir.samplers.sampler import Sampler
from jaxir.transitions import DDIM, Transition
from jaxir.typing import Image, Key, Scalar, Times


class Discrete(Sampler):
    """x_{i+1} ~ transition(x_i) for N times, then D at the last one: N evaluations in all.

    With Python integers as bounds the loop is a `lax.scan` and can be differentiated; with traced bounds, as
    `sample` uses it, one program serves every window.

    Args:
        transition: the rule of a step.
    """

    transition: Transition = DDIM()

    def windows(self, steps: int) -> Sequence[tuple[int, int]]:
        """About twenty windows."""
        size = max(1, -(-steps // 20))
        return [(start, min(start + size, steps)) for start in range(0, steps, size)]

    def report(self, times: Times) -> dict[str, float]:
        """Evaluations of the denoiser for each image."""
        return {"evaluations": len(times)}

    def init(self, denoiser: Denoiser, x: Image, times: Times, y: Array | None) -> PyTree:
        """(state, carry, largest info so far)."""
        carry = self.transition.init(x)
        step = jax.eval_shape(
            self.transition.step, denoiser, carry, x, times[0], times[0], y
        )
        info = jax.tree.map(lambda leaf: jnp.full(leaf.shape, -jnp.inf, leaf.dtype), step.info)
        return x, carry, info

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
        """Step from times[start] to times[stop]; step i draws with `fold_in(key, i)`."""

        def body(i: Scalar, state: PyTree) -> PyTree:
            x, carry, info = state
            step = self.transition.step(denoiser, carry, x, times[i], times[i + 1], y)
            x = step.law.sample(jax.random.fold_in(key, i))
            return x, step.carry, jax.tree.map(jnp.maximum, info, step.info)

        return jax.lax.fori_loop(start, stop, body, state)

    def finish(
        self, denoiser: Denoiser, state: PyTree, times: Times, y: Array | None
    ) -> Estimate:
        """D at the last time."""
        x, _, info = state
        estimate = denoiser.estimate(x, times[-1], y)
        if jax.tree.structure(info) != jax.tree.structure(estimate.info):
            return estimate._replace(info=info)
        return estimate._replace(info=jax.tree.map(jnp.maximum, info, estimate.info))
