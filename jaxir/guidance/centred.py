"""The estimate pulled to a centre, less and less as the noise falls: fidelity as one exponent.

While σ is large an estimate is a blurred guess, and a generative prior may guess another face; late it is only detail.
"""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array

from jaxir import expect
from jaxir.denoisers import Denoiser, Estimate
from jaxir.processes import Process
from jaxir.typing import Image, Scalar


class Centred(Denoiser):
    """D − (D − c) (σ̂/σ̂_max)^p where σ̂ = σ/a > above, and D elsewhere.

    p = 0 answers with the centre, p = ∞ with D. The published restorer has p = 4.

    Args:
        denoiser: of images or latents, mostly one that sees y.
        image: c, of the shape of its estimates: a first restoration, or its latent.
        power: p ≥ 0.
        highest: σ̂_max > 0, where the pull is whole, as it is above; take that of the first step.
        above: σ̂ ≥ 0, at and below which nothing is pulled.

    Source: [yu2024supir] (restoration-guided sampling).
    Differs from the paper: it ends with the level of the state; the code's looks at that of the step's end.
    """

    denoiser: Denoiser
    image: Image
    power: float | Scalar = 4.0
    highest: float | Scalar = 14.6
    above: float | Scalar = 0.05

    def __check_init__(self) -> None:
        expect.positive("highest", self.highest)
        for name in ("power", "above"):
            value = getattr(self, name)
            if expect.known(value) and not value >= 0:
                raise ValueError(f"{name} is {value}, expected 0 or more")

    @property
    def process(self) -> Process:
        """The denoiser's."""
        return self.denoiser.process

    @property
    def sees_y(self) -> bool:
        """As the denoiser within."""
        return self.denoiser.sees_y

    def estimate(self, x: Image, t: Scalar, y: Array | None = None) -> Estimate:
        """One evaluation, no gradient.

        Raises:
            ValueError: if the centre is not of the shape of `x`.
        """
        if self.image.shape != x.shape:
            raise ValueError(
                f"image has shape {self.image.shape} but the state {x.shape}: give a centre of that shape, for latents "
                "a latent"
            )
        estimate = self.denoiser.estimate(x, t, y)
        level = jnp.exp(-self.process.log_snr(t))
        pull = jnp.minimum(level / self.highest, 1.0) ** self.power
        pull = jnp.where(level > self.above, pull, 0.0)
        x0_hat = estimate.x0_hat
        # in this order a pull of 1 leaves nothing of D, and one of 0 all of it
        return estimate._replace(x0_hat=(1 - pull) * x0_hat + pull * self.image)
