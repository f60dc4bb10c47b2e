"""The kernel distance between sets of images, of which KID is the one by Inception's features."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import ArrayLike, Float

from jaxir.metrics.frechet import as_rows


class KernelDistance(NamedTuple):
    """An estimate and its standard error.

    Attributes:
        value: an unbiased estimate of the squared distance; below 0 by chance where the sets are alike.
        error: its standard error.
    """

    value: float
    error: float


def kernel_distance(
    features: ArrayLike,
    reference: ArrayLike,
    *,
    subsets: int = 100,
    size: int = 1000,
    seed: int = 0,
) -> KernelDistance:
    """The squared maximum mean discrepancy of a cubic kernel, unbiased; less is better.

        d² = E k(x, x') + E k(y, y') − 2 E k(x, y),    k(x, y) = (xᵀy/d + 1)³

    It is the mean over random subsets, each drawn without replacement and each an unbiased estimate, without the pairs
    of an image with itself. Its standard error is the jackknife's that leaves out all but `size` of the images,

        error² = size/(n − size) · variance over subsets,

    for subsets overlap, and their standard deviation is not the error of their mean. It is too large rather than too
    small where both sets are of one law.

    Args:
        features: (n, d), a row for each image.
        reference: likewise, of the images to compare with.
        subsets: how many, 2 or more.
        size: images in each subset, at least 2 and fewer than either set has.
        seed: of the subsets.

    Raises:
        ValueError: if there are too few images, or the sets are of two networks.

    Source: [binkowski2018kid]; [shao1989jackknife] for the error.
    """
    x, y = as_rows("features", features), as_rows("reference", reference)
    if x.shape[1] != y.shape[1]:
        raise ValueError(
            f"features have {x.shape[1]} and {y.shape[1]} entries: take both sets through one network"
        )
    n = min(len(x), len(y))
    if not 2 <= size < n:
        raise ValueError(
            f"size is {size} but the smaller set has {n} images: pass 2 or more, half of them or fewer"
        )
    if subsets < 2:
        raise ValueError(f"subsets is {subsets}, expected 2 or more")
    generator = np.random.default_rng(seed)
    found = [
        squared_discrepancy(
            *(rows[generator.choice(len(rows), size, replace=False)] for rows in (x, y))
        )
        for _ in range(subsets)
    ]
    return KernelDistance(
        float(np.mean(found)), float(np.sqrt(size / (n - size) * np.var(found, ddof=1)))
    )


def squared_discrepancy(x: Float[np.ndarray, "n d"], y: Float[np.ndarray, "m d"]) -> float:
    """The estimate of `kernel_distance` from all pairs of different images, without subsets."""
    within = sum(
        (np.sum(k := _kernel(rows, rows)) - np.trace(k)) / (len(rows) * (len(rows) - 1))
        for rows in (x, y)
    )
    return float(within - 2 * np.mean(_kernel(x, y)))


def _kernel(x: Float[np.ndarray, "n d"], y: Float[np.ndarray, "m d"]) -> Float[np.ndarray, "n m"]:
    return (x @ y.T / x.shape[1] + 1) ** 3
