"""Processes that only add noise: a = 1, b = 0.

They are VE in different clocks, and the bases that a Brownian bridge pins.
"""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp

from jaxir import expect
from jaxir.processes.process import Coefficients, Process
from jaxir.processes.rates import CosineRate, Rate
from jaxir.typing import Scalar


class VE(Process):
    """Variance exploding, geometric in t: a = 1, σ = σ_min (σ_max/σ_min)^t.

    Args:
        sigma_min: noise at t = 0, in [-1, 1] units; it is not zero, and ℓ(0) = −log σ_min.
        sigma_max: noise at t = 1; at least the largest distance between two images is advised.
        span: all of [0, 1].

    Source: [song2021score] Eq. 31.
    """

    sigma_min: float = 0.002
    sigma_max: float = 80.0
    span: tuple[float, float] = eqx.field(static=True, default=(0.0, 1.0))

    def __check_init__(self) -> None:
        if expect.known(self.sigma_min, self.sigma_max) and not 0 < self.sigma_min < self.sigma_max:
            raise ValueError(
                f"sigma_min is {self.sigma_min} and sigma_max {self.sigma_max}, "
                "expected 0 < sigma_min < sigma_max"
            )

    def coefficients(self, t: Scalar) -> Coefficients:
        """(1, 0, e^{−ℓ})."""
        return Coefficients(jnp.ones_like(t), jnp.zeros_like(t), jnp.exp(-self.log_snr(t)))

    def log_snr(self, t: Scalar) -> Scalar:
        """ℓ = −log σ_min − t log(σ_max/σ_min)."""
        return -jnp.log(self.sigma_min) - t * jnp.log(self.sigma_max / self.sigma_min)

    def time(self, log_snr: Scalar) -> Scalar:
        """t = −(ℓ + log σ_min)/log(σ_max/σ_min)."""
        return -(log_snr + jnp.log(self.sigma_min)) / jnp.log(self.sigma_max / self.sigma_min)


class EDM(Process):
    """σ = σ_max t: the clock of EDM, in which the probability flow of data that are one point is a straight line.

    Args:
        sigma_max: noise at t = 1, in [-1, 1] units.
        span: from σ = 0.002 at the default; σ(0) = 0.

    Source: [karras2022edm] Table 1 (σ(t) = t, here in parts of σ_max).
    """

    sigma_max: float = 80.0
    span: tuple[float, float] = eqx.field(static=True, default=(2.5e-5, 1.0))

    def __check_init__(self) -> None:
        expect.positive("sigma_max", self.sigma_max)

    def coefficients(self, t: Scalar) -> Coefficients:
        """(1, 0, σ_max t)."""
        return Coefficients(jnp.ones_like(t), jnp.zeros_like(t), self.sigma_max * t)

    def log_snr(self, t: Scalar) -> Scalar:
        """ℓ = −log(σ_max t)."""
        return -jnp.log(self.sigma_max * t)

    def time(self, log_snr: Scalar) -> Scalar:
        """t = e^{−ℓ}/σ_max."""
        return jnp.exp(-log_snr) / self.sigma_max


class Wiener(Process):
    """Brownian motion: σ² = v t.

    Args:
        variance: v > 0, the variance at t = 1.
        span: σ(0) = 0.

    Source: [li2023bbdm] Sec. 3.1 pins it.
    """

    variance: float = 1.0
    span: tuple[float, float] = eqx.field(static=True, default=(1e-4, 1.0))

    def __check_init__(self) -> None:
        expect.positive("variance", self.variance)

    def coefficients(self, t: Scalar) -> Coefficients:
        """(1, 0, √(v t))."""
        return Coefficients(jnp.ones_like(t), jnp.zeros_like(t), jnp.sqrt(self.variance * t))

    def log_snr(self, t: Scalar) -> Scalar:
        """ℓ = −½ log(v t)."""
        return -0.5 * jnp.log(self.variance * t)

    def time(self, log_snr: Scalar) -> Scalar:
        """t = e^{−2ℓ}/v."""
        return jnp.exp(-2 * log_snr) / self.variance


