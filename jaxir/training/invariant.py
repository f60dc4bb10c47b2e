"""Distortion-invariant learning: a direction that helps on every distortion, in the place of the mean gradient.

Each distortion is a task. Steps on one task after another lead to weights θ_K, and θ − θ_K is given to the run's
optimiser as if it were a gradient. With small steps along plain gradients it would be their sum, as in ordinary
training, and to second order it rewards steps for which the gradients of two distortions agree, which is the invariance
that is sought; the inner steps are Adam's, as published, so that each task counts as much as another.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import optax
from jaxtyping import PyTree

from jaxir.training.gradient import Loss
from jaxir.training.pairing import Pairing
from jaxir.typing import Key, Params, Scalar

Task = Callable[[Params], tuple[Scalar, PyTree]]
"""Weights -> (the loss, what else is reported)."""


def serial_gradient(
    key: Key, losses: Sequence[Task], params: Params, *, rate: float
) -> tuple[tuple[Scalar, PyTree], Params]:
    """θ_k = Adam(θ_{k−1}, ∇L_k(θ_{k−1})), one step for each loss in random order; θ_0 − θ_K in a gradient's place.

    Adam starts anew each time, so that the result is a function of the arguments.

    Args:
        key: draws the order.
        losses: L_k, at least one; all report the same kind of things.
        params: θ_0.
        rate: learning rate of the inner steps.

    Returns:
        As `jax.value_and_grad(..., has_aux=True)`: means over the tasks of loss and reports, and the direction.

    Source: [nichol2018reptile] Algorithm 1; [li2023dil] (serial sampling, first order).
    """
    inner = optax.adam(rate)
    gradients = [jax.value_and_grad(loss, has_aux=True) for loss in losses]

    def step(carry: PyTree, which: Scalar) -> tuple[PyTree, tuple[Scalar, PyTree]]:
        params, state = carry
        reported, gradient = jax.lax.switch(which, gradients, params)
        updates, state = inner.update(gradient, state)
        return (optax.apply_updates(params, updates), state), reported

    order = jax.random.permutation(key, len(losses))
    (last, _), reported = jax.lax.scan(step, (params, inner.init(params)), order)
    means = jax.tree.map(lambda values: jnp.mean(values, axis=0), reported)
    return means, jax.tree.map(jnp.subtract, params, last)


@dataclasses.dataclass(frozen=True)
class Invariant:
    """`serial_gradient` over distortions, each on its own part of a batch: an experiment's `gradient`.

    Args:
        pairings: the distortions, from a crop to the clean and the distorted image.
        rate: learning rate of the inner steps.

    Source: [li2023dil].
    """

    pairings: tuple[Pairing, ...]
    rate: float = 1e-4

    @property
    def multiple(self) -> int:
        """What the batch is a multiple of."""
        return len(self.pairings)

    def __call__(
        self,
        key: Key,
        loss: Loss,
        params: Params,
        batch: PyTree,
    ) -> tuple[tuple[Scalar, PyTree], Params]:
        """Means of loss and reports, and the direction.

        Args:
            key: draws the order of the distortions.
            loss: of some images under a pairing, with what else it reports.
            params: weights.
            batch: arrays whose leading axis is a multiple of the number of pairings; distortion k has each K-th entry.

        Raises:
            ValueError: if the batch does not divide.
        """
        count, size = len(self.pairings), len(jax.tree.leaves(batch)[0])
        if size % count:
            raise ValueError(
                f"batch is {size}, expected a multiple of {count}, the number of pairings: each has its own part"
            )

        def task(k: int) -> Task:
            part = jax.tree.map(lambda leaf: leaf[k::count], batch)
            return lambda params: loss(params, part, self.pairings[k])

        return serial_gradient(key, [task(k) for k in range(count)], params, rate=self.rate)
