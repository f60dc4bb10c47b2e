"""Processes that move towards the degraded image: b rises as a falls, and noise is left at the end.

In the published ones a + b = 1, so that what diffuses is the residual x0 − y.
"""

from __future__ import annotations

from collections.abc import Callable

import equinox as eqx
import jax.numpy as jnp

from jaxir import expect
from jaxir.processes.process import AsItIs, Coefficients, Coupled
from jaxir.processes.rates import CosineRate, Rate
from jaxir.typing import Image, Measurement, Scalar


class IRSDE(Coupled):
    """The mean-reverting SDE dx = θ (y − x) dt + √(2 θ) λ dw: a = e^{−θ̄}, b = 1 − a, σ² = λ² (1 − e^{−2 θ̄}).

    An Ornstein–Uhlenbeck process around the degraded image.

    Args:
        std: λ, the noise at the end, in [-1, 1] units: the published 10, 30, 50 of 255 for images in [0, 1] are 20, 60,
            100 of 255 here.
        terminal: a(1) = e^{−θ̄(1)}, what is left of the clean image.
        rate: the shape of θ in time: cosine as published, `ConstantRate()`, `LinearRate()`.
        lift: brings the measurement to an image.
        span: σ(0) = 0.

    Source: [luo2023irsde] Eqs. 3 and 6; [luo2024taming] Eqs. 43 and 44.
    """

    std: float = 100 / 255
    terminal: float = 0.005
    rate: Rate = CosineRate()
    lift: Callable[[Measurement], Image] = AsItIs()
    span: tuple[float, float] = eqx.field(static=True, default=(1e-3, 1.0))

    def __check_init__(self) -> None:
        expect.positive("std", self.std)
        if expect.known(self.terminal) and not 0 < self.terminal < 1:
            raise ValueError(f"terminal is {self.terminal}, expected a number in (0, 1)")

    def _decay(self, t: Scalar) -> Scalar:
        """θ̄."""
        return -jnp.log(self.terminal) * self.rate.share(t)

    def coefficients(self, t: Scalar) -> Coefficients:
        """(e^{−θ̄}, 1 − e^{−θ̄}, λ √(1 − e^{−2 θ̄}))."""
        decay = self._decay(t)
        sigma = self.std * jnp.sqrt(-jnp.expm1(-2 * decay))
        return Coefficients(jnp.exp(-decay), -jnp.expm1(-decay), sigma)

    def log_snr(self, t: Scalar) -> Scalar:
        """ℓ = −log λ − ½ log(e^{2 θ̄} − 1)."""
        return -jnp.log(self.std) - 0.5 * jnp.log(jnp.expm1(2 * self._decay(t)))

    def time(self, log_snr: Scalar) -> Scalar:
        """The time at which θ̄ = ½ log(1 + e^{−2ℓ}/λ²)."""
        decay = 0.5 * jnp.log1p(jnp.exp(-2 * log_snr) / self.std**2)
        return self.rate.time(decay / -jnp.log(self.terminal))


class ResShift(Coupled):
    """The residual shifted in a few steps: a = 1 − η, b = η, σ² = κ² η, √η = √η₀ (√η₁/√η₀)^{t^p}.

    Its published chain has a drift that knows x0; what is used here is what all samplers need, its marginals, and its
    published step is `Bridge` (κ = η_s/η_t), which needs no y.

    Args:
        gain: κ, the noise at the end, in [-1, 1] units (the published 2 is for a latent space).
        first: √η at t = 0; the published value is 0.04/κ, so that the first noise is 0.04.
        last: √η at t = 1.
        power: p; less than 1 puts more of the shift early.
        lift: brings the measurement to an image, for instance an enlargement.
        span: all of [0, 1]; as published, σ(0) = 0.04 and not zero. For p < 1 the velocity is infinite at t = 0.

    Source: [yue2023resshift] Eqs. 2, 10 and Sec. 3.
    """

    gain: float = 2.0
    first: float = 0.02
    last: float = 0.99
    power: float = 0.3
    lift: Callable[[Measurement], Image] = AsItIs()
    span: tuple[float, float] = eqx.field(static=True, default=(0.0, 1.0))

    def __check_init__(self) -> None:
        expect.positive("gain", self.gain)
        expect.positive("power", self.power)
        if expect.known(self.first, self.last) and not 0 < self.first < self.last < 1:
            raise ValueError(
                f"first is {self.first} and last {self.last}, expected 0 < first < last < 1"
            )

    def _root(self, t: Scalar) -> Scalar:
        """√η."""
        return self.first * (self.last / self.first) ** (jnp.asarray(t) ** self.power)

    def coefficients(self, t: Scalar) -> Coefficients:
        """(1 − η, η, κ √η)."""
        root = self._root(t)
        return Coefficients(1 - root**2, root**2, self.gain * root)

    def log_snr(self, t: Scalar) -> Scalar:
        """ℓ = log(1 − η) − log(κ √η)."""
        root = self._root(t)
        return jnp.log1p(-(root**2)) - jnp.log(self.gain * root)

    def time(self, log_snr: Scalar) -> Scalar:
        """√η is the root of κ √η = (1 − η) e^{−ℓ} that does not cancel."""
        ratio = jnp.exp(-log_snr) / self.gain
        root = 2 * ratio / (1 + jnp.sqrt(1 + 4 * ratio**2))
        share = jnp.log(root / self.first) / jnp.log(self.last / self.first)
        return jnp.maximum(share, 0.0) ** (1 / self.power)


class Interpolation(Coupled):
    """The straight path from the clean to the degraded image: a = 1 − t, b = t, σ = σ₁ t.

    Flow matching with a noisy source. Its limit σ₁ → 0 is InDI, linear cold diffusion and the OT-ODE of I2SB; σ₁ = 0 is
    that limit itself, on which ℓ is infinite and only `Bridge` steps, which need no noise, run.

    Args:
        std: σ₁ ≥ 0, the noise of the source, in [-1, 1] units.
        lift: brings the measurement to an image.
        span: f is infinite at t = 1 and ℓ at t = 0.

    Source: [delbracio2023indi] Eq. 4; [lipman2023flow]; [albergo2024couplings].
    """

    std: float = 0.1
    lift: Callable[[Measurement], Image] = AsItIs()
    span: tuple[float, float] = eqx.field(static=True, default=(1e-3, 0.999))

    def __check_init__(self) -> None:
        if expect.known(self.std) and not self.std >= 0:
            raise ValueError(f"std is {self.std}, expected 0 or more")

    def coefficients(self, t: Scalar) -> Coefficients:
        """(1 − t, t, σ₁ t)."""
        return Coefficients(1 - t, t, self.std * t)

    def log_snr(self, t: Scalar) -> Scalar:
        """ℓ = log(1 − t) − log t − log σ₁."""
        return jnp.log1p(-t) - jnp.log(t) - jnp.log(self.std)

    def time(self, log_snr: Scalar) -> Scalar:
        """t = 1/(1 + σ₁ e^ℓ)."""
        return 1 / (1 + self.std * jnp.exp(log_snr))
