"""The one thing that a blind method does not know: the kernel of a blur, wherever in the operator the blur stands.

A degradation is a pytree and its kernel a leaf of it, so what is known of the operator (the part of the image that a
camera sees, the noise) is given as for any other method, with a first guess of the kernel in the place of the true one.
"""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxir.degradations import Blur, Degradation
from jaxir.typing import Image

Kernel = Float[Array, "kh kw"]
"""A point-spread function."""


def kernel_of(degradation: Degradation) -> Kernel:
    """The kernel of the one `Blur` in the degradation's operator.

    Raises:
        TypeError: if there is none, or more than one.
    """
    parts = jax.tree.leaves(degradation.operator, is_leaf=lambda part: isinstance(part, Blur))
    blurs = [part for part in parts if isinstance(part, Blur)]
    if len(blurs) != 1:
        raise TypeError(
            f"the operator {type(degradation.operator).__name__} has {len(blurs)} Blurs, expected 1, whose kernel is "
            "to be found: use Blur(guess, shape), alone or in a composition"
        )
    return blurs[0].kernel


def with_kernel(degradation: Degradation, kernel: Kernel) -> Degradation:
    """The same degradation with another kernel of the same size."""
    return eqx.tree_at(kernel_of, degradation, kernel)


def unit_kernel(image: Image) -> Kernel:
    """An image of a kernel in [-1, 1], with -1 for no light, as a kernel: max(image + 1, 0), divided by its sum.

    Without any light it is flat, and has no derivative.
    """
    light = jnp.maximum(image[..., 0] + 1, 0)
    total = jnp.sum(light)
    dark = total == 0
    return jnp.where(dark, 1 / light.size, light / jnp.where(dark, 1, total))


def on_simplex(kernel: Kernel) -> Kernel:
    """The nearest kernel that is nowhere negative and has a sum of 1: max(kernel − θ, 0), θ by sorting.

    Source: [duchi2008simplex] Fig. 1.
    """
    ordered = jnp.sort(kernel.ravel(), descending=True)
    threshold = jnp.max((jnp.cumsum(ordered) - 1) / jnp.arange(1, ordered.size + 1))
    return jnp.maximum(kernel - threshold, 0)
