"""How natural an image looks by itself: no truth is asked for.

The statistics of locally normalised luma, block by block, are compared with those of pristine photographs, whose mean
and covariance are data that the user brings. The number is defined by a program as much as by a paper: every choice
below that the paper leaves open (borders, halving, the grid of shapes) is that of the authors' MATLAB release, so that
figures can be compared; colours become BT.601's luma, 16 to 235 of 255, as most tables since BasicSR have it, where the
release takes MATLAB's `rgb2gray`. It runs in NumPy in double precision and has no gradient.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from jaxtyping import ArrayLike, Float

from jaxir.metrics.colour import luma

_BLOCK = 96
_SHAPES = np.linspace(0.2, 10, 9801)
_NEIGHBOURS = ((0, 1), (1, 0), (1, 1), (1, -1))
_WINDOW = np.exp(-0.5 * (np.arange(-3, 4) / (7 / 6)) ** 2)
# Keys' cubic with a = −½ at the distances (½ + k)/2 of the pixels to the middle between two.
_HALVING = np.array([-0.01171875, -0.03515625, 0.11328125, 0.43359375])


@dataclass(frozen=True, eq=False)  # arrays have no one answer to ==
class NIQE:
    """Natural image quality evaluator, at least 0; less is better.

        d² = (ν − ν₀)ᵀ ((Σ + Σ₀)/2)⁺ (ν − ν₀)

    ν and Σ are mean and covariance, over blocks of 96 × 96 pixels, of 36 features, 18 on each of two scales; the index
    0 is for pristine photographs. What is left of the image beyond whole blocks, at the right and below, is cut off.

    Args:
        mean: ν₀, 36 numbers.
        covariance: Σ₀, 36 × 36.

    Source: [mittal2013niqe] Eq. 10.
    Differs from the paper: all blocks count, not only the sharp ones, as in the authors' release. Differs from some
        programs where parts of the image are flat: there they count the signs of rounding errors.
    """

    mean: Float[np.ndarray, " 36"]
    covariance: Float[np.ndarray, "36 36"]

    def __call__(self, image: ArrayLike) -> float:
        """The distance of one image, in [-1, 1] and with one or three channels, from pristine ones.

        Raises:
            ValueError: if it holds fewer than two blocks, or integers, or luma is not made of its channels.
        """
        image = np.asarray(image)
        if image.ndim != 3 or np.prod([side // _BLOCK for side in image.shape[:2]]) < 2:
            raise ValueError(
                f"image has shape {image.shape}, expected (height, width, channels) with two or more blocks of "
                f"{_BLOCK} × {_BLOCK} pixels"
            )
        if not np.issubdtype(image.dtype, np.floating):
            raise ValueError(
                f"image has dtype {image.dtype} but images are float in [-1, 1]: pass x / 127.5 - 1 for 8 bits"
            )
        features = _features(np.round((_grey(image) + 1) * 127.5))
        whole = features[~np.isnan(features).any(axis=1)]
        if len(whole) < 2:
            raise ValueError(
                "image is constant in all blocks but one or in all: it has no statistics"
            )
        difference = np.nanmean(features, axis=0) - self.mean
        covariance = (np.cov(whole, rowvar=False) + self.covariance) / 2
        return float(np.sqrt(difference @ np.linalg.pinv(covariance) @ difference))


def _grey(image: np.ndarray) -> Float[np.ndarray, "h w"]:
    """Luma of colours, in [-1, 1], cut to whole blocks."""
    grey = image if image.shape[-1] == 1 else np.asarray(luma(jnp.asarray(image)))
    height, width = (side - side % _BLOCK for side in image.shape[:2])
    return grey[:height, :width, 0].astype(np.float64)


def _features(grey: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "n 36"]:
    """18 features of each block on each of two scales; NaN where a block is constant."""
    scales = []
    for side in (_BLOCK, _BLOCK // 2):
        height, width = (size // side for size in grey.shape)
        blocks = _normalised(grey).reshape(height, side, width, side).swapaxes(1, 2)
        scales.append(_block_features(blocks.reshape(-1, side, side)))
        grey = _halved(grey)
    return np.concatenate(scales, axis=1)


def _normalised(grey: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "h w"]:
    """(I − μ)/(σ + 1), with the mean and the deviation of a Gaussian window of 7 × 7, the border repeated (Eq. 1).

    Where the image is flat that is 0: rounding must not choose its sign, for signs are counted.
    """
    mean, square = (_windowed(image) for image in (grey, grey**2))
    difference = np.where(np.abs(grey - mean) > 1e-9, grey - mean, 0)
    return difference / (np.sqrt(np.abs(square - mean**2)) + 1)


def _windowed(grey: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "h w"]:
    weights = _WINDOW / _WINDOW.sum()
    for _ in range(2):
        padded = np.pad(grey, ((3, 3), (0, 0)), "edge")
        grey = sum(weight * padded[i : i + len(grey)] for i, weight in enumerate(weights)).T
    return grey


def _halved(grey: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "h2 w2"]:
    """Half the size by the antialiased cubic, the image mirrored at its border."""
    weights = np.concatenate([_HALVING, _HALVING[::-1]])
    for _ in range(2):
        padded = np.pad(grey, ((3, 3), (0, 0)), "symmetric")
        half = len(grey) // 2
        grey = sum(w * padded[i : i + 2 * half : 2] for i, w in enumerate(weights)).T
    return grey


def _block_features(blocks: Float[np.ndarray, "n s s"]) -> Float[np.ndarray, "n 18"]:
    """Shape and width of the pixels' law; shape, mean and both widths of that of products of neighbours (Eq. 8)."""
    shape, left, right = _asymmetric_law(blocks)
    columns = [shape, (left + right) / 2]
    for shift in _NEIGHBOURS:
        shape, left, right = _asymmetric_law(blocks * np.roll(blocks, shift, axis=(1, 2)))
        mean = (right - left) * _gamma(2 / shape) / _gamma(1 / shape)
        columns += [shape, mean, left, right]
    return np.stack(columns, axis=1)


def _asymmetric_law(blocks: Float[np.ndarray, "n s s"]) -> Float[np.ndarray, "3 n"]:
    """Shape, left and right width of an asymmetric generalised Gaussian (Eq. 7), by its moments.

    The shape is the one of the grid whose ratio of moments is nearest; where there is none, the first, as in MATLAB.
    """
    x = blocks.reshape(len(blocks), -1)
    with np.errstate(invalid="ignore", divide="ignore"):
        left, right = (
            np.sqrt(np.sum(x**2, axis=1, where=side) / np.sum(side, axis=1))
            for side in (x < 0, x > 0)
        )
        skew = left / right
        ratio = np.mean(np.abs(x), axis=1) ** 2 / np.mean(x**2, axis=1)
        ratio *= (skew**3 + 1) * (skew + 1) / (skew**2 + 1) ** 2
    ratios = _ratios()
    nearest = np.searchsorted((ratios[1:] + ratios[:-1]) / 2, ratio)
    shape = _SHAPES[np.where(np.isnan(ratio), 0, nearest)]
    width = np.sqrt(_gamma(1 / shape) / _gamma(3 / shape))
    return np.stack([shape, left * width, right * width])


@functools.cache
def _ratios() -> Float[np.ndarray, " k"]:
    """(E|x|)²/E x² of each shape of the grid, increasing."""
    return _gamma(2 / _SHAPES) ** 2 / (_gamma(1 / _SHAPES) * _gamma(3 / _SHAPES))


_gamma = np.vectorize(math.gamma, otypes=[float])
