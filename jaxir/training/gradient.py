"""The direction that a training step goes against: the gradient of the mean loss, or what a method has in its place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
from jaxtyping import PyTree

from jaxir.typing import Key, Params, Scalar

Loss = Callable[..., tuple[Scalar, PyTree]]
"""(weights, batch[, pairing]) -> (the mean loss, what else is reported); the experiment's pairing by default."""

Gradient = Callable[[Key, Loss, Params, Any], tuple[tuple[Scalar, PyTree], Params]]
"""(key, loss, weights, batch) -> ((loss, reports), direction), as `jax.value_and_grad` with `has_aux` returns them."""


def mean_gradient(
    key: Key, loss: Loss, params: Params, batch: PyTree
) -> tuple[tuple[Scalar, PyTree], Params]:
    """The gradient of the mean loss; nothing is drawn."""
    return jax.value_and_grad(loss, has_aux=True)(params, batch)
