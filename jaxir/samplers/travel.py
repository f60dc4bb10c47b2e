"""Going back up: after some steps the state is noised again, and the same stretch of the grid is walked once more.

Guidance that replaces a part of the image leaves the rest out of step with it; walking a stretch again lets the two
agree. Any transition walks; the way up is the forward law of the process.
"""

from __future__ import annotations

from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int, PyTree

from jaxir.denoisers import Denoiser, Estimate
from jaxir.samplers.discrete import Discrete
from jaxir.samplers.sampler import Sampler, twentieths
from jaxir.transitions import Ancestral, Transition
from jaxir.typing import Image, Key, Scalar, Times


class Travel(Sampler):
    """`Discrete`, but each time that is a multiple of `length` from the end is reached `repeats` times.

    After each arrival but the last, x_t ~ q(x_t | x_s) leads `length` times back up, in one draw, and the history of
    a multistep transition is forgotten.

    Args:
        transition: the step down.
        length: how many times of the grid a jump goes back.
        repeats: how often each stretch is walked; 1 is `Discrete`.

    Source: [lugmayr2022repaint] Sec. 4.2 (jump length and resampling, 10 and 10 at 250 times);
        [wang2023ddnm] Sec. 3.3 (time travel).
    """

    transition: Transition = Ancestral()
    length: int = eqx.field(static=True, default=10)
    repeats: int = eqx.field(static=True, default=10)

    def __check_init__(self) -> None:
        if self.length < 1 or self.repeats < 1:
            raise ValueError(
                f"length is {self.length} and repeats {self.repeats}, expected both at least 1"
            )

    @property
    def needs_y(self) -> bool:
        """As the transition."""
        return self.transition.needs_y

    def walk(self, count: int) -> Int[np.ndarray, " visits"]:
        """The numbers of the times at which the denoiser is asked, in order."""
        last, left, walk, i = count - 1, {}, [], 0
        for behind in range(0, last - self.length + 1, self.length):
            left[last - behind] = self.repeats - 1
        while i < count:
            walk.append(i)
            i += 1
            if left.get(i, 0) > 0:
                left[i] -= 1
                i -= self.length
        return np.asarray(walk)

    def windows(self, count: int) -> Sequence[tuple[int, int]]:
        """About twenty windows of the walk."""
        return twentieths(len(self.walk(count)))

    def report(self, times: Times) -> dict[str, float]:
        """Evaluations of the denoiser for each image."""
        return {"evaluations": len(self.walk(len(times)))}

    def init(self, denoiser: Denoiser, x: Image, times: Times, y: Array | None) -> PyTree:
        """As `Discrete`."""
        return Discrete(self.transition).init(denoiser, x, times, y)

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
        """Visits `start` to `stop` − 1 of the walk; visit i has the key `fold_in(key, i)`."""
        process, last = denoiser.process, len(times) - 1
        visits = self.walk(len(times))
        walk = jnp.asarray(np.append(visits, last))

        def visit(i: Scalar, state: PyTree) -> PyTree:
            x, carry, before = state
            number = walk[i]
            below = jnp.minimum(number + 1, last)
            down, up = (jax.random.fold_in(jax.random.fold_in(key, i), k) for k in range(2))
            step = self.transition.step(denoiser, carry, x, times[number], times[below], y)
            x = step.law.sample(down)

            def jump() -> tuple[Image, PyTree]:
                law = process.forward(x, times[below], times[walk[i + 1]], y)
                return law.sample(up), self.transition.init(x)

            x, carry = jax.lax.cond(walk[i + 1] < below, jump, lambda: (x, step.carry))
            worst = jax.tree.map(jnp.maximum, before.info, step.estimate.info)
            return x, carry, step.estimate._replace(info=worst)

        return jax.lax.fori_loop(start, stop, visit, state)

    def view(self, state: PyTree) -> Image:
        """As `Discrete`."""
        return Discrete(self.transition).view(state)

    def finish(self, denoiser: Denoiser, state: PyTree, times: Times, y: Array | None) -> Estimate:
        """The estimate at the last time, with the largest `info` seen on the way."""
        return Discrete(self.transition).finish(denoiser, state, times, y)
