"""How fast a process forgets: the share of its whole decay that has passed at time t.

    share(t) = ∫₀ᵗ θ / ∫₀¹ θ,        share(0) = 0,    share(1) = 1

VP, IR-SDE and the bridge over it differ in what decays; the shape of the rate is one of these for all of them.
"""

from __future__ import annotations

import abc

import equinox as eqx
import jax
import jax.numpy as jnp

from jaxir import expect
from jaxir.typing import Scalar


class Rate(eqx.Module):
    """The shape of a rate in time."""

    @abc.abstractmethod
    def share(self, t: Scalar) -> Scalar:
        """The share of the decay that has passed at `t`, from 0 to 1, right to the last digit at t → 0."""

    @abc.abstractmethod
    def time(self, share: Scalar) -> Scalar:
        """The inverse of `share`."""


class ConstantRate(Rate):
    """θ constant: share = t."""

    def share(self, t: Scalar) -> Scalar:
        """`t`."""
        return jnp.asarray(t)

    def time(self, share: Scalar) -> Scalar:
        """`share`."""
        return jnp.asarray(share)


class LinearRate(Rate):
    """θ ∝ r + (1 − r) t: share = (2 r t + (1 − r) t²)/(1 + r).

    Args:
        first: r > 0, the first rate as a part of the last.

    Source: [ho2020ddpm] Sec. 4, whose β from 1e-4 to 0.02 has r = 0.005.
    """

    first: float = 0.005

    def __check_init__(self) -> None:
        expect.positive("first", self.first)

    def share(self, t: Scalar) -> Scalar:
        """(2 r t + (1 − r) t²)/(1 + r)."""
        return t * (2 * self.first + (1 - self.first) * t) / (1 + self.first)

    def time(self, share: Scalar) -> Scalar:
        """The root of the quadratic, in the form that does not cancel."""
        whole = (1 + self.first) * share
        return whole / (self.first + jnp.sqrt(self.first**2 + (1 - self.first) * whole))


class CosineRate(Rate):
    """θ ∝ 1 − cos² φ/cos² φ₀, φ = (π/2)(t + o)/(1 + o), φ₀ = φ(0): slow at the clean end, then nearly constant.

    With g = φ − φ₀ its integral is ∝ (g − ½ sin 2g) cos 2φ₀ + sin² g sin 2φ₀.

    Args:
        offset: o > 0.

    Source: [luo2023irsde] (the cosine schedule of θ, from [nichol2021improved] Eq. 17).
    """

    offset: float = 0.008

    def __check_init__(self) -> None:
        expect.positive("offset", self.offset)

    def _scale(self, like: Scalar) -> Scalar:
        """φ' = (π/2)/(1 + o)."""
        return 0.5 * jnp.pi / (1 + self.offset) * jnp.ones_like(like)

    def _integral(self, gap: Scalar) -> Scalar:
        start = self._scale(gap) * self.offset
        return _minus_sine(2 * gap) / 2 * jnp.cos(2 * start) + jnp.sin(gap) ** 2 * jnp.sin(
            2 * start
        )

    def share(self, t: Scalar) -> Scalar:
        """The integral above, divided by its value at t = 1."""
        scale = self._scale(t)
        return self._integral(scale * t) / self._integral(scale)

    def time(self, share: Scalar) -> Scalar:
        """By Newton's method for log share as a function of log g, whose slope is between 1 and 3; 0 for 0."""
        scale = self._scale(share)
        start = scale * self.offset
        value = jnp.where(share > 0, share, 1) * self._integral(scale)
        gap = jnp.minimum(jnp.cbrt(1.5 * value), jnp.sqrt(value / jnp.sin(2 * start)))
        gap = jnp.minimum(gap, scale)
        for _ in range(8):
            integral = self._integral(gap)
            slope = 2 * gap * jnp.sin(gap) * jnp.sin(gap + 2 * start) / integral
            gap = jnp.minimum(gap * jnp.exp((jnp.log(value) - jnp.log(integral)) / slope), scale)
        return jnp.where(share > 0, gap / scale, 0)


class CosineSteps(Rate):
    """The cosine rate added up over N steps, as it was published: share(i/N) = Σ_{j ≤ i} θ_j / Σ_{j ≤ N} θ_j.

    θ_j ∝ cos 2φ₀ − cos 2φ_j at φ_j = φ₀ + (j + 1) δ, δ = (π/2)/((N + 2)(1 + o)), and the sum is smooth in i:

        Σ_{j ≤ i} θ_j ∝ i cos 2φ₀ − cos(2φ₀ + w) sin(iδ)/sin δ,    w = (i + 3) δ

    It is `CosineRate` for N → ∞. At N = 100 the two shares differ by up to .007.

    Args:
        steps: N > 0.
        offset: o > 0.

    Source: [luo2023irsde] (the cosine schedule of its published code).
    """

    steps: float = 100.0
    offset: float = 0.008

    def __check_init__(self) -> None:
        expect.positive("steps", self.steps)
        expect.positive("offset", self.offset)

    def _sum(self, i: Scalar) -> Scalar:
        """The sum above in parts that do not cancel: with R = sin(iδ)/sin δ,

        cos 2φ₀ (2 i sin²(w/2) + (i − R) cos w) + sin 2φ₀ R sin w.
        """
        unit = 0.5 * jnp.pi / (1 + self.offset) * jnp.ones_like(i)
        start, step = unit * self.offset, unit / (self.steps + 2)
        ahead, ratio = (i + 3) * step, jnp.sin(i * step) / jnp.sin(step)
        rest = (_minus_sine(i * step) - i * _minus_sine(step)) / jnp.sin(step)
        slow = 2 * i * jnp.sin(ahead / 2) ** 2 + rest * jnp.cos(ahead)
        return jnp.cos(2 * start) * slow + jnp.sin(2 * start) * ratio * jnp.sin(ahead)

    def share(self, t: Scalar) -> Scalar:
        """The sum to tN, divided by the one to N."""
        whole = self.steps * jnp.ones_like(t)
        return self._sum(whole * t) / self._sum(whole)

    def time(self, share: Scalar) -> Scalar:
        """By Newton's method for log share as a function of log t from above, whose slope is 1 to 3; 0 for 0."""
        whole = self.steps * jnp.ones_like(share)
        value = jnp.where(share > 0, share, 1) * self._sum(whole)

        def closer(_: int, i: Scalar) -> Scalar:
            total, rise = jax.jvp(self._sum, (i,), (jnp.ones_like(i),))
            step = (jnp.log(value) - jnp.log(total)) * total / (i * rise)
            return jnp.minimum(i * jnp.exp(step), whole)

        i = jax.lax.fori_loop(0, 12, closer, whole)
        return jnp.where(share > 0, i / whole, 0)


def _minus_sine(z: Scalar) -> Scalar:
    """z − sin z, by its series where the difference cancels."""
    square = z**2
    series = 1 / 6 - square / 120 * (
        1 - square / 42 * (1 - square / 72 * (1 - square / 110 * (1 - square / 156)))
    )
    return jnp.where(jnp.abs(z) < 0.5, z**3 * series, z - jnp.sin(z))
