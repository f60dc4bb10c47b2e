"""Too little light, and light kept away.

Light adds up in intensities, (x + 1)/2 of an image in [-1, 1]: a factor m on it is y = m x + m − 1.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import ArrayLike

from jaxir.degradations.affine import Affine, mixture
from jaxir.degradations.field import smooth_field
from jaxir.degradations.operator import Operator, image_shape
from jaxir.degradations.sensor import Gamma
from jaxir.expect import positive, share
from jaxir.typing import Image, Key, Scalar


def low_light(
    shape: tuple[int, int, int], *, gain: float | Scalar = 0.5, gamma: float | Scalar = 2.0
) -> Operator:
    """v = g u^γ of the intensities u and v: under-exposed.

    The noise of the few photons that are left is the degradation's, after this operator:
    `Degradation(low_light(shape), PoissonGaussianNoise(...))`.

    Args:
        shape: of the image.
        gain: g > 0, the exposure; below 1 is darker.
        gamma: γ > 0; above 1 the shadows lose most.

    Source: [lore2017llnet].
    """
    positive("gain", gain)
    return mixture(1 - jnp.asarray(gain), -1.0, shape) @ Gamma(gamma, shape)


def shadow(
    cover: ArrayLike, shape: tuple[int, int, int], *, strength: float | Scalar = 0.6
) -> Affine:
    """v = (1 − s c) u of the intensities: less light by a share s c. Affine: y = (1 − s c) x − s c.

    Args:
        cover: c in [0, 1], (H, W, 1), soft at its edge; `shadow_cover` draws one.
        shape: of the image.
        strength: s in [0, 1], the share of light that the full shadow takes.

    Source: [guo2023shadowdiffusion].
    """
    share("strength", strength)
    return mixture(strength * jnp.asarray(cover), -1.0, shape)


def shadow_cover(
    key: Key,
    shape: tuple[int, int, int],
    *,
    area: float | Scalar = 0.4,
    width: float | Scalar = 24.0,
    softness: float | Scalar = 0.05,
) -> Image:
    """Where a smooth field is below a level: random blots with soft edges.

    Args:
        key: draws the field.
        shape: of the image.
        area: the share of the image that lies in shadow on average, in [0, 1].
        width: of the blots, in pixels.
        softness: the share of levels, either side, over which the edge fades, > 0.
    """
    share("area", area)
    positive("softness", softness)
    field = smooth_field(key, image_shape(shape)[:2], width=width)
    return jax.nn.sigmoid((area - field) / softness)
