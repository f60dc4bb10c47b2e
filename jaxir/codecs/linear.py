"""A codec whose every property can be proven: images in a subspace, by the coordinates of an orthonormal basis.

What an autoencoder is to images in general this is to those that principal components explain. The images are B z and
noise on z is noise within the subspace, so a method in latents and the same method in pixels must agree.
"""

from __future__ import annotations

import math
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxir import expect
from jaxir.codecs.codec import Codec
from jaxir.degradations.operator import image_shape
from jaxir.typing import Image, Scalar


class LinearCodec(Codec):
    """E(x) = c Bᵀ x and D(z) = B z/c, with BᵀB = I: E(D(z)) = z, and D(E(x)) is the nearest image of the subspace.

    Args:
        basis: B, orthonormal columns, as many as numbers in a latent, with as many entries as numbers in an image.
        shape: of the image.
        latent_shape: of the latent.
        scale: c > 0.

    Raises:
        ValueError: if the sizes do not fit, or the columns are not orthonormal.
    """

    basis: Float[Array, "d k"]
    shape: tuple[int, int, int] = eqx.field(static=True, converter=image_shape)
    latent_shape: tuple[int, int, int] = eqx.field(static=True, converter=image_shape)
    scale: float | Scalar = 1.0
    linear: ClassVar[bool] = True

    def __check_init__(self) -> None:
        expect.positive("scale", self.scale)
        expected = math.prod(self.shape), math.prod(self.latent_shape)
        if self.basis.shape != expected:
            raise ValueError(
                f"basis has shape {self.basis.shape}, expected {expected}: a row for each number of an image "
                f"{self.shape}, a column for each of a latent {self.latent_shape}"
            )
        if expect.known(self.basis):
            basis = np.asarray(self.basis)
            gap = float(np.max(np.abs(basis.T @ basis - np.eye(basis.shape[1]))))
            if not gap < 1e-4:
                raise ValueError(
                    f"the columns of basis are not orthonormal, BᵀB is {gap:.1e} from I: pass numpy.linalg.qr(basis)[0]"
                )

    def analyse(self, x: Image) -> Image:
        """Bᵀ x."""
        with jax.default_matmul_precision("highest"):
            return (jnp.asarray(self.basis, x.dtype).T @ x.ravel()).reshape(self.latent_shape)

    def synthesise(self, z: Image) -> Image:
        """B z."""
        with jax.default_matmul_precision("highest"):
            return (jnp.asarray(self.basis, z.dtype) @ z.ravel()).reshape(self.shape)
