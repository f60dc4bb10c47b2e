"""Phase retrieval: a detector in the Fourier plane counts energy, and the phase is lost."""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxir import expect
from jaxir.degradations.operator import Operator, image_shape
from jaxir.typing import Image


class PhaseRetrieval(Operator):
    """y = |F (pad x)|, the amplitude of the unitary Fourier transform of the image amid zeros.

    The output is real, ≥ 0, of the padded size and not an image: its values go up to √(H W), the one at the
    first pixel being |Σ x|/√n for the n padded pixels. x, −x and the image turned by half a circle give
    the same y; the zeros around the image are what makes the rest recoverable, from twice the size on. The derivative
    is 0 where the amplitude is.

    Args:
        shape: of the image.
        oversampling: padded size over size, ≥ 1; 2 in the literature.

    Raises:
        ValueError: for less than 1.

    Source: [fienup1982phase]; the task in [chung2023dps] §4.
    """

    shape: tuple[int, int, int] = eqx.field(static=True, converter=image_shape)
    oversampling: float = eqx.field(static=True, default=2.0)

    def __check_init__(self):
        expect.positive("oversampling", self.oversampling)
        if self.oversampling < 1:
            raise ValueError(f"oversampling is {self.oversampling}, expected 1 or more, as 2")

    def apply(self, x: Image) -> Float[Array, "h2 w2 c"]:
        """The amplitudes, low frequencies at the corners."""
        margins = [round(size * (self.oversampling - 1)) for size in self.shape[:2]]
        padded = jnp.pad(x, [*((m // 2, m - m // 2) for m in margins), (0, 0)])
        return jnp.abs(jnp.fft.fft2(padded, axes=(0, 1), norm="ortho"))
