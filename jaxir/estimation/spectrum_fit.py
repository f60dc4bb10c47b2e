"""How much of a photograph's spectrum a blur leaves unexplained: what blurs of any kind are compared by."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from jaxir.estimation.estimate import Squares
from jaxir.estimation.spectrum import EXPONENT, Spectrum, power_spectrum

TILE, SMALLEST = 128, 64
"""The side of a tile of the spectrum, and of one where the picture is smaller, in pixels."""
HIGHEST = 0.35
"""Frequencies above it, in cycles a pixel, say little but noise."""
FLOORS = np.geomspace(1e-3, 3, 6)
"""The values of ν, relative to the spectrum at a frequency of 0.2."""
DEPTH = 1e-3
"""What the window leaves of the power at a zero of the blur."""


class SpectrumFit(NamedTuple):
    """A spectrum, less what photographs differ in that are not blurred.

        misfit(K²) = min over ν and β of Σ_f ( log P − log( K² + ν |f|^α ) − β·r )²

    where r are a constant, log|f| and the second and fourth harmonics of the direction. Weights fall as 1/|f|, so
    that each octave counts.

    Attributes:
        spectrum: P, up to `HIGHEST`.
        nuisance: an orthonormal basis of r under the weights.
        weight: their square roots, |f|^−½.
        target: what r leaves of log P.
    """

    spectrum: Spectrum
    nuisance: Float[np.ndarray, "n k"]
    weight: Float[np.ndarray, " n"]
    target: Float[np.ndarray, " n"]

    @classmethod
    def of(cls, squares: Squares) -> SpectrumFit:
        """That of a picture."""
        tile = TILE if min(squares.shape[1:3]) >= TILE else SMALLEST
        spectrum = power_spectrum(squares, tile)
        kept = spectrum.radius < HIGHEST
        spectrum = Spectrum(*(part[kept] for part in spectrum))
        weight = spectrum.radius**-0.5
        direction = np.arctan2(spectrum.rows, spectrum.columns)
        harmonics = [wave(n * direction) for n in (2, 4) for wave in (np.cos, np.sin)]
        terms = [np.ones_like(weight), np.log(spectrum.radius), *harmonics]
        nuisance = np.linalg.qr(np.stack(terms, axis=1) * weight[:, None])[0]
        target = _unexplained(spectrum.log_power, nuisance, weight)
        return cls(spectrum, nuisance, weight, target)

    def misfit(self, power: Float[np.ndarray, " n"]) -> float:
        """What a blur of this K² leaves."""
        noise = (self.spectrum.radius / 0.2) ** EXPONENT
        model = np.log(power + DEPTH + FLOORS[:, None] * noise)
        found = _unexplained(model, self.nuisance, self.weight)
        return float(np.min(np.sum((self.target - found) ** 2, axis=-1)))


def _unexplained(
    logarithm: Float[np.ndarray, "... n"],
    nuisance: Float[np.ndarray, "n k"],
    weight: Float[np.ndarray, " n"],
) -> Float[np.ndarray, "... n"]:
    weighted = logarithm * weight
    return weighted - (weighted @ nuisance) @ nuisance.T
