"""Haze, rain and snow between the camera and the scene; all are y = g x + c (see `affine`).

What is random is drawn once, when the operator is made, and is part of it: an operator is a function, and the
same measurement can be explained again. Nothing is clipped, as a sensor would, so that they stay affine.
"""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from jaxir.degradations.affine import Affine, Gain, mixture
from jaxir.degradations.blur import motion_blur
from jaxir.degradations.operator import image_shape
from jaxir.expect import positive, share
from jaxir.typing import Image, Key, Scalar


def haze(
    depth: Float[Array, "h w 1"],
    shape: tuple[int, int, int],
    *,
    beta: float | Scalar = 1.0,
    airlight: ArrayLike = 0.8,
) -> Affine:
    """Atmospheric scattering: y = τ x + (1 − τ) A with the transmission τ = e^(−β d).

    Args:
        depth: d ≥ 0, (H, W, 1), in units of the depth at which β = 1 leaves 1/e of the light;
            `smooth_field` draws one.
        shape: of the image.
        beta: the scattering coefficient, > 0; 0.4 to 1.6 in the benchmarks of dehazing.
        airlight: A in [-1, 1], the colour of the fog: a number, or one for each channel.

    Source: [he2011dark] Eqs. 1 and 2.
    """
    positive("beta", beta)
    return mixture(-jnp.expm1(-beta * depth), airlight, shape)


def rain(
    key: Key,
    shape: tuple[int, int, int],
    *,
    density: float | Scalar = 0.004,
    length: float = 15.0,
    angle: float = 80.0,
    strength: float | Scalar = 0.8,
) -> Affine:
    """Streaks that add their light: y = x + R.

    R is a line at each of the drops, which are strewn by chance; each has a brightness of its own, uniform
    below `strength`.

    Args:
        key: draws the drops.
        shape: of the image.
        density: the share of pixels at which a streak is centred, in [0, 1].
        length: of a streak in pixels.
        angle: of the streaks in degrees, counter-clockwise from the horizontal.
        strength: of the brightest streak, in units of [-1, 1].

    Source: [li2016rain] Eq. 1.
    """
    share("density", density)
    height, width, _ = image_shape(shape)
    where, brightness = jax.random.split(key)
    drops = jax.random.bernoulli(where, density, (height, width, 1)) * jax.random.uniform(
        brightness, (height, width, 1)
    )
    line = motion_blur((height, width, 1), length, angle)
    return Affine(Gain(1.0, shape), strength * line(drops) / jnp.max(line.kernel))


def snow(
    key: Key,
    shape: tuple[int, int, int],
    *,
    density: float = 0.1,
    radius: tuple[float, float] = (1.0, 4.0),
    opacity: float | Scalar = 0.9,
    colour: ArrayLike = 0.9,
) -> Affine:
    """Flakes that hide what is behind them: y = (1 − z) x + z w.

    Args:
        key: draws the flakes.
        shape: of the image.
        density: the area of all flakes together as a share of the image's, in [0, 1].
        radius: of the smallest and of the largest flake, in pixels.
        opacity: of a flake in its middle, in [0, 1].
        colour: w in [-1, 1], of the flakes.

    Source: [liu2018desnownet] Eq. 1.
    """
    share("density", density)
    height, width, _ = image_shape(shape)
    low, high = radius
    mean_area = math.pi * (low**2 + low * high + high**2) / 3
    count = max(1, round(density * height * width / mean_area))
    z = opacity * discs(key, (height, width), count=count, radius=radius)
    return mixture(z, colour, shape)


def discs(
    key: Key, size: tuple[int, int], *, count: int, radius: tuple[float, float]
) -> Float[Array, "h w 1"]:
    """The cover, in [0, 1], of discs with an edge of one pixel at random places, radii uniform in a range."""
    centres, radii = draw_discs(key, size, count=count, radius=radius)

    def add(clear: Image, disc: tuple[Array, Array]) -> tuple[Image, None]:
        centre, r = disc
        return clear * (1 - disc_cover(size, centre, r)), None

    clear, _ = jax.lax.scan(add, jnp.ones((*size, 1)), (centres, radii))
    return 1 - clear


def draw_discs(
    key: Key, size: tuple[int, int], *, count: int, radius: tuple[float, float]
) -> tuple[Float[Array, "n 2"], Float[Array, " n"]]:
    """Centres (row, column) and radii of discs, in pixels."""
    where, how_large = jax.random.split(key)
    centres = jax.random.uniform(where, (count, 2)) * jnp.asarray(size)
    return centres, jax.random.uniform(how_large, (count,), minval=radius[0], maxval=radius[1])


def disc_cover(
    size: tuple[int, int], centre: Float[Array, 2], radius: Scalar
) -> Float[Array, "h w 1"]:
    """1 inside a disc, 0 outside, with an edge of one pixel."""
    rows, columns = jnp.arange(size[0])[:, None], jnp.arange(size[1])[None, :]
    distance = jnp.hypot(rows - centre[0], columns - centre[1])
    return jnp.clip(radius - distance + 0.5, 0, 1)[..., None]
