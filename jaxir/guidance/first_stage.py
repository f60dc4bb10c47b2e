"""Nearness to a first restoration, where that can be trusted: the second of two stages on a leash.

A regression, the first stage, removes noise and blur and leaves smooth areas right and edges soft. A diffusion then
adds what is missing. This holds it to the first stage where there is nothing to add.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxir import expect
from jaxir.codecs import Codec
from jaxir.denoisers import Denoiser, Estimate
from jaxir.processes import Process
from jaxir.typing import Image, Scalar


class FirstStageGuided(Denoiser):
    """D − s ∇‖w ∘ (dec(D) − x̃)‖², w = `flatness` of x̃; for images D − 2 s w² ∘ (D − x̃).

    Args:
        denoiser: the second stage's, mostly one that sees y.
        image: x̃, what the first stage made, (H, W, C) in [-1, 1].
        scale: s ≥ 0. For images ½ puts x̃ in flat places, and more than ½ overshoots it; the paper's is of the mean
            over pixels, s times their number.
        codec: of the latents that the denoiser is of; none for images.

    Source: [lin2024diffbir] (region-adaptive restoration guidance).
    Differs from the paper: w is of each pixel, not of blocks of 2 × 2.
    """

    denoiser: Denoiser
    image: Image
    scale: float | Scalar = 0.1
    codec: Codec | None = None

    def __check_init__(self) -> None:
        if expect.known(self.scale) and not self.scale >= 0:
            raise ValueError(f"scale is {self.scale}, expected 0 or more")

    @property
    def process(self) -> Process:
        """The denoiser's."""
        return self.denoiser.process

    @property
    def sees_y(self) -> bool:
        """As the denoiser within."""
        return self.denoiser.sees_y

    def estimate(self, x: Image, t: Scalar, y: Array | None = None) -> Estimate:
        """One evaluation, and a gradient of the decoder if there is one; none of the network.

        Raises:
            ValueError: if x̃ is not of the shape of the estimate's image.
        """
        estimate = self.denoiser.estimate(x, t, y)
        weight = flatness(self.image)

        def distance(x0_hat: Image) -> Scalar:
            image = x0_hat if self.codec is None else self.codec.decode(x0_hat)
            if image.shape != self.image.shape:
                raise ValueError(
                    f"image has shape {self.image.shape} but {image.shape} is restored: give a first restoration of "
                    "that size"
                )
            return jnp.sum((weight * (image - self.image)) ** 2)

        shift = self.scale * jax.grad(distance)(estimate.x0_hat)
        return estimate._replace(x0_hat=estimate.x0_hat - shift)


def flatness(x: Image) -> Float[Array, "h w 1"]:
    """w = 1 − tanh |∇u|, with Sobel's differences of the mean u in [0, 1] of the channels: 1 where x is flat.

    A straight edge of height h along a side has |∇u| = 4 h on both its pixels: half is left of w at h = 0.14.

    Source: [lin2024diffbir].
    """
    u = jnp.pad(jnp.mean((x + 1) / 2, axis=-1), 1, mode="edge")
    rows = u[:, :-2] + 2 * u[:, 1:-1] + u[:, 2:]
    columns = u[:-2] + 2 * u[1:-1] + u[2:]
    square = (rows[2:] - rows[:-2]) ** 2 + (columns[:, 2:] - columns[:, :-2]) ** 2
    return (1 - jnp.tanh(jnp.sqrt(square)))[..., None]
