"""BSRGAN's blind degradation: two blurs, two reductions, noise and JPEG in an order that is drawn, and JPEG.

The order is a permutation of branches of one `lax.switch` inside one `lax.scan`, so that it is a number like
all else; under `jax.vmap` every place of the order runs every branch, and `jax.lax.map` runs the one it needs.
"""

from __future__ import annotations

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from jaxir.degradations.canvas import NEAREST, Canvas, blurred, compressed, extended, resized
from jaxir.degradations.chance import between, whole
from jaxir.degradations.operator import expect_shape, image_shape
from jaxir.degradations.random_kernel import bell_kernel, identity_kernel
from jaxir.typing import Image, Key, Scalar

GRID = 25
"""Side of the largest kernel."""

BLUR, BLUR_AGAIN, REDUCE, REDUCE_TO_SIZE, NOISE, JPEG = range(6)
"""The operations, of which the order holds each once."""


class BellDraw(NamedTuple):
    """A Gaussian kernel: side, deviations along its axes in pixels, angle in radians."""

    size: Int[Array, ""]
    widths: Float[Array, " 2"]
    angle: Scalar

    def kernel(self) -> Float[Array, "grid grid"]:
        """The kernel in the middle of the grid, with sum 1."""
        return bell_kernel(self.size, self.widths, self.angle, grid=GRID)


class Draw(NamedTuple):
    """What was drawn for one image.

    Attributes:
        order: of the six operations.
        halved: whether the image is first reduced by 2 (for a scale of 4 only).
        blurs: the two kernels, stacked.
        antialiased: whether the first reduction is a Gaussian blur and the nearest pixels.
        width: of that Gaussian, in pixels.
        factor: of the first reduction.
        ways: of resizing: of the halving, the first and the second reduction.
        level: of the noise, in grey levels of 8 bits.
        mixing: the noise of a pixel is this matrix of three independent numbers, in units of `level`.
        grey: whether the noise is the same in all channels.
        compressed: whether there is JPEG before the last.
        qualities: of the two.
    """

    order: Int[Array, " 6"]
    halved: Bool[Array, ""]
    blurs: BellDraw
    antialiased: Bool[Array, ""]
    width: Scalar
    factor: Scalar
    ways: Int[Array, " 3"]
    level: Scalar
    mixing: Float[Array, "3 3"]
    grey: Bool[Array, ""]
    compressed: Bool[Array, ""]
    qualities: Int[Array, " 2"]


