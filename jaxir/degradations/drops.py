"""Drops on the window: small lenses that show the scene upside down."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxir.degradations.operator import Linear, image_shape
from jaxir.degradations.warp import bilinear
from jaxir.degradations.weather import disc_cover, draw_discs
from jaxir.typing import Image, Key, Scalar


class Drops(Linear):
    """y = (1 − m) x + m x(p): in place of a share m of each pixel, the image at another point p.

    A drop at c is a lens that shows at q the point p = c − k (q − c) of the scene, upside down and, for
    k > 1, smaller than it is. Linear in x, since m and p are given.

    Args:
        cover: m in [0, 1], (H, W, 1).
        points: p, (H, W, 2), rows and columns in pixels; 0 is seen outside the image.
        shape: of the image.

    Source: [qian2018raindrop] Eq. 1.
    """

    cover: Float[Array, "h w 1"]
    points: Float[Array, "h w 2"]
    shape: tuple[int, int, int] = eqx.field(static=True, converter=image_shape)

    def apply(self, x: Image) -> Image:
        """(1 − m) x + m x(p)."""
        seen = bilinear(x, self.points[..., 0], self.points[..., 1])
        cover = self.cover.astype(x.dtype)
        return (1 - cover) * x + cover * seen


def drops(
    key: Key,
    shape: tuple[int, int, int],
    *,
    count: int = 20,
    radius: tuple[float, float] = (4.0, 12.0),
    magnification: float | Scalar = 4.0,
) -> Drops:
    """Round drops at random places; where two meet, the later one is seen.

    Args:
        key: draws them.
        shape: of the image.
        count: of the drops.
        radius: of the smallest and of the largest, in pixels.
        magnification: k > 0; how much more of the scene a drop shows than it covers.
    """
    size = image_shape(shape)[:2]
    rows, columns = jnp.meshgrid(*(jnp.arange(n, dtype=float) for n in size), indexing="ij")
    grid = jnp.stack([rows, columns], axis=-1)
    edge = jnp.asarray(size) - 1.0

    def add(state: tuple[Array, Array], drop: tuple[Array, Array]) -> tuple[tuple, None]:
        cover, points = state
        centre, r = drop
        own = disc_cover(size, centre, r)
        seen = jnp.clip(centre - magnification * (grid - centre), 0, edge)
        return (jnp.maximum(cover, own), jnp.where(own > 0, seen, points)), None

    start = (jnp.zeros((*size, 1)), grid)
    (cover, points), _ = jax.lax.scan(add, start, draw_discs(key, size, count=count, radius=radius))
    return Drops(cover, points, shape)
