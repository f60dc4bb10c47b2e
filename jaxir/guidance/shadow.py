"""ShadowDiffusion's degradation prior: the estimate bent towards what a shadow can make of it.

A shadow takes a share of the light, v = h u of the intensities with h in [0, 1] at each pixel. Where h is known the
proximal step is a formula at each pixel, `DiffPIR` for a diagonal operator. Here h is not known: it is estimated anew
from each x̂0, so that image and shadow improve together along the sampling.
"""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxir import expect
from jaxir.denoisers import Denoiser, Estimate
from jaxir.processes import Process
from jaxir.typing import Image, Scalar


class ShadowPrior(Denoiser):
    """x0 = argmin_u ‖v − h u‖² + γ ‖u − û0‖² = (h v + γ û0)/(h² + γ) of the intensities u = (x + 1)/2.

    h is the smooth shadow that explains v by û0 best, `transmission`, and is passed on as the estimate's `unknowns`.
    The deeper the shadow, the more it is û0 that is kept.

    Args:
        denoiser: of images, commonly one that sees y.
        weight: γ > 0, trust in û0.
        window: side of the square within which h is taken for constant, in pixels, odd.

    Source: [guo2023shadowdiffusion] (the degradation prior).
    Differs from the paper: h follows from û0 and v by least squares, where a network predicts it along with the noise;
        γ does not grow with the step.
    """

    denoiser: Denoiser
    weight: float | Scalar = 0.2
    window: int = eqx.field(static=True, default=9)

    def __check_init__(self) -> None:
        expect.positive("weight", self.weight)
        if self.window < 1 or self.window % 2 == 0:
            raise ValueError(f"window is {self.window}, expected an odd number of pixels")

    @property
    def process(self) -> Process:
        """The denoiser's."""
        return self.denoiser.process

    @property
    def sees_y(self) -> bool:
        """True: the estimate is of x0 given the shadowed image."""
        return True

    def estimate(self, x: Image, t: Scalar, y: Array | None = None) -> Estimate:
        """One evaluation, no gradient.

        Raises:
            ValueError: if `y` is not an image of the shape of `x`.
        """
        if y is None or y.shape != x.shape:
            came = None if y is None else y.shape
            raise ValueError(f"y has shape {came}, expected {x.shape}: pass the image in shadow")
        estimate = self.denoiser.estimate(x, t, y)
        light, seen = (estimate.x0_hat + 1) / 2, (y + 1) / 2
        share = transmission(jnp.maximum(light, 0), seen, self.window)
        relit = (share * seen + self.weight * light) / (share**2 + self.weight)
        return estimate._replace(x0_hat=2 * relit - 1, unknowns=share)


def transmission(light: Image, seen: Image, window: int) -> Float[Array, "h w 1"]:
    """h = Σ u v/Σ u² over a window and all channels, in [0, 1]: least squares of ‖v − h u‖² for a constant h.

    Args:
        light: u ≥ 0, intensities without the shadow.
        seen: v, intensities in it.
        window: side of the square, odd.
    """

    def total(image: Image) -> Float[Array, "h w 1"]:
        one = jnp.sum(image, axis=-1, keepdims=True)
        zero = jnp.zeros((), one.dtype)
        return jax.lax.reduce_window(one, zero, jax.lax.add, (window, window, 1), (1, 1, 1), "SAME")

    return jnp.clip(total(light * seen) / jnp.maximum(total(light**2), 1e-6), 0, 1)
