"""Test beds by name, for the shell: `gaussian`, `mixture(80, 4)`, `field-blur(side=32)`.

A bed is a function of a key, since the benchmark of MCGDiff draws the problem itself; the others do not look at it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from jaxir.cli.call import bind, parse_call

if TYPE_CHECKING:
    from jaxir.testbeds import Testbed
    from jaxir.typing import Key


def gaussian(key: Key, side: int = 4) -> Testbed:
    """A soft field with a photograph's variance of 0.25, at half the size with noise of 0.1; dense algebra."""
    import jax.numpy as jnp

    from jaxir.degradations import Degradation, GaussianNoise, area_downsample
    from jaxir.testbeds import LinearGaussian, stationary_covariance

    shape = (side, side, 1)
    degradation = Degradation(area_downsample(shape, 2), GaussianNoise(0.1))
    return LinearGaussian(jnp.zeros(shape), 0.25 * stationary_covariance(side), degradation)


def paired(key: Key, side: int = 4) -> Testbed:
    """The same field with noise that is correlated between pixels: a pair of images and no operator to speak of."""
    import jax.numpy as jnp

    from jaxir.testbeds import PairedGaussian, stationary_covariance

    covariance = 0.25 * stationary_covariance(side)
    noise = 0.05 * stationary_covariance(side, scale=1.0) + 0.01 * jnp.eye(side**2)
    zero = jnp.zeros((side, side, 1))
    return PairedGaussian(zero, zero, covariance, 0.8 * covariance, 0.64 * covariance + noise)


def mixture(key: Key, dimension: int = 8, observed: int = 2) -> Testbed:
    """25 Gaussians seen in a few directions: the benchmark of MCGDiff, another problem for every key."""
    from jaxir.testbeds import mcgdiff_problem

    return mcgdiff_problem(key, dimension, observed)


def field_blur(key: Key, side: int = 32, width: float = 1.6) -> Testbed:
    """A stationary field of unit variance, blurred by a Gaussian of `width` pixels, noise 0.1."""
    from jaxir.degradations import gaussian_blur
    from jaxir.testbeds import Circulant

    return _field(side, gaussian_blur((side, side, 1), width), Circulant())


def field_reduction(key: Key, side: int = 32, factor: int = 4) -> Testbed:
    """The same field, smaller by means of blocks."""
    from jaxir.degradations import area_downsample
    from jaxir.testbeds import Circulant

    return _field(side, area_downsample((side, side, 1), factor), Circulant())


def field_inpainting(key: Key, side: int = 32, missing: float = 0.7) -> Testbed:
    """The same field, with pixels missing by chance."""
    import jax

    from jaxir.degradations import random_mask
    from jaxir.testbeds import Iterative

    mask = random_mask(jax.random.key(0), (side, side, 1), missing=missing)
    return _field(side, mask, Iterative())


def stored(key: Key, side: int = 8) -> Testbed:
    """The squares of a photograph that comes with jaxir, in grey, three quarters of their pixels missing, noise 0.4."""
    import jax
    import jax.numpy as jnp

    from jaxir.degradations import Degradation, GaussianNoise, random_mask
    from jaxir.photos import photo
    from jaxir.testbeds import StoredImages

    grey = jnp.asarray(photo("cat")).mean(axis=-1)
    rows, columns = grey.shape[0] // side, grey.shape[1] // side
    squares = grey[: rows * side, : columns * side].reshape(rows, side, columns, side)
    images = squares.swapaxes(1, 2).reshape(-1, side, side, 1)
    mask = random_mask(jax.random.key(0), (side, side, 1), missing=0.75)
    return StoredImages(images, Degradation(mask, GaussianNoise(0.4)))


def _field(side: int, operator: object, system: object) -> Testbed:
    import jax.numpy as jnp

    from jaxir.degradations import Degradation, GaussianNoise
    from jaxir.testbeds import StationaryField, field_power

    degradation = Degradation(operator, GaussianNoise(0.1))
    return StationaryField(jnp.zeros((side, side, 1)), field_power(side), degradation, system)


BEDS: dict[str, Callable[..., Testbed]] = {
    "gaussian": gaussian,
    "paired": paired,
    "mixture": mixture,
    "field-blur": field_blur,
    "field-reduction": field_reduction,
    "field-inpainting": field_inpainting,
    "stored": stored,
}


def parse_bed(text: str) -> Callable[[Key], Testbed]:
    """The bed of that name with its parameters.

    Raises:
        UsageError: if the name or a parameter is unknown.
    """
    call = parse_call(text)
    bind(call, BEDS, "bed", None)
    make = BEDS[call.name]
    return lambda key: make(key, *call.positional, **call.named)
