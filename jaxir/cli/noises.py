"""Noises by name, for the shell, that are not Gaussian: the last stage of a degradation, `grey|poisson(30)`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jaxir.cli.stage import Shape

if TYPE_CHECKING:
    from jaxir.degradations import Noise


def poisson(shape: Shape, peak: float) -> Noise:
    """Counted photons, `peak` of them at white."""
    from jaxir.degradations import PoissonNoise

    return PoissonNoise(peak)


def speckle(shape: Shape, strength: float) -> Noise:
    """Light times a random number of mean 1 and deviation `strength`."""
    from jaxir.degradations import SpeckleNoise

    return SpeckleNoise(strength)


def impulse(shape: Shape, share: float, sigma: float = 0.0) -> Noise:
    """Black or white in place of a share of the numbers, a Gaussian noise on the others, in units of [0, 1]."""
    from jaxir.degradations import SaltAndPepperNoise

    return SaltAndPepperNoise(share, 2 * sigma)


NOISES = {"poisson": poisson, "speckle": speckle, "impulse": impulse}
"""Names to what builds them."""
