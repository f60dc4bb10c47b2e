"""A loss that compares what an image has in common with itself: the singular values of groups of like patches.

Singular values say how alike the patches of a group are, whatever they show. Only values are compared, never vectors:
the derivative of a singular value is u vᵀ, finite where two of them coincide and where one is zero; it is that of the
vectors which divides by differences.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxir.denoisers import NetworkDenoiser
from jaxir.losses.matching import Objective, Weighting, output_weight
from jaxir.typing import Image, Key, Scalar


def structure_loss(
    key: Key, x0_hat: Image, x0: Image, *, patch: int = 8, groups: int = 8, size: int = 16
) -> Scalar:
    """Mean over groups of Σ_i |s_i(Ĝ) − s_i(G)|/√(numbers in G), with the singular values s_i(G) of a group of patches.

    A group is a random patch of x0 and the `size` − 1 that are nearest to it on a grid of half the patch; its rows are
    patches, and Ĝ has those of x̂0 at the same places.

    Args:
        key: draws the patches that groups form around.
        x0_hat: an estimate.
        x0: clean image.
        patch: side of a patch in pixels, even.
        groups: how many.
        size: patches in a group.

    Raises:
        ValueError: if `patch` is odd, or the image has fewer patches than a group.

    Source: [hou2023gsad] (the global structure-aware regularisation).
    Differs from the paper: groups are nearest patches and not clusters of all.
    """
    if patch < 2 or patch % 2:
        raise ValueError(f"patch is {patch}, expected an even number of pixels")
    found, true = patches(x0_hat, patch), patches(x0, patch)
    if len(true) < size:
        raise ValueError(
            f"size is {size} but an image of {x0.shape} has {len(true)} patches of {patch} pixels: use larger crops or "
            "smaller groups"
        )
    centres = jax.random.randint(key, (groups,), 0, len(true))

    def distance(centre: Int[Array, ""]) -> Scalar:
        near = nearest(true, centre, size)
        values = (jnp.linalg.svdvals(part[near]) for part in (found, true))
        return jnp.sum(jnp.abs(jnp.subtract(*values))) / jnp.sqrt(true[near].size)

    return jnp.mean(jax.vmap(distance)(centres))


def nearest(patches: Float[Array, "n d"], centre: Int[Array, ""], size: int) -> Int[Array, " k"]:
    """The `size` patches that are nearest to one of them, itself first."""
    squares = jnp.sum((patches - patches[centre]) ** 2, axis=1)
    return jax.lax.top_k(-jax.lax.stop_gradient(squares), size)[1]


def patches(x: Image, side: int) -> Float[Array, "n d"]:
    """All patches that begin at a multiple of half their side, flattened."""
    height, width, channels = x.shape
    rows, columns = (jnp.arange(0, length - side + 1, side // 2) for length in (height, width))
    down = rows[:, None, None, None] + jnp.arange(side)[:, None]
    across = columns[:, None, None] + jnp.arange(side)
    return x[down, across].reshape(-1, side * side * channels)


def structured(
    *,
    weight: float = 1.0,
    weighting: Weighting = output_weight,
    structure: Callable[..., Scalar] = structure_loss,
) -> Objective:
    """The objective w(t) ‖x̂0 − x0‖² + κ r² S(x̂0, x0), r = a²/(a² + σ²): the structure counts where x̂0 shows some.

    Args:
        weight: κ ≥ 0.
        weighting: w, plain mean squared error on the network's output by default.
        structure: (key, x̂0, x0) -> S.

    Source: [hou2023gsad]; r is ᾱ on VP.
    Differs from the paper: errors are not weighted by an uncertainty that another network learns.
    """

    def objective(
        key: Key, denoiser: NetworkDenoiser, x0: Image, t: Scalar, y: Image | None = None
    ) -> Scalar:
        noise, groups = jax.random.split(key)
        x = denoiser.process.marginal(x0, t, y).sample(noise)
        x0_hat = denoiser(x, t, y)
        matching = weighting(denoiser, t) * jnp.mean((x0_hat - x0) ** 2)
        share = jax.nn.sigmoid(2 * denoiser.process.log_snr(t))
        return matching + weight * share**2 * structure(groups, x0_hat, x0)

    return objective
