"""Fine-tuning: some weights are trained, the others stay as they are to the last bit."""

from __future__ import annotations

from typing import Any

import jax
import optax

from jaxir.typing import Params


def only(transform: optax.GradientTransformation, *names: str) -> optax.GradientTransformation:
    """The transformation for weights below one of the names, and nothing for all others.

        optimizer=lambda steps: only(optax.adamw(1e-4), "control", "zero")

    A norm that clips is then that of what is trained. Frozen weights get no state and no weight decay.

    Args:
        transform: the optimiser.
        names: of parts of the network, at any depth of its parameters.

    Raises:
        ValueError: when it is initialised, if no weight is below one of them.
    """

    def labels(params: Params) -> Any:
        def label(path: tuple[Any, ...], _: Any) -> str:
            return "trained" if {key.key for key in path} & set(names) else "frozen"

        found = jax.tree_util.tree_map_with_path(label, params)
        if "trained" not in jax.tree.leaves(found):
            raise ValueError(
                f"no weights are below {', '.join(map(repr, names))}: the parameters have {', '.join(params)}"
            )
        return found

    return optax.multi_transform({"trained": transform, "frozen": optax.set_to_zero()}, labels)
