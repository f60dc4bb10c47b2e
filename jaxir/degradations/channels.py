"""Each pixel's channels mixed by one matrix: bands of a sensor, a tone of print."""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxir.degradations.operator import Spectral, image_shape
from jaxir.typing import Image


class ChannelMix(Spectral):
    """y = M x in each pixel, (H, W, C) to (H, W, D): the response of D bands to C.

    M = U diag(s) Vᵀ by its singular value decomposition, which is that of the whole.

    Args:
        matrix: M, (D, C).
        shape: of the image.

    Raises:
        ValueError: if the matrix has not one column for each channel.
    """

    matrix: Float[Array, "d c"] = eqx.field(converter=jnp.asarray)
    shape: tuple[int, int, int] = eqx.field(static=True, converter=image_shape)

    def __check_init__(self):
        if self.matrix.ndim != 2 or self.matrix.shape[1] != self.shape[2]:
            raise ValueError(
                f"matrix has shape {self.matrix.shape} but the image is {self.shape}: "
                "pass a row for each band, with one weight for each channel"
            )

    def apply(self, x: Image) -> Image:
        """M x."""
        return _mix(x, self.matrix)

    @property
    def spectrum(self) -> Float[Array, " c"]:
        """The singular values of M, then zeros."""
        s = jnp.linalg.svd(self.matrix, compute_uv=False)
        return jnp.zeros(self.shape[2], s.dtype).at[: len(s)].set(s)

    @property
    def basis(self) -> Float[Array, "c c"]:
        """Vᵀ."""
        return jnp.linalg.svd(self.matrix)[2]

    def analyse(self, x: Image) -> Image:
        """Vᵀ x."""
        return _mix(x, self.basis)

    def synthesise(self, coordinates: Image) -> Image:
        """V c."""
        return _mix(coordinates, self.basis.T)


def _mix(x: Image, matrix: Array) -> Image:
    return jnp.einsum("hwc,dc->hwd", x, matrix.astype(x.dtype), precision="highest")
