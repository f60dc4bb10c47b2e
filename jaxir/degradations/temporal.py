"""Clips: the shape has four entries, (frames, height, width, channels), and time is one more axis.

What acts along time is a small matrix, as `resize` has for rows and columns; what acts within each frame is any
operator of an image, by `jax.vmap`. The two compose: `each_frame(blur, 9) @ exposure(shape, 4)`.
"""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Inexact

from jaxir.degradations.operator import Linear, Operator, Spectral
from jaxir.degradations.resize import Axis
from jaxir.typing import Measurement, Scalar

Clip = Float[Array, "t h w c"]
"""A clip, float in [-1, 1]."""


def clip_shape(shape: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
    """`shape` as a tuple of four sizes.

    Raises:
        ValueError: unless it is (frames, height, width, channels), all at least 1.
    """
    if len(shape) != 4 or min(shape) < 1:
        raise ValueError(
            f"shape is {tuple(shape)} but a clip is (frames, height, width, channels), all at least 1"
        )
    frames, height, width, channels = shape
    return int(frames), int(height), int(width), int(channels)


class TimeFilter(Spectral):
    """y = R x, a matrix along the time of every pixel.

    Args:
        axis: R, from the clip's frames to those of the measurement.
        shape: of the clip.

    Raises:
        ValueError: if R is for another number of frames.
    """

    axis: Axis
    shape: tuple[int, int, int, int] = eqx.field(static=True, converter=clip_shape)

    def __check_init__(self):
        if self.axis.matrix.shape[1] != self.shape[0]:
            raise ValueError(
                f"the matrix acts on {self.axis.matrix.shape[1]} frames but the clip is {self.shape}: "
                "make it for its frames"
            )

    def apply(self, x: Clip) -> Clip:
        """R x."""
        return _along_time(self.axis.matrix, x)

    @property
    def spectrum(self) -> Float[Array, "t 1 1 1"]:
        """The singular values of R."""
        return self.axis.singular_values[:, None, None, None]

    def analyse(self, x: Clip) -> Clip:
        """The right singular basis of R."""
        return _along_time(self.axis.basis.T, x)

    def synthesise(self, coordinates: Clip) -> Clip:
        """Back to frames."""
        return _along_time(self.axis.basis, coordinates)


def exposure(shape: tuple[int, int, int, int], frames: int, *, stride: int = 1) -> TimeFilter:
    """Temporal blur: each frame is the mean of `frames` successive ones, and the next begins `stride` later.

    Only whole exposures are kept, so that nothing is assumed before or after the clip:
    (T − frames)//stride + 1 remain. With `frames` = 1 it is sub-sampling in time.

    Args:
        shape: of the clip.
        frames: that the shutter is open, from 1 to T.
        stride: frames from one exposure to the next, ≥ 1.

    Raises:
        ValueError: if no exposure fits.

    Source: [nah2017deblur] Eq. 1.
    """
    total = clip_shape(shape)[0]
    if not 1 <= frames <= total or stride < 1:
        raise ValueError(
            f"frames is {frames} and stride {stride} but the clip has {total} frames: "
            f"pass frames from 1 to {total} and a stride of 1 or more"
        )
    first = stride * np.arange((total - frames) // stride + 1)[:, None]
    step = np.arange(total)
    return TimeFilter(Axis(((step >= first) & (step < first + frames)) / frames), shape)


def each_frame(operator: Operator, frames: int) -> Operator:
    """`operator` on every frame of a clip; it stays linear, and spectral, where it was.

    Args:
        operator: of one image.
        frames: of the clip.
    """
    if isinstance(operator, Spectral):
        return SpectralFrames(operator, frames)
    if isinstance(operator, Linear):
        return LinearFrames(operator, frames)
    return Frames(operator, frames)


class Frames(Operator):
    """An operator on every frame; made by `each_frame`."""

    operator: Operator
    frames: int = eqx.field(static=True)

    @property
    def shape(self) -> tuple[int, ...]:
        """The frames, then the image's."""
        return self.frames, *self.operator.shape

    def apply(self, x: Clip) -> Measurement:
        """A of each frame."""
        return jax.vmap(lambda image: self.operator.apply(image))(x)

    def clean(self, y: Measurement) -> Measurement:
        """That of each frame."""
        return jax.vmap(lambda part: self.operator.clean(part))(y)

    @property
    def linear_part(self) -> Linear | None:
        """The image's, on every frame."""
        part = self.operator.linear_part
        return None if part is None else each_frame(part, self.frames).linear_part


class LinearFrames(Linear):
    """A linear operator on every frame, each solved on its own; made by `each_frame`."""

    operator: Linear
    frames: int = eqx.field(static=True)

    @property
    def shape(self) -> tuple[int, ...]:
        """The frames, then the image's."""
        return self.frames, *self.operator.shape

    def apply(self, x: Clip) -> Measurement:
        """A of each frame."""
        return jax.vmap(lambda image: self.operator.apply(image))(x)

    def clean(self, y: Measurement) -> Measurement:
        """That of each frame."""
        return jax.vmap(lambda part: self.operator.clean(part))(y)

    def solve(self, v: Clip, rho: float | Scalar) -> Clip:
        """(AᴴA + ρ I)⁻¹ of each frame."""
        return jax.vmap(lambda image: self.operator.solve(image, rho))(v)

    def pinv(self, y: Measurement) -> Clip:
        """A⁺ of each frame."""
        self.expect_measurement(y)
        return jax.vmap(lambda image: self.operator.pinv(image))(y)


class SpectralFrames(Spectral):
    """A spectral operator on every frame; made by `each_frame`."""

    operator: Spectral
    frames: int = eqx.field(static=True)

    @property
    def shape(self) -> tuple[int, ...]:
        """The frames, then the image's."""
        return self.frames, *self.operator.shape

    def apply(self, x: Clip) -> Measurement:
        """A of each frame."""
        return jax.vmap(lambda image: self.operator.apply(image))(x)

    def clean(self, y: Measurement) -> Measurement:
        """That of each frame."""
        return jax.vmap(lambda part: self.operator.clean(part))(y)

    @property
    def spectrum(self) -> Array:
        """The image's, the same for every frame."""
        return self.operator.spectrum

    def analyse(self, x: Clip) -> Inexact[Array, "t h w c"]:
        """The basis of the image, frame by frame."""
        return jax.vmap(lambda image: self.operator.analyse(image))(x)

    def synthesise(self, coordinates: Inexact[Array, "t h w c"]) -> Clip:
        """And back."""
        return jax.vmap(lambda image: self.operator.synthesise(image))(coordinates)

    def pinv(self, y: Measurement) -> Clip:
        """A⁺ of each frame."""
        self.expect_measurement(y)
        return jax.vmap(lambda image: self.operator.pinv(image))(y)


def _along_time(matrix: Array, x: Clip) -> Clip:
    return jnp.einsum("st,thwc->shwc", matrix.astype(x.dtype), x, precision="highest")
