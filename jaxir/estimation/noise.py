"""How noisy a photograph is, from itself."""

from __future__ import annotations

import numpy as np

from jaxir.estimation.estimate import Estimate, Picture, Squares, estimate

PATCH = 5
"""The side of a patch, in pixels."""


def noise_level(image: Picture) -> Estimate:
    """The standard deviation of white Gaussian noise, in units of [-1, 1] (twice that of [0, 1]).

    Patches of a photograph lie near a subspace; noise is what they have outside of it. The eigenvalues λ of
    the covariance of all patches, with their channels together, are then σ² but for the few of the
    subspace: the mean of the smallest is their median too once all others are gone, and

        σ² = mean(λ_1 … λ_k)    with the largest k at which mean ≤ median.

    Differs from the paper: patches hold all channels, whose likeness makes the subspace small.

    Args:
        image: in [-1, 1], of any number of channels, at least 32 × 32 pixels. Colour is measured better
            than grey. A picture that was resized, compressed or denoised has no white noise.

    Raises:
        ValueError: if it is too small or not finite.

    Source: [chen2015noise] Algorithm 1.
    """
    return estimate(_sigma, image, smallest=32)


def _sigma(squares: Squares) -> float:
    size = PATCH * PATCH * squares.shape[3]
    number, total, products = 0, np.zeros(size), np.zeros((size, size))
    for square in squares:  # one by one, for the memory
        windows = np.lib.stride_tricks.sliding_window_view(square, (PATCH, PATCH), axis=(0, 1))
        patches = windows.reshape(-1, size)
        number += len(patches)
        total += patches.sum(axis=0)
        products += patches.T @ patches
    covariance = (products - np.outer(total, total) / number) / (number - 1)
    smallest_first = np.linalg.eigvalsh(covariance)
    count = np.arange(1, len(smallest_first) + 1)
    means = np.cumsum(smallest_first) / count
    medians = np.array([np.median(smallest_first[:k]) for k in count])
    noise = np.nonzero(means <= medians * (1 + 1e-9))[
        0
    ]  # never empty: one number is its own median
    return float(np.sqrt(max(means[noise[-1]], 0.0)))
