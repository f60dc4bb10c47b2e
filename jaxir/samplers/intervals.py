"""Samplers that ask the denoiser more than once in a step: what they share is the walk along the grid.

A `Transition` asks once and returns a law; Heun's method, a corrector or Langevin dynamics at one level ask again on
the way. Each of them writes `move`, what happens between two neighbouring times; here are the windows, the count of
evaluations, and the last evaluation, which is the step to no noise.
"""

from __future__ import annotations

import abc
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, PyTree

from jaxir.denoisers import Denoiser, Estimate
from jaxir.samplers.sampler import Sampler, twentieths
from jaxir.typing import Image, Key, Scalar, Times


class Moved(NamedTuple):
    """Where a move arrives.

    Attributes:
        x: the state.
        carry: what the next move may want to know.
        info: the largest `info` of the estimates on the way.
    """

    x: Image
    carry: PyTree
    info: PyTree


class Intervals(Sampler):
    """A sampler that goes through a grid of N times move by move, and ends with the estimate at the last time."""

    @property
    @abc.abstractmethod
    def evaluations(self) -> int:
        """Evaluations of the denoiser in a move."""

    @abc.abstractmethod
    def move(
        self,
        key: Key,
        denoiser: Denoiser,
        carry: PyTree,
        x: Image,
        times: Times,
        i: Scalar,
        y: Array | None,
    ) -> Moved:
        """From times[i] to times[i + 1]."""

    def first(self, x: Image) -> PyTree:
        """The carry before the first move; None where there is no history."""
        return None

    def moves(self, count: int) -> int:
        """How many moves a grid of `count` times has."""
        return count - 1

    def windows(self, count: int) -> Sequence[tuple[int, int]]:
        """About twenty windows."""
        return twentieths(self.moves(count))

    def report(self, times: Times) -> dict[str, float]:
        """Evaluations of the denoiser for each image."""
        return {"evaluations": self.evaluations * self.moves(len(times)) + 1}

    def init(self, denoiser: Denoiser, x: Image, times: Times, y: Array | None) -> PyTree:
        """(state, carry, info), the info at −∞."""
        return Moved(x, self.first(x), no_info(denoiser, x, times[0], y))

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
        """Moves `start` to `stop` − 1; move i has the key `fold_in(key, i)`."""

        def visit(i: Scalar, state: Moved) -> Moved:
            x, carry, before = state
            moved = self.move(jax.random.fold_in(key, i), denoiser, carry, x, times, i, y)
            return moved._replace(info=worst(before, moved.info))

        return jax.lax.fori_loop(start, stop, visit, state)

    def finish(self, denoiser: Denoiser, state: PyTree, times: Times, y: Array | None) -> Estimate:
        """The estimate at the last time, with the largest `info` seen on the way."""
        estimate = denoiser.estimate(state.x, times[-1], y)
        return estimate._replace(info=worst(state.info, estimate.info))


def no_info(denoiser: Denoiser, x: Image, t: Scalar, y: Array | None) -> PyTree:
    """The `info` of a denoiser that was not asked: −∞ in place of each number."""
    info = jax.eval_shape(denoiser.estimate, x, t, y).info
    return jax.tree.map(lambda leaf: jnp.full(leaf.shape, -jnp.inf, leaf.dtype), info)


def worst(*infos: PyTree) -> PyTree:
    """The largest of each number."""
    return jax.tree.map(lambda *values: jnp.max(jnp.stack(values), axis=0), *infos)
