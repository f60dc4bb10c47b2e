"""Computed tomography with parallel beams: line integrals through the image, and their classical inverse."""

from __future__ import annotations

import math
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxir.degradations.operator import Linear, image_shape
from jaxir.degradations.warp import bilinear
from jaxir.typing import Image, Scalar

Sinogram = Float[Array, "angles detectors c"]
"""Line integrals, one row for each angle."""

Window = Callable[[Float[Array, " n"]], Float[Array, " n"]]
"""What a filter keeps of each frequency, in cycles a pixel, up to ½."""


class ParallelBeam(Linear):
    """y[θ, s] = Σ_t x(row t cosθ − s sinθ, column s cosθ + t sinθ): sums along parallel rays.

    The Radon transform. All count pixels from the middle, (H//2, W//2) of the image; at θ = 0 the rays run
    down the columns, and the detectors lie along the rows. The image is read between its pixels by bilinear
    weights and is 0 outside. A sum has the units of the image times pixels: of an image in [-1, 1], the
    attenuation (x + 1)/2 has the sinogram (y + A(1))/2.

    Args:
        angles: θ in degrees, counter-clockwise.
        detectors: rays for each angle, one pixel apart.
        shape: of the image.

    Source: [kak1988tomography] Ch. 3.
    """

    angles: Float[Array, " n"] = eqx.field(converter=jnp.asarray)
    detectors: int = eqx.field(static=True)
    shape: tuple[int, int, int] = eqx.field(static=True, converter=image_shape)

    def __check_init__(self):
        if self.angles.ndim != 1 or self.detectors < 1:
            raise ValueError(
                f"angles have shape {self.angles.shape} and detectors is {self.detectors}: "
                "pass a list of degrees and at least one detector"
            )

    def apply(self, x: Image) -> Sinogram:
        """One angle after another, so that memory is that of one rotated image."""
        height, width, _ = self.shape
        angles = jnp.radians(self.angles)
        s = jnp.arange(self.detectors) - self.detectors // 2
        reach = math.ceil(math.hypot(height, width) / 2)
        t = jnp.arange(-reach, reach + 1)[:, None]
        grid = jnp.stack(jnp.broadcast_arrays(t, s), axis=-1).astype(angles.dtype)

        def project(angle: Scalar) -> Float[Array, "detectors c"]:
            cos, sin = jnp.cos(angle), jnp.sin(angle)
            # a product of matrices is computed once; sums of terms XLA may compute anew for index and weight, round
            # differently, and so take a point near a pixel's edge for one of two pixels
            turn = jnp.array([[cos, sin], [-sin, cos]])
            rows, columns = jnp.moveaxis(jnp.matmul(grid, turn, precision="highest"), -1, 0)
            return bilinear(x, height // 2 + rows, width // 2 + columns).sum(axis=0)

        return jax.lax.map(project, angles)


def parallel_beam(shape: tuple[int, int, int], angles: int) -> ParallelBeam:
    """Views at equal steps over half a turn, and detectors enough for the image's diagonal.

    Args:
        shape: of the image.
        angles: how many views.
    """
    height, width, _ = image_shape(shape)
    detectors = 2 * math.ceil(math.hypot(height, width) / 2) + 1
    return ParallelBeam(180.0 * np.arange(angles) / angles, detectors, shape)


def all_pass(frequency: Float[Array, " n"]) -> Float[Array, " n"]:
    """The ramp filter as it is: sharpest, and noisiest."""
    return jnp.ones_like(frequency)


def hann(frequency: Float[Array, " n"]) -> Float[Array, " n"]:
    """½(1 + cos 2πf), which falls to 0 at the largest frequency."""
    return 0.5 * (1 + jnp.cos(2 * jnp.pi * frequency))


def fbp(y: Sinogram, operator: ParallelBeam, *, window: Window = all_pass) -> Image:
    """Filtered back-projection: x ≈ (π/n) Aᴴ(r ∗ y), r the ramp filter along the detectors.

    Its response |f| is made from the sampled kernel r[0] = ¼, r[k] = −1/(πk)² for odd k and 0 for even
    ones, which keeps the mean right where |f| itself, sampled, would lose it. The back-projection is
    the exact adjoint. Good for many angles over half a turn, full of streaks for few.

    Args:
        y: the sinogram.
        operator: that made it, with angles at equal steps over half a turn.
        window: what to keep of each frequency, `all_pass` or `hann`.

    Raises:
        ValueError: if `y` does not fit the operator.

    Source: [kak1988tomography] Ch. 3, Eq. 61.
    """
    operator.expect_measurement(y)
    size = 2 ** math.ceil(math.log2(2 * operator.detectors))
    step = np.fft.fftfreq(size, 1 / size)  # 0, 1, … , −1
    kernel = np.where(step % 2 == 1, -1 / (np.pi * np.where(step == 0, 1, step)) ** 2, 0)
    kernel[0] = 0.25
    response = jnp.asarray(np.fft.rfft(kernel).real, y.dtype)
    response = response * window(jnp.fft.rfftfreq(size).astype(y.dtype))
    spectrum = jnp.fft.rfft(y, size, axis=1) * response[:, None]
    filtered = jnp.fft.irfft(spectrum, size, axis=1)[:, : operator.detectors]
    return (math.pi / len(operator.angles)) * operator.adjoint(filtered)
