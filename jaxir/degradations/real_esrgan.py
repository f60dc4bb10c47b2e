"""Real-ESRGAN's blind degradation: blur, resize, noise and JPEG, twice, and a ringing filter at the end.

Everything that is drawn is drawn first (`draw`), and `degrade` applies it: one program for all images, in which
sizes, kernels and qualities are numbers.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int

from jaxir.degradations.canvas import Canvas, blurred, compressed, extended, resized
from jaxir.degradations.chance import between, pick, whole
from jaxir.degradations.colour import REC601
from jaxir.degradations.operator import expect_shape, image_shape
from jaxir.degradations.random_kernel import (
    KernelDraw,
    RandomKernel,
    identity_kernel,
    sinc_kernel,
)
from jaxir.typing import Image, Key, Scalar


class PassDraw(NamedTuple):
    """What was drawn for one pass.

    Attributes:
        kernel: of the blur.
        blur: whether there is one.
        factor: of the size, above 1 enlarges.
        way: of resizing: area, bilinear or bicubic.
        gaussian: whether the noise is Gaussian; else it is Poisson's.
        level: deviation of the Gaussian noise, in grey levels of 8 bits.
        photons: factor on the Poisson noise of 256 photons at white.
        grey: whether the noise is the same in all channels.
        quality: of JPEG.
    """

    kernel: KernelDraw
    blur: Bool[Array, ""]
    factor: Scalar
    way: Int[Array, ""]
    gaussian: Bool[Array, ""]
    level: Scalar
    photons: Scalar
    grey: Bool[Array, ""]
    quality: Scalar


class Draw(NamedTuple):
    """What was drawn for one image.

    Attributes:
        first: the first pass.
        second: the second.
        ringing: whether the last filter is a sinc.
        size: of that, in pixels.
        cutoff: of that, in radians a pixel.
        way: of the last resizing.
        resize_first: whether the last resizing and the sinc come before the last JPEG.
    """

    first: PassDraw
    second: PassDraw
    ringing: Bool[Array, ""]
    size: Int[Array, ""]
    cutoff: Scalar
    way: Int[Array, ""]
    resize_first: Bool[Array, ""]


class Pass(eqx.Module):
    """The law of one pass; the defaults are those of the first.

    Args:
        kernel: the law of the blur's kernel.
        blur: the probability of a blur.
        sizes: probabilities of enlarging, reducing and keeping the size.
        factors: least and largest factor of the size.
        gaussian: the probability of Gaussian noise rather than Poisson's.
        levels: least and largest deviation, in grey levels of 8 bits.
        photons: least and largest factor on the Poisson noise.
        grey: the probability of noise without colour.
        qualities: least and largest JPEG quality.
    """

    kernel: RandomKernel = RandomKernel()
    blur: float = 1.0
    sizes: tuple[float, float, float] = (0.2, 0.7, 0.1)
    factors: tuple[float, float] = (0.15, 1.5)
    gaussian: float = 0.5
    levels: tuple[float, float] = (1.0, 30.0)
    photons: tuple[float, float] = (0.05, 3.0)
    grey: float = 0.4
    qualities: tuple[float, float] = (30.0, 95.0)

    def draw(self, key: Key) -> PassDraw:
        """The parameters of one pass."""
        kernel, key = jax.random.split(key)
        u = jax.random.uniform(key, (9,))
        low, high = self.factors
        factors = jnp.stack([between(u[0], 1.0, high), between(u[0], low, 1.0), jnp.ones(())])
        return PassDraw(
            kernel=self.kernel.draw(kernel),
            blur=u[1] < self.blur,
            factor=factors[pick(u[2], self.sizes)],
            way=whole(u[3], 0, 2),
            gaussian=u[4] < self.gaussian,
            level=between(u[5], *self.levels),
            photons=between(u[6], *self.photons),
            grey=u[7] < self.grey,
            quality=between(u[8], *self.qualities),
        )


SECOND = Pass(
    RandomKernel(widths=(0.2, 1.5)),
    blur=0.8,
    sizes=(0.3, 0.4, 0.3),
    factors=(0.3, 1.2),
    levels=(1.0, 25.0),
    photons=(0.05, 2.5),
)
"""The second pass of the published settings."""


class RealESRGAN(eqx.Module):
    """x ↦ y by a chain that is drawn anew for each key; (H, W, 3) to (H/scale, W/scale, 3), in 8 bits.

    One image at a time; under `jax.vmap` both kinds of noise are computed for every image.

    Args:
        shape: of the clean image, in colour.
        scale: by which the result is smaller, a whole number that divides the size.
        first: the law of the first pass.
        second: that of the second, whose sizes are relative to the result's.
        ringing: the probability of the last sinc filter.
        largest: the factors that the arrays of the two passes have room for, ≥ 1; larger ones are cut down.

    Raises:
        ValueError: if `scale` does not divide the image, or that has not three channels.

    Example:
        >>> degrade = RealESRGAN((32, 32, 3), scale=4)
        >>> keys = jax.random.split(jax.random.key(0), 2)
        >>> jax.jit(jax.vmap(degrade))(keys, jnp.zeros((2, 32, 32, 3))).shape
        (2, 8, 8, 3)

    Source: [wang2021realesrgan] §3; the values of the authors' x4plus settings.
    Differs from the paper: edges are repeated, where the code reflects them for blurs; areas are exact; a Poisson
        noise has 256 photons at white, where the code counts the grey levels that occur; JPEG is that of files.
    """

    shape: tuple[int, int, int] = eqx.field(static=True, converter=image_shape)
    scale: int = eqx.field(static=True, default=4)
    first: Pass = Pass()
    second: Pass = SECOND
    ringing: float = 0.8
    largest: tuple[float, float] = eqx.field(static=True, default=(1.5, 1.2))

    def __check_init__(self):
        if self.shape[2] != 3:
            raise ValueError(f"the image is {self.shape} but the pipeline needs colour: use RGB")
        if self.scale < 1 or self.shape[0] % self.scale or self.shape[1] % self.scale:
            raise ValueError(
                f"scale is {self.scale} but the image is {self.shape}: crop it to a multiple"
            )

    def draw(self, key: Key) -> Draw:
        """All that is left to chance, but the noise itself."""
        first, second, last = jax.random.split(key, 3)
        u = jax.random.uniform(last, (5,))
        return Draw(
            first=self.first.draw(first),
            second=self.second.draw(second),
            ringing=u[0] < self.ringing,
            size=2 * whole(u[1], 3, 10) + 1,
            cutoff=between(u[2], jnp.pi / 3, jnp.pi),
            way=whole(u[3], 0, 2),
            resize_first=u[4] < 0.5,
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
        keys = jax.random.split(key)
        whole = self.shape[:2]
        small = (whole[0] // self.scale, whole[1] // self.scale)
        target = jnp.asarray(small)

        canvas = Canvas(x, jnp.asarray(whole))
        canvas = one_pass(keys[0], draw.first, canvas, whole, self.largest[0])
        canvas = compressed(canvas, draw.first.quality)
        canvas = one_pass(keys[1], draw.second, canvas, small, self.largest[1])

        # One JPEG between two places for the last resizing and filter, of which one does nothing.
        none = identity_kernel()
        sinc = jnp.where(draw.ringing, sinc_kernel(draw.size, draw.cutoff), none)
        early = jnp.where(draw.resize_first, target, canvas.size)
        canvas = resized(canvas, early, draw.way, within=room(small, self.largest[1]))
        canvas = blurred(canvas, jnp.where(draw.resize_first, sinc, none))
        canvas = compressed(_clipped(canvas), draw.second.quality)
        canvas = resized(canvas, target, draw.way, within=small)
        canvas = blurred(canvas, jnp.where(draw.resize_first, none, sinc))
        return jnp.round(jnp.clip((canvas.pixels + 1) * 127.5, 0, 255)) / 127.5 - 1


def one_pass(
    key: Key, draw: PassDraw, canvas: Canvas, whole: tuple[int, int], largest: float
) -> Canvas:
    """Blur, resize to `draw.factor` of `whole`, and add noise, in an array for factors up to `largest`."""
    kernel = jnp.where(draw.blur, draw.kernel.kernel(), identity_kernel())
    canvas = blurred(canvas, kernel)
    within = room(whole, largest)
    size = jnp.floor(jnp.asarray(whole) * draw.factor).astype(int)
    size = jnp.clip(size, 1, jnp.asarray(within))
    return noised(key, draw, resized(canvas, size, draw.way, within=within))


def room(size: tuple[int, int], largest: float) -> tuple[int, int]:
    """The array that holds an image of this size times `largest`."""
    return math.ceil(size[0] * largest), math.ceil(size[1] * largest)


def noised(key: Key, draw: PassDraw, canvas: Canvas) -> Canvas:
    """Gaussian noise, or the noise of counted photons."""

    def gaussian(x: Image) -> Image:
        z = jax.random.normal(key, x.shape, x.dtype)
        return draw.level / 127.5 * jnp.where(draw.grey, z[..., :1], z)

    def poisson(x: Image) -> Image:
        u = jnp.round(jnp.clip((x + 1) * 127.5, 0, 255)) / 255
        luma = jnp.sum(u * jnp.asarray(REC601, x.dtype), -1, keepdims=True)
        rate = jnp.where(draw.grey, jnp.broadcast_to(luma, u.shape), u)
        noise = jax.random.poisson(key, 256 * rate).astype(x.dtype) / 256 - rate
        return 2 * draw.photons * jnp.where(draw.grey, noise[..., :1], noise)

    noise = jax.lax.cond(draw.gaussian, gaussian, poisson, canvas.pixels)
    return _clipped(extended(canvas._replace(pixels=canvas.pixels + noise)))


def _clipped(canvas: Canvas) -> Canvas:
    return canvas._replace(pixels=jnp.clip(canvas.pixels, -1, 1))
