"""What every guidance of a denoiser shares: the prior's denoiser, and a linear degradation with Gaussian noise.

Guidance corrects the prior's estimate D = E[x0 | x_t] with the measurement. Where the correction is exact it is
Tweedie's formula for the likelihood of a noisy state,

    E[x0 | x_t, y] = D + (σ²/a) ∇ₓ log p(y | x_t)

and the methods differ in how they close p(y | x_t). They return denoisers, so every sampler runs them.
"""

# No `from __future__ import annotations` here: equinox knows AbstractVar only where it is not a string.

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array

from jaxir.degradations import Degradation
from jaxir.denoisers import Denoiser
from jaxir.processes import Process
from jaxir.typing import Image, Measurement, Scalar

SIGMA_FLOOR = 1e-3
"""The least noise that closures divide by, in [-1, 1] units: an eighth of a grey level.

Without it a noise-free measurement makes ρ = 0, where (AᴴA + ρ)⁻¹ does not exist."""


class Guided(Denoiser):
    """A denoiser bent by a measurement.

    Attributes:
        denoiser: the prior's; it is not shown `y`.
        degradation: how `y` came from the clean image.
    """

    denoiser: eqx.AbstractVar[Denoiser]
    degradation: eqx.AbstractVar[Degradation]

    def __check_init__(self) -> None:
        require_uncoupled(type(self).__name__, self.denoiser.process)

    @property
    def process(self) -> Process:
        """The prior's process."""
        return self.denoiser.process

    @property
    def sees_y(self) -> bool:
        """True: the estimate is of x0 given the measurement."""
        return True

    def residual(self, x0_hat: Image, y: Measurement) -> Measurement:
        """y − A x̂0.

        Raises:
            ValueError: if `y` is missing or is not of the degradation's output shape.
        """
        self.degradation.expect_measurement(y)
        return y - self.degradation.operator(x0_hat)

    def snr_scale(self, t: Scalar) -> Scalar:
        """σ̂ = σ/a, the noise level of x̂ = x/a."""
        return jnp.exp(-self.process.log_snr(self._seen(t)))

    def gain(self, t: Scalar) -> Scalar:
        """σ²/a, from the gradient of log p(y | x_t) to the estimate of x0."""
        a, _, sigma = self.process.coefficients(self._seen(t))
        return sigma**2 / a

    def _seen(self, t: Scalar) -> Scalar:
        """`t`, but the noisy end of the span where a = 0: what is infinite there meets a Jacobian of 0."""
        return jnp.where(self.process.coefficients(t).a > 0, t, self.process.span[1])


def require_uncoupled(method: str, process: Process) -> None:
    """Refuse a process that moves towards the degraded image, whose state holds y already.

    Raises:
        ValueError: if its b is not 0.
    """
    if process.coupled:
        raise ValueError(
            f"{method} needs a process that ends in noise, such as VP, got {type(process).__name__}, which moves "
            "towards the degraded image"
        )


def noise_level(degradation: Degradation) -> Scalar:
    """σ_y of the measurement, at least `SIGMA_FLOOR`."""
    return jnp.maximum(degradation.noise.sigma, SIGMA_FLOOR)


def pullback(denoiser: Denoiser, x: Image, t: Scalar) -> tuple:
    """The prior's estimate at `x` and its vector–Jacobian product v ↦ Jᵀv: one linearisation for a whole step."""
    x0_hat, vjp, estimate = jax.vjp(
        lambda x: (lambda e: (e.x0_hat, e))(denoiser.estimate(x, t)), x, has_aux=True
    )
    return estimate._replace(x0_hat=x0_hat), lambda v: vjp(v)[0]


def length(v: Array) -> Scalar:
    """‖v‖, with the derivative 0 at 0."""
    return jnp.sqrt(jnp.sum(jnp.abs(v) ** 2) + 1e-12)
