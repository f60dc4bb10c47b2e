"""Noises by name, for the shell, that are not Gaussian: the last stage of a degradation, `grey|poisson(30)`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jaxir.cli.degradations import Shape
    from jaxir.degradations import Noise


def poisson(shape: Shape, peak: float) -> Noise:
    """Counted photons, `peak` of them at white."""
    from jaxir.degradations import PoissonNoise

    return PoissonNoise(peak)


def speckle(shape: Shape, strength: float) -> Noise:
    """Light times a random number of mean 1 and deviation `strength`."""
    from jaxir.degradations import SpeckleNoise

    return SpeckleNoise(strength)


def impulse(shape: Shape, share: float) -> Noise:
    """Black or white in place of a share of the numbers."""
    from jaxir.degradations import SaltAndPepperNoise

    return SaltAndPepperNoise(share)


NOISES = {"poisson": poisson, "speckle": speckle, "impulse": impulse}
"""Names to what builds them."""
