"""Processes that end in noise: b = 0.

Each is a pair of curves (a, σ) and the inverse of log(a/σ). The forms use expm1, log1p and products of sines, so
that σ is right to float32 at the clean end, where √(1 − a²) has lost half its digits.
"""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp

from jaxir.processes.process import Coefficients, Process
from jaxir.typing import Scalar


class VP(Process):
    """Variance preserving with a linear rate: a = e^{−B/2}, σ² = 1 − e^{−B}, B = β₀ t + ½ (β₁ − β₀) t².

    The continuous limit of DDPM with β from β₀/N to β₁/N in N steps.

    Args:
        beta_min: β₀ > 0, the rate at t = 0.
        beta_max: β₁ > β₀, the rate at t = 1.
        span: the interval of use; at t = 1e-4 the noise is 0.003, under half a grey level.

    Source: [ho2020ddpm] Eq. 4; [song2021score] Eqs. 32 and 33.
    """

    beta_min: float = 0.1
    beta_max: float = 20.0
    span: tuple[float, float] = eqx.field(static=True, default=(1e-4, 1.0))

    def __check_init__(self) -> None:
        if _known(self.beta_min, self.beta_max) and not 0 < self.beta_min < self.beta_max:
            raise ValueError(
                f"beta_min is {self.beta_min} and beta_max {self.beta_max}, expected 0 < beta_min < beta_max"
            )

    def _integral(self, t: Scalar) -> Scalar:
        return t * (self.beta_min + 0.5 * (self.beta_max - self.beta_min) * t)

    def coefficients(self, t: Scalar) -> Coefficients:
        """(e^{−B/2}, 0, √(1 − e^{−B}))."""
        integral = self._integral(t)
        return Coefficients(
            jnp.exp(-0.5 * integral), jnp.zeros_like(t), jnp.sqrt(-jnp.expm1(-integral))
        )

    def log_snr(self, t: Scalar) -> Scalar:
        """ℓ = −½ log(e^B − 1)."""
        return -0.5 * jnp.log(jnp.expm1(self._integral(t)))

    def time(self, log_snr: Scalar) -> Scalar:
        """B = log(1 + e^{−2ℓ}), then the root of the quadratic that does not cancel."""
        integral = jax.nn.softplus(-2 * log_snr)
        root = jnp.sqrt(self.beta_min**2 + 2 * (self.beta_max - self.beta_min) * integral)
        return 2 * integral / (self.beta_min + root)


class CosineVP(Process):
    """Variance preserving with a cosine: a = cos φ / cos φ₀, σ² = 1 − a², φ = (π/2)(t + o)/(1 + o), φ₀ = φ(0).

    Written as σ² = sin(φ − φ₀) sin(φ + φ₀)/cos² φ₀, which does not cancel at t → 0.

    Args:
        offset: o > 0; the published value keeps the first noise level near one grey level.
        span: a(1) = 0 exactly, where ℓ = −∞, so the interval ends before it.

    Source: [nichol2021improved] Eq. 17.
    """

    offset: float = 0.008
    span: tuple[float, float] = eqx.field(static=True, default=(1e-4, 0.999))

    def __check_init__(self) -> None:
        if _known(self.offset) and not self.offset > 0:
            raise ValueError(f"offset is {self.offset}, expected a positive number such as 0.008")

    def _angles(self, t: Scalar) -> tuple[Scalar, Scalar, Scalar]:
        """φ, φ₀ and φ − φ₀, the last without cancellation."""
        scale = 0.5 * jnp.pi / (1 + self.offset) * jnp.ones_like(t)
        return scale * (t + self.offset), scale * self.offset, scale * t

    def coefficients(self, t: Scalar) -> Coefficients:
        """(cos φ / cos φ₀, 0, √(sin(φ − φ₀) sin(φ + φ₀))/cos φ₀)."""
        phi, start, gap = self._angles(t)
        sigma = jnp.sqrt(jnp.sin(gap) * jnp.sin(phi + start))
        return Coefficients(
            jnp.cos(phi) / jnp.cos(start), jnp.zeros_like(t), sigma / jnp.cos(start)
        )

    def log_snr(self, t: Scalar) -> Scalar:
        """ℓ = log cos φ − ½ log(sin(φ − φ₀) sin(φ + φ₀))."""
        phi, start, gap = self._angles(t)
        return jnp.log(jnp.cos(phi)) - 0.5 * jnp.log(jnp.sin(gap) * jnp.sin(phi + start))

    def time(self, log_snr: Scalar) -> Scalar:
        """sin(φ − φ₀) = sin φ cos φ₀ − cos φ sin φ₀, with both factors in closed form."""
        _, start, _ = self._angles(jnp.zeros_like(log_snr))
        a2, sigma2 = jax.nn.sigmoid(2 * log_snr), jax.nn.sigmoid(-2 * log_snr)
        cos, sin = jnp.cos(start), jnp.sin(start)
        sin_phi = jnp.sqrt(sin**2 + sigma2 * cos**2)
        cos_phi = jnp.sqrt(a2) * cos
        # sin φ − sin φ₀ and cos φ₀ − cos φ, each as (difference of squares)/(sum)
        gap_sin = sigma2 * cos**2 / (sin_phi + sin)
        gap_cos = cos * sigma2 / (1 + jnp.sqrt(a2))
        gap = jnp.arctan2(gap_sin * cos + gap_cos * sin, cos_phi * cos + sin_phi * sin)
        return gap * (1 + self.offset) / (0.5 * jnp.pi)


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
        if _known(self.sigma_min, self.sigma_max) and not 0 < self.sigma_min < self.sigma_max:
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


class Flow(Process):
    """The straight path from image to noise of flow matching and rectified flow: a = 1 − t, σ = t.

    Time runs from clean to noise, as everywhere in jaxir; Lipman et al. run it the other way round.

    Args:
        span: f and g are infinite at t = 1 and ℓ at both ends, so the interval keeps away from them.

    Source: [lipman2023flow] Eq. 20 with σ_min = 0; [liu2023rectified] Eq. 1.
    """

    span: tuple[float, float] = eqx.field(static=True, default=(1e-3, 0.999))

    def coefficients(self, t: Scalar) -> Coefficients:
        """(1 − t, 0, t)."""
        return Coefficients(1 - t, jnp.zeros_like(t), t)

    def log_snr(self, t: Scalar) -> Scalar:
        """ℓ = log(1 − t) − log t."""
        return jnp.log1p(-t) - jnp.log(t)

    def time(self, log_snr: Scalar) -> Scalar:
        """t = 1/(1 + e^ℓ)."""
        return jax.nn.sigmoid(-log_snr)


def _known(*values: float | Scalar) -> bool:
    """Whether the values can be compared now, outside `jit` and `grad`."""
    return not any(isinstance(value, jax.core.Tracer) for value in values)
