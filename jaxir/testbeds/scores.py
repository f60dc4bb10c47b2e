"""How far samples are from a law that is known: one number for each way of being wrong.

A biased mean, a covariance of the wrong size or shape, modes of the wrong weight and intervals that do not cover are
different faults, and a method may have one without the others. Each score has a known value for exact draws, and what
exact draws score at the same number of samples is printed beside it: no method can be told from that.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.special import gammaincc, ndtri
from jaxtyping import Array, Bool, Float, Int

from jaxir import expect
from jaxir.typing import Image, Images, Key, Scalar


def mean_error(images: Images, mean: Image, std: Image) -> Scalar:
    """|sample mean − mean|/|std|, the error of the mean in units of the law's deviation; 1/√n for exact draws.

    Args:
        images: (n, H, W, C).
        mean: of the law.
        std: of the law, at each pixel.
    """
    return jnp.linalg.norm(jnp.mean(images, axis=0) - mean) / jnp.linalg.norm(std)


def whitened_covariance(images: Images, covariance: Float[Array, "d d"]) -> Float[Array, "d d"]:
    """C^{−½} Ĉ C^{−½}, the identity for exact draws up to Marchenko–Pastur's spread, eigenvalues (1 ± √(d/n))².

    An eigenvalue of less than 1 is a direction in which the samples are over-confident. Unbiased, so that matrices of
    several problems may be averaged. Variances of C below what its dtype resolves are taken as that.

    Args:
        images: (n, H, W, C), n ≥ 2.
        covariance: C of the law, on the flattened image, positive definite.
    """
    values, basis = jnp.linalg.eigh(covariance)
    values = jnp.maximum(values, len(values) * jnp.finfo(values.dtype).eps * values[-1])
    flat = images.reshape(len(images), -1)
    with jax.default_matmul_precision("highest"):
        white = (flat - jnp.mean(flat, axis=0)) @ (basis / jnp.sqrt(values))
        return white.T @ white / (len(images) - 1)


def gaussian_w2(
    mean: Image,
    covariance: Float[Array, "d d"],
    other_mean: Image,
    other_covariance: Float[Array, "d d"],
) -> Scalar:
    """The Wasserstein distance of two Gaussians: W2² = |m₁ − m₂|² + tr(C₁ + C₂ − 2 (C₁^{½} C₂ C₁^{½})^{½}).

    Source: [gelbrich1990].
    """
    values, basis = jnp.linalg.eigh(covariance)
    with jax.default_matmul_precision("highest"):
        root = (basis * jnp.sqrt(jnp.maximum(values, 0))) @ basis.T
        inner = jnp.linalg.eigvalsh(root @ other_covariance @ root)
    trace = jnp.trace(covariance) + jnp.trace(other_covariance)
    spread = trace - 2 * jnp.sum(jnp.sqrt(jnp.maximum(inner, 0)))
    return jnp.sqrt(jnp.sum((mean - other_mean) ** 2) + jnp.maximum(spread, 0))


def sliced_w1(key: Key, images: Images, others: Images, *, slices: int = 100) -> Scalar:
    """The mean over random directions of the 1-D distance W1: what MCGDiff reports.

    Args:
        key: for the directions.
        images: (n, H, W, C).
        others: as many draws of the other law.
        slices: number of directions, of unit length.

    Raises:
        ValueError: if the two sets are not of one size.

    Source: [cardoso2024mcgdiff].
    """
    return jnp.mean(jnp.abs(_sorted_gaps(key, images, others, slices)))


def sliced_w2(key: Key, images: Images, others: Images, *, slices: int = 100) -> Scalar:
    """√ of the mean over random directions of the squared 1-D distance W2; arguments as `sliced_w1`.

    Source: [bonneel2015sliced].
    """
    return jnp.sqrt(jnp.mean(_sorted_gaps(key, images, others, slices) ** 2))


def _sorted_gaps(key: Key, images: Images, others: Images, slices: int) -> Float[Array, "n slices"]:
    if images.shape != others.shape:
        raise ValueError(
            f"images has shape {images.shape} but others {others.shape}: draw as many of both"
        )
    size = images[0].size
    directions = jax.random.normal(key, (size, slices), images.dtype)
    directions = directions / jnp.linalg.norm(directions, axis=0)

    def project(images: Images) -> Float[Array, "n slices"]:
        flat = images.reshape(len(images), size)
        return _ascending(jnp.matmul(flat, directions, precision="highest"))

    return project(images) - project(others)


def _ascending(x: Float[Array, "n slices"]) -> Float[Array, "n slices"]:
    """Each column sorted, as integers of the same order: on a CPU that is four times as fast as the floats."""
    bits = 8 * x.dtype.itemsize
    integer = jnp.dtype(f"int{bits}")

    def turned(i: Array) -> Array:  # the order of negative floats is that of integers upside down
        return i ^ ((i >> (bits - 1)) & jnp.iinfo(integer).max)

    whole = jnp.sort(turned(jax.lax.bitcast_convert_type(x, integer)), axis=0)
    return jax.lax.bitcast_convert_type(turned(whole), x.dtype)


def weight_error(responsibilities: Float[Array, "n k"], weights: Float[Array, " k"]) -> Scalar:
    """½ Σ |ŵ_k − w_k|, the share of the samples that is in the wrong mode, with ŵ the mean responsibility.

    Args:
        responsibilities: of each component for each sample, under the exact posterior.
        weights: w_k of the exact posterior.
    """
    return 0.5 * jnp.sum(jnp.abs(jnp.mean(responsibilities, axis=0) - weights))


def rank(key: Key, truth: Image, images: Images) -> Int[Array, ""]:
    """How many of n samples are below the truth in a random direction: uniform on 0..n for draws of the posterior.

    Args:
        key: for the direction, and to break ties, which only a discrete law has.
        truth: the clean image that the measurement was made from.
        images: (n, H, W, C), samples given that measurement.

    Source: [talts2018sbc] Theorem 1.
    """
    where, ties = jax.random.split(key)
    direction = jax.random.normal(where, truth.shape, truth.dtype)
    gaps = jnp.sum(direction * (truth - images), axis=(1, 2, 3))
    level = jax.random.randint(ties, (), 0, jnp.sum(gaps == 0) + 1)
    return jnp.sum(gaps > 0) + level


def uniformity(ranks: Int[Array, " problems"], samples: int, *, bins: int = 5) -> Scalar:
    """The p-value of Pearson's χ² test that ranks are uniform on 0..samples.

    Small p says that the samples are not of the posterior; with few problems only gross faults are seen. χ² is near
    its law from about five problems a bin on.

    Args:
        ranks: of independent problems.
        samples: n.
        bins: number of bins, of whole ranks, each weighted by how many it holds.

    Raises:
        ValueError: if there are fewer ranks than bins.

    Source: [talts2018sbc].
    """
    if not 2 <= bins <= samples + 1:
        raise ValueError(f"bins is {bins}, expected at least 2 and at most {samples + 1}")
    edges = jnp.arange(samples + 1) * bins // (samples + 1)
    expected = jnp.bincount(edges, length=bins) / (samples + 1) * len(ranks)
    observed = jnp.bincount(edges[ranks], length=bins)
    statistic = jnp.sum((observed - expected) ** 2 / expected)
    return gammaincc((bins - 1) / 2, statistic / 2)


class Proportion(NamedTuple):
    """A share of trials and its confidence interval."""

    value: Scalar
    low: Scalar
    high: Scalar


def proportion(hits: Bool[Array, " n"], *, confidence: float = 0.95) -> Proportion:
    """The share of hits in independent trials, with Wilson's interval.

    Args:
        hits: one for each trial.
        confidence: of the interval, in (0, 1).

    Source: [wilson1927].
    """
    expect.share("confidence", confidence)
    n, share, z = hits.size, jnp.mean(hits), ndtri(0.5 + 0.5 * confidence)
    middle = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * jnp.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return Proportion(share, middle - half, middle + half)


def coverage(ranks: Int[Array, " problems"], samples: int, *, level: float = 0.9) -> Proportion:
    """How often the central interval of the samples holds the truth, with Wilson's interval over problems.

    The interval lies between the k-th smallest and the k-th largest sample, k = ½ (1 − level)(n + 1), and holds a draw
    of the same law with probability `level` exactly where k is whole: 19, 39, ..., 199 samples for 0.9.

    Args:
        ranks: of independent problems, from `rank`.
        samples: n.
        level: of the interval.

    Raises:
        ValueError: if there are too few samples for such an interval.
    """
    k = round((1 - level) / 2 * (samples + 1))
    if k < 1:
        raise ValueError(
            f"samples is {samples}, expected at least {round(2 / (1 - level)) - 1} for an interval of {level:.0%}"
        )
    return proportion((ranks >= k) & (ranks <= samples - k))
