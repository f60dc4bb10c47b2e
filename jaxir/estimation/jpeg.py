"""At which quality a photograph was saved as JPEG, from its pixels."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from jaxir.degradations.colour import REC601
from jaxir.degradations.jpeg import LUMA_STEPS, steps
from jaxir.estimation.estimate import BLOCK, Estimate, Picture, Squares, estimate, squares_of

QUALITIES = np.arange(1, 101)
"""The qualities that are compared."""
ROUNDING = 0.35
"""The standard deviation that rounding pixels to whole numbers leaves in a DCT coefficient, in grey levels:
√(1/12) = 0.29, and a little for what clipping at black and white does."""
OUTLIERS = 0.01
"""The share of coefficients that no multiple of the step explains."""


def jpeg_quality(image: Picture) -> Estimate:
    """The quality, from 1 to 100 on the scale of the IJG, of the table that luma was quantised with.

    Every DCT coefficient of an 8 × 8 block of a decoded JPEG is a multiple k q of its step, up to the
    rounding of pixels. The most likely quality is taken, with

        p(c | q) = Σ_k P(k) N(c; k q, s²),    P(k) the mass of a Laplace law between (k − ½) q and (k + ½) q,

    so that a small step, near whose multiples everything lies, is not preferred for that. 100, whose steps
    are 1, also stands for never compressed. The picture must not have been moved or resized since, as
    its blocks are those of 8 pixels from the upper left corner.

    Args:
        image: in [-1, 1], grey or RGB, at least 32 × 32 pixels. NaN is returned where every block of it
            touches black or white, since clipping has moved their coefficients, or is of one colour.

    Raises:
        ValueError: if it is too small, has other channels or values that are not finite.

    Source: [fan2003jpeg].
    """
    if np.shape(image)[-1] not in (1, 3):
        raise ValueError(
            f"image has shape {np.shape(image)} but JPEG knows grey and RGB: pass 1 or 3 channels"
        )
    return estimate(_quality, image, smallest=32)


def jpeg_error(image: Picture, quality: float) -> float:
    """What was lost at that quality, as the root mean square error of luma, in units of [-1, 1].

    A coefficient of Laplace's law with the scale b was rounded to k q. The mean of |k|, which is
    1/(2 sinh(q/2b)), tells b, and that the error

        E (c − k q)² = I(−) + (I(−) + I(+))/(e^(q/b) − 1),    I(±) = ∫₀^(q/2) u² e^(±u/b)/b du

    which is q²/12 for a small step. Where all became 0 there was hardly anything, and is 0.

    Args:
        image: decoded, in [-1, 1], at least 32 × 32 pixels.
        quality: as `jpeg_quality` finds it.
    """
    coefficients = _coefficients(squares_of(image, 32))
    if not len(coefficients):
        return 0.0
    step = np.asarray(steps(LUMA_STEPS, jnp.asarray(quality)), float)
    multiples = np.abs(np.round(coefficients / step)).sum(axis=0)
    seen = multiples > 0
    mean = np.where(seen, multiples, 1) / len(coefficients)
    error = rounding_error(step, step / (2 * np.arcsinh(1 / (2 * mean))))
    error = np.where(seen, error, 0)
    error[0, 0] = step[0, 0] ** 2 / 12  # the mean of a block follows no Laplace law
    return float(np.sqrt(error.mean())) / 127.5


def rounding_error(step: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """E (c − q round(c/q))² for Laplace's law of scale b: the formula of `jpeg_error`."""
    half = step / (2 * scale)
    down = 2 - np.exp(-half) * (half**2 + 2 * half + 2)
    up = np.exp(half) * (half**2 - 2 * half + 2) - 2
    return scale**2 * (down + (down + up) / np.expm1(2 * half))


def _quality(squares: Squares) -> float:
    coefficients = _coefficients(squares)
    if np.all(np.abs(coefficients.reshape(-1, BLOCK**2)[:, 1:]) < 4 * ROUNDING):
        return float("nan")
    scale = np.maximum(np.abs(coefficients).mean(axis=0), ROUNDING)
    table = np.asarray(steps(LUMA_STEPS, jnp.asarray(QUALITIES[:, None, None])))
    likelihood = np.zeros(len(QUALITIES))
    for row, column in np.ndindex(BLOCK, BLOCK):
        if (row, column) == (0, 0):
            continue  # the mean of a block follows no Laplace law
        found, where = np.unique(table[:, row, column], return_inverse=True)
        each = [
            _log_likelihood(coefficients[:, row, column], step, scale[row, column])
            for step in found
        ]
        likelihood += np.array(each)[where]
    return float(QUALITIES[np.argmax(likelihood)])


def _log_likelihood(c: Float[np.ndarray, " n"], step: float, scale: float) -> float:
    """Σ log p(c | q) with the nearest multiple alone, the Laplace law of mean magnitude `scale`."""
    k = np.abs(np.round(c / step))
    half = step / (2 * scale)
    zero, others = -np.expm1(-half), np.exp(-2 * half * k) * np.sinh(np.minimum(half, 300))
    near = np.exp(-0.5 * ((np.abs(c) - k * step) / ROUNDING) ** 2) / (ROUNDING * np.sqrt(2 * np.pi))
    anywhere = np.exp(-np.abs(c) / scale) / (2 * scale)
    likely = (1 - OUTLIERS) * np.where(k == 0, zero, others) * near + OUTLIERS * anywhere
    return float(np.sum(np.log(likely + np.finfo(np.float64).tiny)))


def _coefficients(squares: Squares) -> Float[np.ndarray, "n 8 8"]:
    """The DCT of luma, in grey levels, of the blocks that are neither black nor white anywhere."""
    levels = (squares + 1) * 127.5
    weights = np.array(REC601) if levels.shape[3] == 3 else np.ones(1)
    height, width = (size // BLOCK for size in levels.shape[1:3])

    def blocks(planes: Float[np.ndarray, "k h w"]) -> Float[np.ndarray, "n 8 8"]:
        whole = planes[:, : height * BLOCK, : width * BLOCK]
        cut = whole.reshape(-1, height, BLOCK, width, BLOCK)
        return cut.swapaxes(2, 3).reshape(-1, BLOCK, BLOCK)

    inside = blocks(np.all((levels > 0.5) & (levels < 254.5), axis=-1)).all(axis=(1, 2))
    luma = blocks(levels @ weights)[inside]
    position = (np.arange(BLOCK) + 0.5) * np.pi / BLOCK
    cosines = np.cos(np.arange(BLOCK)[:, None] * position) / 2
    cosines[0] /= np.sqrt(2)
    return cosines @ luma @ cosines.T
