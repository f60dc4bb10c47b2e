"""The power spectrum of a photograph: where its blur is seen.

Photographs have a spectrum near f^(−α), much the same in all directions, whatever they show; a blur multiplies it
by |K|² and noise adds a constant:

    log P(f) = c + log( f^(−α) |K(f)|² + ν )

Each estimator of blur fits this with its own K.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from jaxir.estimation.estimate import Squares

EXPONENT, EXPONENT_SPREAD = 2.4, 0.35
"""α of photographs, its median and half the range of two thirds: measured on BSDS500's training part."""

MISFIT = 0.3
"""How far the logarithm of a photograph's spectrum is from that form, where it is averaged over a ring."""


ROUNDING = (2 / 255) ** 2 / 12
"""The variance that rounding to 8 bits adds, in units of [-1, 1]. It is added to every spectrum: what lies far
below it shows where a kernel was cut off, and not how wide it is."""


class Spectrum(NamedTuple):
    """The power of grey at frequencies of half a plane, without the lowest, which the window blurs.

    Attributes:
        rows: the frequency down the image, in cycles a pixel.
        columns: and to the right.
        log_power: log P.
    """

    rows: Float[np.ndarray, " n"]
    columns: Float[np.ndarray, " n"]
    log_power: Float[np.ndarray, " n"]

    @property
    def radius(self) -> Float[np.ndarray, " n"]:
        """|f|."""
        return np.hypot(self.rows, self.columns)


def power_spectrum(squares: Squares, size: int) -> Spectrum:
    """The mean of the periodograms of tiles that overlap by half, each under a Hann window.

    The window is what keeps the picture's border, where its two sides do not meet, out of the spectrum.

    Args:
        squares: of a picture, with at least `size` rows and columns.
        size: of a tile, in pixels.

    Source: [welch1967spectrum].
    """
    window = np.sin(np.pi * (np.arange(size) + 0.5) / size) ** 2
    grey = squares.mean(axis=-1)
    tiles = np.lib.stride_tricks.sliding_window_view(grey, (size, size), axis=(1, 2))
    starts = [
        np.unique(np.linspace(0, n - 1, 1 + int(np.ceil(2 * (n - 1) / size))).astype(int))
        for n in tiles.shape[1:3]
    ]
    tiles = tiles[np.ix_(np.arange(len(tiles)), *starts)]
    weight = np.outer(window, window)
    tiles = tiles - (tiles * weight).sum((-2, -1), keepdims=True) / weight.sum()
    power = np.mean(np.abs(np.fft.rfft2(tiles * weight)) ** 2, axis=(0, 1, 2)) / (weight**2).sum()
    rows, columns = np.broadcast_arrays(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size))
    kept = (np.hypot(rows, columns) > 1.5 / size) & ((columns > 0) | (rows > 0))
    return Spectrum(rows[kept], columns[kept], np.log(power[kept] + ROUNDING))
