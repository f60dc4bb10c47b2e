"""Processes that end in noise and forget the image: b = 0 and a decreasing to (about) zero.

Each is a pair of curves (a, σ) and the inverse of log(a/σ). The forms use expm1, log1p and products of sines, so
that σ is right to float32 at the clean end, where √(1 − a²) has lost half its digits.
"""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp

from jaxir import expect
from jaxir.processes.process import Coefficients, Process
from jaxir.processes.rates import LinearRate
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
        if expect.known(self.beta_min, self.beta_max) and not 0 < self.beta_min < self.beta_max:
            raise ValueError(
                f"beta_min is {self.beta_min} and beta_max {self.beta_max}, expected 0 < beta_min < beta_max"
            )

    def coefficients(self, t: Scalar) -> Coefficients:
        """(e^{−B/2}, 0, √(1 − e^{−B}))."""
        integral = _linear_decay(self, t)
        return Coefficients(
            jnp.exp(-0.5 * integral), jnp.zeros_like(t), jnp.sqrt(-jnp.expm1(-integral))
        )

    def log_snr(self, t: Scalar) -> Scalar:
        """ℓ = −½ log(e^B − 1)."""
        return -0.5 * jnp.log(jnp.expm1(_linear_decay(self, t)))

    def time(self, log_snr: Scalar) -> Scalar:
        """The time at which B = log(1 + e^{−2ℓ})."""
        return _linear_decay_time(self, jax.nn.softplus(-2 * log_snr))


class SubVP(Process):
    """Sub-variance preserving: a = e^{−B/2} as VP has it, σ = 1 − e^{−B}, at every time less noise than VP's.

    Args:
        beta_min: β₀ > 0, the rate at t = 0.
        beta_max: β₁ > β₀, the rate at t = 1.
        span: the interval of use; the noise grows like t, so the clean end is further from zero than VP's.

    Source: [song2021score] Eq. 29 and App. B.
    """

    beta_min: float = 0.1
    beta_max: float = 20.0
    span: tuple[float, float] = eqx.field(static=True, default=(1e-3, 1.0))

    def __check_init__(self) -> None:
        if expect.known(self.beta_min, self.beta_max) and not 0 < self.beta_min < self.beta_max:
            raise ValueError(
                f"beta_min is {self.beta_min} and beta_max {self.beta_max}, expected 0 < beta_min < beta_max"
            )

    def coefficients(self, t: Scalar) -> Coefficients:
        """(e^{−B/2}, 0, 1 − e^{−B})."""
        integral = _linear_decay(self, t)
        return Coefficients(jnp.exp(-0.5 * integral), jnp.zeros_like(t), -jnp.expm1(-integral))

    def log_snr(self, t: Scalar) -> Scalar:
        """ℓ = −log(2 sinh(B/2))."""
        integral = _linear_decay(self, t)
        return -0.5 * integral - jnp.log(-jnp.expm1(-integral))

    def time(self, log_snr: Scalar) -> Scalar:
        """The time at which B = 2 asinh(e^{−ℓ}/2)."""
        return _linear_decay_time(self, 2 * jnp.arcsinh(0.5 * jnp.exp(-log_snr)))


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
        if expect.known(self.offset) and not self.offset > 0:
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


def _linear_decay(process: VP | SubVP, t: Scalar) -> Scalar:
    """B = β₀ t + ½ (β₁ − β₀) t²."""
    rate = LinearRate(process.beta_min / process.beta_max)
    return 0.5 * (process.beta_min + process.beta_max) * rate.share(t)


def _linear_decay_time(process: VP | SubVP, integral: Scalar) -> Scalar:
    """The time at which B has this value."""
    rate = LinearRate(process.beta_min / process.beta_max)
    return rate.time(2 * integral / (process.beta_min + process.beta_max))