class SymmetricWiener(Process):
    """Brownian motion whose rate rises to the middle and falls again: g = g₀ + 2 (g₁ − g₀) min(t, 1 − t), σ² = ∫g².

    Args:
        g_end: g₀ ≥ 0 at both ends, for images in [-1, 1].
        g_middle: g₁ > g₀ at t = ½.
        span: σ(0) = 0.

    Source: [liu2023i2sb] App. B: β from 1e-4 to 0.3/1000 along squares in 1000 steps, its first half mirrored, is
        g₀ = √0.1 and g₁ = (√0.1 + √0.3)/2.
    """

    g_end: float = 0.1**0.5
    g_middle: float = 0.5 * (0.1**0.5 + 0.3**0.5)
    span: tuple[float, float] = eqx.field(static=True, default=(1e-4, 1.0))

    def __check_init__(self) -> None:
        if expect.known(self.g_end, self.g_middle) and not 0 <= self.g_end < self.g_middle:
            raise ValueError(
                f"g_end is {self.g_end} and g_middle {self.g_middle}, expected 0 <= g_end < g_middle"
            )

    def _half(self, u: Scalar) -> Scalar:
        """∫₀ᵘ g² for u ≤ ½."""
        rise = 2 * (self.g_middle - self.g_end) * u
        return u * (self.g_end**2 + self.g_end * rise + rise**2 / 3)

    def _variance(self, t: Scalar) -> Scalar:
        whole = 2 * self._half(jnp.asarray(0.5, jnp.result_type(t)))
        return jnp.where(t <= 0.5, self._half(t), whole - self._half(1 - t))

    def coefficients(self, t: Scalar) -> Coefficients:
        """(1, 0, √∫g²)."""
        return Coefficients(jnp.ones_like(t), jnp.zeros_like(t), jnp.sqrt(self._variance(t)))

    def log_snr(self, t: Scalar) -> Scalar:
        """ℓ = −½ log ∫g²."""
        return -0.5 * jnp.log(self._variance(t))

    def time(self, log_snr: Scalar) -> Scalar:
        """On the rising half g³ is linear in the variance; the other half is its mirror image."""
        variance = jnp.exp(-2 * log_snr)
        whole = 2 * self._half(jnp.asarray(0.5, variance.dtype))
        first = variance <= whole / 2
        slope = 2 * (self.g_middle - self.g_end)
        part = 3 * slope * jnp.maximum(jnp.where(first, variance, whole - variance), 0.0)
        root = jnp.cbrt(self.g_end**3 + part)
        # root − g₀ as (difference of cubes)/(sum), divided by the slope
        u = part / (root**2 + root * self.g_end + self.g_end**2) / slope
        return jnp.where(first, u, 1 - u)


class DenoisingSDE(Process):
    """IR-SDE with the clean image itself as its mean: σ² = λ² (1 − e^{−2 θ̄}), for pure denoising.

    The noise of a picture is a point on its path: start at the time where σ is the picture's noise level.

    Args:
        std: λ, the noise at the end, in [-1, 1] units; the published 70/255 of [0, 1] is 140/255 here.
        terminal: e^{−θ̄(1)}.
        rate: the shape of θ in time.
        span: σ(0) = 0.

    Source: [luo2023irsde] Sec. 3 with μ = x0; [luo2023refusion].
    """

    std: float = 140 / 255
    terminal: float = 0.005
    rate: Rate = CosineRate()
    span: tuple[float, float] = eqx.field(static=True, default=(1e-3, 1.0))

    def __check_init__(self) -> None:
        expect.positive("std", self.std)
        if expect.known(self.terminal) and not 0 < self.terminal < 1:
            raise ValueError(f"terminal is {self.terminal}, expected a number in (0, 1)")

    def _decay(self, t: Scalar) -> Scalar:
        """θ̄."""
        return -jnp.log(self.terminal) * self.rate.share(t)

    def coefficients(self, t: Scalar) -> Coefficients:
        """(1, 0, λ √(1 − e^{−2 θ̄}))."""
        sigma = self.std * jnp.sqrt(-jnp.expm1(-2 * self._decay(t)))
        return Coefficients(jnp.ones_like(t), jnp.zeros_like(t), sigma)

    def log_snr(self, t: Scalar) -> Scalar:
        """ℓ = −log λ − ½ log(1 − e^{−2 θ̄})."""
        return -jnp.log(self.std) - 0.5 * jnp.log(-jnp.expm1(-2 * self._decay(t)))

    def time(self, log_snr: Scalar) -> Scalar:
        """The time at which θ̄ = −½ log(1 − e^{−2ℓ}/λ²)."""
        decay = -0.5 * jnp.log1p(-jnp.exp(-2 * log_snr) / self.std**2)
        return self.rate.time(decay / -jnp.log(self.terminal))
