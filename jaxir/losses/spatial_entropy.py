"""Losses on how rough an image is and not on where: the law of (pixel, mean around it), compared as a histogram.

A histogram has no derivative, so each pixel is shared among bins by a smooth kernel. All that is compared is the joint
law of two numbers; its entropy is 0 for a constant image, grows with edges, and is largest for noise.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxir.typing import Image, Key, Scalar

BINS = 64
"""Bins of each axis, from −1 to 1."""
TINY = 1e-8

Law = Float[Array, "b b"]
"""Probabilities of (pixel, mean of its neighbours)."""
Distance = Callable[[Law, Law], Scalar]


def spatial_law(
    x: Image, *, weights: Float[Array, "3 3"] | None = None, bandwidth: float = 0.5
) -> Law:
    """P_ij ∝ Σ_pixels k(x − c_i) k(m − c_j), m the mean around each pixel, k(v) = σ(v/h) (1 − σ(v/h)), h in bins.

    Channels are pixels like others; the outermost pixels have no mean and are left out.

    Args:
        x: image, of at least 3 × 3 pixels.
        weights: of the mean, normalised here; equal ones by default.
        bandwidth: h > 0, in bins.

    Source: [lian2024entropy] (the kernel is the derivative of the sigmoid, h = 0.5).
    """
    height, width, _ = x.shape
    weights = jnp.ones((3, 3), x.dtype) if weights is None else weights
    weights = weights / jnp.sum(weights)
    shifted = (
        weights[i, j] * x[i : height - 2 + i, j : width - 2 + j] for i in range(3) for j in range(3)
    )
    around = sum(shifted, start=jnp.zeros((), x.dtype))
    centres = (jnp.arange(BINS, dtype=x.dtype) + 0.5) * (2 / BINS) - 1

    def shares(values: Image) -> Float[Array, "n b"]:
        v = (jnp.ravel(values)[:, None] - centres) * (BINS / 2 / bandwidth)
        return jax.nn.sigmoid(v) * jax.nn.sigmoid(-v)

    joint = jnp.matmul(shares(x[1:-1, 1:-1]).T, shares(around), precision="highest")
    return joint / jnp.maximum(jnp.sum(joint), TINY)  # where every pixel is far out of range


def entropy(p: Law) -> Scalar:
    """−Σ P log P, in nats."""
    return -jnp.sum(jax.scipy.special.xlogy(p, jnp.maximum(p, TINY)))


def relative_entropy(p: Law, q: Law) -> Scalar:
    """Σ P log(P/Q) ≥ 0, 0 for equal laws.

    Source: [lian2024entropy].
    """
    return cross_entropy(p, q) - entropy(p)


def cross_entropy(p: Law, q: Law) -> Scalar:
    """−Σ P log Q, least where Q is P.

    Source: [lian2024entropy].
    """
    return -jnp.sum(p * jnp.log(jnp.maximum(q, TINY)))


def hellinger(p: Law, q: Law) -> Scalar:
    """√(½ Σ (√P − √Q)²), from 0 to 1; its derivative is finite at equal laws and empty bins.

    Source: [lian2024entropy].
    """
    square = jnp.sum((jnp.sqrt(p + TINY) - jnp.sqrt(q + TINY)) ** 2)
    return jnp.sqrt(square / 2 + TINY) - jnp.sqrt(TINY)


def entropy_loss(
    key: Key, x0_hat: Image, x0: Image, *, distance: Distance = hellinger, bandwidth: float = 0.5
) -> Scalar:
    """A distance of the laws of x0 and of an estimate, their means taken with one random set of weights.

    Fits `structured` in the place of `structure_loss`.

    Args:
        key: draws the weights, uniform.
        x0_hat: an estimate.
        x0: clean image.
        distance: of two laws: `hellinger`, `relative_entropy` or `cross_entropy`.
        bandwidth: of the kernel, in bins.

    Source: [lian2024entropy].
    """
    weights = jax.random.uniform(key, (3, 3), x0.dtype)
    laws = (spatial_law(x, weights=weights, bandwidth=bandwidth) for x in (x0, x0_hat))
    return distance(*laws)
