"""Blur that changes over the image: point-spread functions measured on a grid, and blended in between."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxir.degradations.blur import Blur
from jaxir.degradations.operator import Linear, image_shape
from jaxir.typing import Image


class VaryingBlur(Linear):
    """y = Σ_p k_p ⊛ (w_p x): every point is spread by its own blend Σ_p w_p k_p of the kernels around it.

    The image is divided into as many tiles as there are kernels, each kernel belongs to the middle of its tile,
    and w_p are the bilinear weights between the middles, Σ_p w_p = 1, so that kernels with a sum of 1 keep the
    brightness of every point. The convolutions are circular, as `Blur`'s; crop for a photograph.

    Args:
        kernels: the point-spread functions, (rows of the grid, columns of the grid, height, width).
        shape: of the image.

    Raises:
        ValueError: unless the kernels have four axes and fit in the image.

    Source: [nagy1998varying].
    """

    kernels: Float[Array, "gh gw kh kw"] = eqx.field(converter=jnp.asarray)
    shape: tuple[int, int, int] = eqx.field(static=True, converter=image_shape)

    def __check_init__(self):
        size = self.kernels.shape
        if len(size) != 4:
            raise ValueError(
                f"kernels have shape {size}, expected (grid rows, grid columns, height, width): "
                "for a single one use Blur"
            )
        Blur(self.kernels[0, 0], self.shape)  # refuses what does not fit

    def apply(self, x: Image) -> Image:
        """One kernel at a time, summed in Fourier space."""
        grid_rows, grid_columns, *size = self.kernels.shape
        rows = jnp.asarray(tent_weights(self.shape[0], grid_rows), x.dtype)
        columns = jnp.asarray(tent_weights(self.shape[1], grid_columns), x.dtype)
        weights = jnp.einsum("ih,jw->ijhw", rows, columns, precision="highest")

        def add(total: Array, part: tuple[Array, Array]) -> tuple[Array, None]:
            kernel, weight = part
            k = jnp.fft.rfft2(Blur(kernel, self.shape).centred(x.dtype), axes=(0, 1))
            return total + k * jnp.fft.rfft2(weight[..., None] * x, axes=(0, 1)), None

        parts = (self.kernels.reshape(-1, *size), weights.reshape(-1, *self.shape[:2]))
        start = jnp.zeros_like(jnp.fft.rfft2(x, axes=(0, 1)))
        total, _ = jax.lax.scan(add, start, parts)
        return jnp.fft.irfft2(total, s=self.shape[:2], axes=(0, 1))


def tent_weights(size: int, count: int) -> Float[np.ndarray, "count size"]:
    """Linear weights of `size` pixels between the middles of `count` tiles; the outer ones reach to the edge."""
    position = np.clip((np.arange(size) + 0.5) * count / size - 0.5, 0, count - 1)
    return np.maximum(0, 1 - np.abs(np.arange(count)[:, None] - position))