class BSRGAN(eqx.Module):
    """x ↦ y by a chain that is drawn anew for each key; (H, W, 3) to (H/scale, W/scale, 3), in 8 bits.

    Args:
        shape: of the clean image, in colour.
        scale: by which the result is smaller, a whole number that divides the size.
        levels: least and largest deviation of the noise, whole grey levels of 8 bits.
        qualities: least and largest JPEG quality.
        compression: the probability of JPEG before the last.

    Raises:
        ValueError: if `scale` does not divide the image, or that has not three channels.

    Source: [zhang2021bsrgan] §3.
    Differs from the paper: the camera's processing, whose tables are measured, is left out; edges are repeated; the
        nearest pixel is the one in the middle of the new one, which needs no shifted kernel.
    """

    shape: tuple[int, int, int] = eqx.field(static=True, converter=image_shape)
    scale: int = eqx.field(static=True, default=4)
    levels: tuple[int, int] = (2, 25)
    qualities: tuple[int, int] = (30, 95)
    compression: float = 0.9

    def __check_init__(self):
        if self.shape[2] != 3:
            raise ValueError(f"the image is {self.shape} but the pipeline needs colour: use RGB")
        if self.scale < 1 or self.shape[0] % self.scale or self.shape[1] % self.scale:
            raise ValueError(
                f"scale is {self.scale} but the image is {self.shape}: crop it to a multiple"
            )

    def draw(self, key: Key) -> Draw:
        """All that is left to chance, but the noise itself."""
        u = jax.random.uniform(key, (40,))
        scale = jnp.where(halved := u[0] < (0.25 if self.scale == 4 else 0.0), 2.0, self.scale)
        antialiased = u[1] < 0.25
        factor = jnp.where(antialiased, scale, between(u[2], 1.0, 2 * scale))
        correlated = (u[3] >= 0.4) & (u[3] <= 0.6)
        return Draw(
            order=_order(u[4:10]),
            halved=halved,
            blurs=jax.vmap(_bell, (0, None))(u[10:20].reshape(2, 5), scale),
            antialiased=antialiased,
            width=between(u[20], 0.1, 0.6 * scale),
            factor=factor,
            ways=whole(u[21:24], 0, 2),
            level=whole(u[24], *self.levels).astype(float),
            mixing=jnp.where(correlated, _mixing(u[25:28], u[28:37].reshape(3, 3)), jnp.eye(3)),
            grey=u[3] < 0.4,
            compressed=u[37] < self.compression,
            qualities=whole(u[38:40], *self.qualities),
        )

    def __call__(self, key: Key, x: Image) -> Image:
        """Draw a chain and apply it."""
        drawing, noising = jax.random.split(key)
        return self.degrade(noising, self.draw(drawing), x)

    def degrade(self, key: Key, draw: Draw, x: Image) -> Image:
        """Apply a chain that was drawn.

        Args:
            key: of the noise.
            draw: the chain.
            x: the clean image.
        """
        expect_shape("x", x, self.shape, "the clean image", "make the pipeline for this size")
        whole = self.shape[:2]
        small = (whole[0] // self.scale, whole[1] // self.scale)
        kernels = jax.vmap(BellDraw.kernel)(draw.blurs)

        def reduce(canvas: Canvas) -> Canvas:
            widths = jnp.stack([draw.width, draw.width])
            bell = BellDraw(jnp.asarray(GRID), widths, jnp.zeros(())).kernel()
            canvas = blurred(canvas, jnp.where(draw.antialiased, bell, identity_kernel(GRID)))
            size = jnp.maximum(canvas.size / draw.factor, 1).astype(int)
            way = jnp.where(draw.antialiased, NEAREST, draw.ways[1])
            return resized(canvas, size, way, within=whole)

        def noise(canvas: Canvas) -> Canvas:
            z = jax.random.normal(key, canvas.pixels.shape, canvas.pixels.dtype)
            z = jnp.where(draw.grey, z[..., :1], z @ draw.mixing.astype(z.dtype))
            return canvas._replace(pixels=canvas.pixels + draw.level / 127.5 * z)

        operations = [
            lambda canvas: blurred(canvas, kernels[0]),
            lambda canvas: blurred(canvas, kernels[1]),
            reduce,
            lambda canvas: resized(canvas, jnp.asarray(small), draw.ways[2], within=whole),
            noise,
            lambda canvas: jax.tree.map(
                lambda after, before: jnp.where(draw.compressed, after, before),
                compressed(canvas, draw.qualities[0]),
                canvas,
            ),
        ]

        def step(canvas: Canvas, operation: Int[Array, ""]) -> tuple[Canvas, None]:
            after = jax.lax.switch(operation, operations, canvas)
            return extended(after._replace(pixels=jnp.clip(after.pixels, -1, 1))), None

        start = Canvas(x, jnp.asarray(whole))
        half = jnp.where(draw.halved, (start.size + 1) // 2, start.size)
        start = resized(start, half, draw.ways[0], within=whole)
        canvas, _ = jax.lax.scan(step, start, draw.order)
        result = Canvas(canvas.pixels[: small[0], : small[1]], canvas.size)
        return compressed(result, draw.qualities[1]).pixels


def _order(u: Float[Array, " 6"]) -> Int[Array, " 6"]:
    """A random order, in which the reduction to the final size comes after the other one."""
    order = jnp.argsort(u)
    either = (order == REDUCE) | (order == REDUCE_TO_SIZE)
    first = jnp.cumsum(either) == 1
    return jnp.where(either, jnp.where(first, REDUCE, REDUCE_TO_SIZE), order)


def _bell(u: Float[Array, " 5"], scale: Scalar) -> BellDraw:
    """A round Gaussian of deviation up to 2 + 0.2 scale, or one with variances up to 4 + scale."""
    widths = jnp.where(u[0] < 0.5, jnp.sqrt((4 + scale) * u[1:3]), (2 + 0.2 * scale) * u[1])
    return BellDraw(
        size=2 * whole(u[3], 2, 11) + 3,
        widths=jnp.maximum(widths, 0.1),  # a point, without dividing by 0
        angle=between(u[4], 0.0, jnp.pi),
    )


def _mixing(shares: Float[Array, " 3"], u: Float[Array, "3 3"]) -> Float[Array, "3 3"]:
    """√D U with the shares D and a rotation U, by Gram and Schmidt: the covariance is UᵀD U."""
    rotation, _ = jnp.linalg.qr(u)
    return jnp.sqrt(shares)[:, None] * rotation
