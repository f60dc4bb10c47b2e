"""A guide that is trained by a regression of its own, beside whatever trains the network that it guides."""

from __future__ import annotations

from collections.abc import Callable

import jax.numpy as jnp

from jaxir.denoisers import NetworkDenoiser
from jaxir.losses.matching import Objective, matching_loss
from jaxir.networks import Multiscale
from jaxir.typing import Image, Key, Params, Scalar


def guide_loss(guide: Multiscale, params: Params, x0: Image, y: Image) -> Scalar:
    """Σ_k mean |g_k(y_k) − x0_k|² over the scales, of the grey reduced images y_k and x0_k.

    Source: [ren2023multiscale].
    """
    pairs = zip(guide.predict(params, y), guide.reduced(x0), strict=True)
    return jnp.sum(jnp.stack([jnp.mean((found - true) ** 2) for found, true in pairs]))


def _of_guided(params: Params) -> Params:
    return params["guide"]


def with_guide(
    guide: Multiscale,
    objective: Objective = matching_loss,
    *,
    weight: float = 1.0,
    where: Callable[[Params], Params] = _of_guided,
) -> Objective:
    """The objective, and `weight` times the regression of the guide.

    Args:
        guide: of the network that is trained.
        objective: of the network as a whole.
        weight: ≥ 0.
        where: from the weights of the network to those of the guide; a `Guided` is not wrapped by default.

    Source: [ren2023multiscale].
    """

    def both(
        key: Key, denoiser: NetworkDenoiser, x0: Image, t: Scalar, y: Image | None = None
    ) -> Scalar:
        regression = guide_loss(guide, where(denoiser.params), x0, y)
        return objective(key, denoiser, x0, t, y) + weight * regression

    return both
