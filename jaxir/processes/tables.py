"""Noise levels that were published as a table of N steps, made continuous between them.

A network that was trained on the indices of a table knows the noise levels of that table and no others, so the table is
the process: at t = i/N it has exactly the published ᾱ_i, in between ℓ is linear in t, and all else follows from ℓ,

    ᾱ_i = Π_{j ≤ i} (1 − β_j),    ℓ_i = ½ log(ᾱ_i/(1 − ᾱ_i)),    a = √sigmoid(2ℓ),    σ = √sigmoid(−2ℓ)

and any grid of times is allowed, of which the originals' respaced ones are some.
"""

# No `from __future__ import annotations` here: equinox knows AbstractVar only where it is not a string.

import abc

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxir import expect
from jaxir.processes.process import Coefficients, Process
from jaxir.typing import Scalar


class Table(Process):
    """Variance preserving, through the levels of a table; a concrete one writes `betas`.

    Attributes:
        steps: N, the length of the table. The original's index i − 1, counted from 0, is the time i/N.
    """

    steps: eqx.AbstractVar[int]

    @abc.abstractmethod
    def betas(self) -> Float[Array, " steps"]:
        """β_1 ... β_N."""

    @property
    def span(self) -> tuple[float, float]:
        """(1/N, 1): the first and the last level of the table."""
        return (1 / self.steps, 1.0)

    def _levels(self) -> Float[Array, " steps"]:
        """ℓ_1 ... ℓ_N, decreasing."""
        log_kept = jnp.cumsum(jnp.log1p(-self.betas()))
        return 0.5 * (log_kept - jnp.log(-jnp.expm1(log_kept)))

    def coefficients(self, t: Scalar) -> Coefficients:
        """(√sigmoid(2ℓ), 0, √sigmoid(−2ℓ))."""
        log_snr = self.log_snr(t)
        a, sigma = (jnp.sqrt(jax.nn.sigmoid(sign * 2 * log_snr)) for sign in (1, -1))
        return Coefficients(a, jnp.zeros_like(a), sigma)

    def log_snr(self, t: Scalar) -> Scalar:
        """ℓ, linear between the steps and beyond the first and the last with the slope that it has there."""
        position = self.steps * jnp.asarray(t) - 1
        return _between(position, self._levels().astype(position.dtype))

    def time(self, log_snr: Scalar) -> Scalar:
        """The time at which ℓ has this value."""
        levels = self._levels().astype(jnp.result_type(log_snr))
        first = jnp.clip(jnp.searchsorted(-levels, -log_snr) - 1, 0, self.steps - 2)
        share = (log_snr - levels[first]) / (levels[first + 1] - levels[first])
        return (first + share + 1) / self.steps


class LinearTable(Table):
    """β from `beta_min` to `beta_max` in equal steps: DDPM's, ADM's and DPS's.

    Args:
        beta_min: β_1 in (0, 1).
        beta_max: β_N in (0, 1).
        steps: N.

    Source: [ho2020ddpm] Sec. 4.
    """

    beta_min: float = 1e-4
    beta_max: float = 0.02
    steps: int = eqx.field(static=True, default=1000)

    def __check_init__(self) -> None:
        _expect_betas(self.beta_min, self.beta_max, self.steps)

    def betas(self) -> Float[Array, " steps"]:
        """β_min + (β_max − β_min)(i − 1)/(N − 1)."""
        return jnp.linspace(self.beta_min, self.beta_max, self.steps)


class ScaledLinearTable(Table):
    """√β from √`beta_min` to √`beta_max` in equal steps: that of latent diffusion.

    Args:
        beta_min: β_1 in (0, 1).
        beta_max: β_N in (0, 1).
        steps: N.

    Source: [rombach2022ldm] (the schedule of its published models).
    """

    beta_min: float = 0.00085
    beta_max: float = 0.012
    steps: int = eqx.field(static=True, default=1000)

    def __check_init__(self) -> None:
        _expect_betas(self.beta_min, self.beta_max, self.steps)

    def betas(self) -> Float[Array, " steps"]:
        """(√β_min + (√β_max − √β_min)(i − 1)/(N − 1))²."""
        root = jnp.sqrt(jnp.asarray([self.beta_min, self.beta_max]))
        return jnp.linspace(root[0], root[1], self.steps) ** 2


class CosineTable(Table):
    """β_i = min(1 − f(i/N)/f((i − 1)/N), cap) with f(t) = cos²((π/2)(t + o)/(1 + o)).

    Args:
        offset: o > 0.
        cap: largest β, in (0, 1); it acts on the last step, where f is 0.
        steps: N.

    Source: [nichol2021improved] Eq. 17.
    """

    offset: float = 0.008
    cap: float = 0.999
    steps: int = eqx.field(static=True, default=1000)

    def __check_init__(self) -> None:
        _expect_betas(self.offset, self.cap, self.steps)

    def betas(self) -> Float[Array, " steps"]:
        """With 1 − cos²u/cos²v = sin(u − v) sin(u + v)/cos²v, which does not cancel."""
        unit = 0.5 * jnp.pi / (1 + self.offset)
        angles = unit * (jnp.arange(self.steps + 1) / self.steps + self.offset)
        before, after = angles[:-1], angles[1:]
        beta = jnp.sin(unit / self.steps) * jnp.sin(after + before) / jnp.cos(before) ** 2
        return jnp.minimum(beta, self.cap)


def _between(position: Scalar, levels: Float[Array, " n"]) -> Scalar:
    """The levels at a position counted from 0, between two and beyond the ends on a straight line."""
    first = jnp.clip(jnp.floor(position), 0, len(levels) - 2).astype(int)
    return levels[first] + (position - first) * (levels[first + 1] - levels[first])


def _expect_betas(low: float, high: float, steps: int) -> None:
    if steps < 2:
        raise ValueError(f"steps is {steps}, expected at least 2")
    if expect.known(low, high) and not 0 < low < high < 1:
        raise ValueError(f"the table goes from {low} to {high}, expected 0 < first < last < 1")
