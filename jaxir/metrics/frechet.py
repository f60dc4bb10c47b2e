"""The Fréchet distance between sets of images, of which FID is the one by Inception's features.

A set enters by the mean and the covariance of its features alone, so these are a value of their own: that of a
reference set is computed once, or read from the file in which others keep it. All of it is double precision in NumPy:
2048 features have a covariance whose smallest eigenvalues are below what single precision resolves.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import ArrayLike, Float


class Moments(NamedTuple):
    """Of the features of a set of images; the pair that is published as `mu` and `sigma`."""

    mean: Float[np.ndarray, " d"]
    covariance: Float[np.ndarray, "d d"]


def moments(features: ArrayLike) -> Moments:
    """Mean and covariance, which is divided by n − 1.

    Args:
        features: (n, d), a row for each image; two or more.

    Raises:
        ValueError: if they are not such an array.
    """
    rows = as_rows("features", features)
    return Moments(rows.mean(axis=0), np.atleast_2d(np.cov(rows, rowvar=False)))


def frechet_distance(one: Moments, other: Moments) -> float:
    """d² = ‖μ₁ − μ₂‖² + tr Σ₁ + tr Σ₂ − 2 tr (Σ₁Σ₂)^½, at least 0; less is better.

    It is the squared Wasserstein-2 distance of two Gaussians. The last trace is the sum of the singular values of
    Σ₁^½ Σ₂^½, each root by a symmetric eigen-decomposition: they are real and non-negative, also where there are fewer
    images than features and the root of Σ₁Σ₂ itself is ill-conditioned.

    The estimate is biased: from fewer images it is larger. Compare figures of equal numbers of images, of one network
    and one resizer.

    Source: [heusel2017fid] Eq. 6.
    """
    if one.mean.shape != other.mean.shape:
        raise ValueError(
            f"features have {one.mean.size} and {other.mean.size} entries: take both sets through one network"
        )
    difference = np.sum((one.mean - other.mean) ** 2)
    spread = np.trace(one.covariance) + np.trace(other.covariance)
    product = _root(one.covariance) @ _root(other.covariance)
    shared = np.sum(np.linalg.svd(product, compute_uv=False))
    return max(float(difference + spread - 2 * shared), 0.0)


def as_rows(name: str, features: ArrayLike) -> Float[np.ndarray, "n d"]:
    """Features in double precision.

    Raises:
        ValueError: unless they are two rows or more.
    """
    rows = np.asarray(features, np.float64)
    if rows.ndim != 2 or len(rows) < 2:
        raise ValueError(
            f"{name} has shape {rows.shape}, expected a row for each of two or more images"
        )
    return rows


def _root(covariance: Float[np.ndarray, "d d"]) -> Float[np.ndarray, "d d"]:
    """The symmetric square root; what rounding made negative counts as 0."""
    values, vectors = np.linalg.eigh(np.asarray(covariance, np.float64))
    return (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
