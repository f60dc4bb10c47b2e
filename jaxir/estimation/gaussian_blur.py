"""How far out of focus a photograph is, from itself."""

from __future__ import annotations

import numpy as np

from jaxir.estimation.estimate import Estimate, Picture, Squares, estimate
from jaxir.estimation.spectrum import EXPONENT, EXPONENT_SPREAD, MISFIT, power_spectrum

TILE = 64
"""The side of a tile of the spectrum, in pixels."""
RINGS = 45
"""How many rings of frequencies the spectrum is averaged over, from 0 to the corner."""
WIDTHS = np.linspace(0, 8, 161)
EXPONENTS = np.linspace(1.4, 3.6, 12)
FLOORS = np.geomspace(1e-9, 10, 41)
"""The values of w, α and ν that are compared."""


def gaussian_blur_width(image: Picture) -> Estimate:
    """The standard deviation of a Gaussian blur, in pixels, from 0 to 8.

    The posterior mean of w under log P(f) = c + log(f^(−α) e^(−(2πwf)²) + ν) + an error of `MISFIT` on each
    ring of frequencies, over a grid of w, of the exponent α with its law over photographs, and of the noise ν;
    c is fitted. A picture that was never sharp counts as blurred, and other blurs as the Gaussian nearest to
    them in spectrum.

    Args:
        image: in [-1, 1], at least 64 × 64 pixels.

    Raises:
        ValueError: if it is too small or not finite.

    Source: [field1987images] for the spectrum of photographs.
    """
    return estimate(_width, image, smallest=TILE)


def _width(squares: Squares) -> float:
    spectrum = power_spectrum(squares, TILE)
    ring = (spectrum.radius * RINGS / np.sqrt(0.5)).astype(int)
    count = np.bincount(ring)
    seen = count > 0
    log_radius, log_power = (
        np.bincount(ring, weights)[seen] / count[seen]
        for weights in (np.log(spectrum.radius), spectrum.log_power)
    )
    f = np.exp(log_radius)
    width, exponent = WIDTHS[:, None, None, None], EXPONENTS[:, None, None]
    signal = f ** (-exponent) * np.exp(-((2 * np.pi * width * f) ** 2))
    error = log_power - np.log(signal + FLOORS[:, None])
    error -= error.mean(axis=-1, keepdims=True)  # the fitted c
    unlikely = np.sum((error / MISFIT) ** 2, axis=-1)
    unlikely += ((EXPONENTS[:, None] - EXPONENT) / EXPONENT_SPREAD) ** 2
    posterior = np.exp(-0.5 * (unlikely - unlikely.min()))
    return float(WIDTHS @ posterior.sum(axis=(1, 2)) / posterior.sum())
