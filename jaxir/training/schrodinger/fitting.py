"""What is learnt from a walk: the two ways to a Schrödinger bridge.

A walk goes from one end of time to the other along u_0, …, u_K, and each way says what the drift of the opposite
direction should be at u_1, …, u_K. Neither knows which of the two directions that is, so each is written once.
"""

# No `from __future__ import annotations` here: equinox knows AbstractVar only where it is not a string.

import abc
from collections.abc import Callable
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from jaxir.processes import Process, Wiener, pin
from jaxir.training.schrodinger.regression import Example
from jaxir.typing import Image, Key, Scalar, Times

Drift = Callable[[Image, Scalar], Image]
"""(x, number of the step) -> v, the change of the image per unit of time, whichever way time goes."""


class Leg(NamedTuple):
    """A direction of travel: its times u_0, …, u_K and the deviation of the noise of each step."""

    times: Times
    stds: Float[Array, " k"]

    def back(self) -> "Leg":
        """The other direction."""
        return Leg(self.times[::-1], self.stds[::-1])

    def length(self, j: Scalar) -> Scalar:
        """|u_{j+1} − u_j|."""
        return jnp.abs(self.times[j + 1] - self.times[j])

    def mean(self, drift: Drift, x: Image, j: Scalar) -> Image:
        """F_j(x) = x + |u_{j+1} − u_j| v(x, u_j)."""
        return x + self.length(j) * drift(x, j)

    def walk(self, key: Key, drift: Drift, x: Image, *, note: Callable = lambda *_: None) -> tuple:
        """The state at u_K and, stacked over the steps, what `note(j, F_j(x_j), x_{j+1})` says of each."""

        def step(x: Image, j: Scalar) -> tuple[Image, PyTree]:
            mean = self.mean(drift, x, j)
            z = jax.random.normal(jax.random.fold_in(key, j), x.shape, x.dtype)
            x = mean + self.stds[j] * z
            return x, note(j, mean, x)

        return jax.lax.scan(step, x, jnp.arange(len(self.stds)))


class Fitting(eqx.Module):
    """The interface.

    Attributes:
        reference: the uncoupled process that the bridge is nearest to; its noise is the bridge's.
    """

    reference: eqx.AbstractVar[Process]

    def leg(self, times: Times) -> Leg:
        """From x0 to x1, each step with the noise of the reference's own."""
        zero = jnp.zeros((), times.dtype)
        law = jax.vmap(lambda s, t: self.reference.forward(zero, s, t))(times[:-1], times[1:])
        return Leg(times, law.scale)

    @abc.abstractmethod
    def first(self, key: Key, leg: Leg, x0: Image, x1: Image) -> PyTree:
        """What is kept of the first walk, made before any drift is known."""

    @abc.abstractmethod
    def keep(self, key: Key, leg: Leg, drift: Drift, x: Image) -> PyTree:
        """What is kept of a walk from `x`."""

    @abc.abstractmethod
    def example(self, key: Key, leg: Leg, kept: PyTree, j: Scalar) -> Example:
        """An example of the opposite drift at u_{j+1}."""


class ProportionalFitting(Fitting):
    """DSB: iterative proportional fitting, by regression on the means of the steps.

    A walk x_{j+1} = F_j(x_j) + √(2γ_j) z teaches the mean B of the reversed step,

        B_{j+1}(x_{j+1}) ≈ x_{j+1} + F_j(x_j) − F_j(x_{j+1}),

    and then the roles are exchanged. The first F_j and all 2γ_j are those of the reference's step. A reversed step has
    the same 2γ_j, which is right as steps become short; what is wrong of it adds up, so that for a given number of
    steps the coupling is best after a few iterations and then slowly forgets the reference. `MarkovianFitting`, which
    returns to the reference's own bridges every time, forgets less.

    Args:
        reference: `Wiener(ε)` for the entropic transport of strength ε, or an Ornstein–Uhlenbeck process such as
            `VP()`.

    Source: [debortoli2021dsb] Algorithm 1.
    """

    reference: Process = Wiener()

    def first(self, key: Key, leg: Leg, x0: Image, x1: Image) -> Example:
        """A walk of the reference from x0, whatever x1 is."""

        def drift(x: Image, j: Scalar) -> Image:
            mean = self.reference.forward(x, leg.times[j], leg.times[j + 1]).mean
            return (mean - x) / leg.length(j)

        return self.keep(key, leg, drift, x0)

    def keep(self, key: Key, leg: Leg, drift: Drift, x: Image) -> Example:
        """(x_{j+1}, u_{j+1}, (F_j(x_j) − F_j(x_{j+1}))/|u_{j+1} − u_j|) of all steps."""

        def note(j: Scalar, mean: Image, x: Image) -> Example:
            return Example(x, leg.times[j + 1], (mean - leg.mean(drift, x, j)) / leg.length(j))

        return leg.walk(key, drift, x, note=note)[1]

    def example(self, key: Key, leg: Leg, kept: Example, j: Scalar) -> Example:
        """That of step `j`."""
        return jax.tree.map(lambda leaf: leaf[j], kept)


class MarkovianFitting(Fitting):
    """DSBM: iterative Markovian fitting of the mixture of Brownian bridges between the ends of walks.

    With ends (x_s, x_e) of a walk and x_u on the Brownian bridge between them, the drift of the opposite direction is

        v(x_u, u) ≈ (x_s − x_u)/|u − u_0|,

    the mean way back to where the walk began. The first ends are the images as they are given: in any order, for two
    sources without pairs; of paired sources one projection, the first, is the image-to-image bridge of the pairs.

    Args:
        reference: `Wiener(ε)`; a clock of its own is a choice of `times`.

    Source: [shi2023dsbm] Algorithm 1; [peluchetti2023bridges].
    """

    reference: Wiener = Wiener()

    def first(self, key: Key, leg: Leg, x0: Image, x1: Image) -> tuple[Image, Image]:
        """The pair."""
        return x0, x1

    def keep(self, key: Key, leg: Leg, drift: Drift, x: Image) -> tuple[Image, Image]:
        """The ends."""
        return x, leg.walk(key, drift, x)[0]

    def example(self, key: Key, leg: Leg, kept: tuple[Image, Image], j: Scalar) -> Example:
        """On the bridge at u_{j+1}, with fresh noise."""
        start, end = kept
        gone = jnp.abs(leg.times[j + 1] - leg.times[0])
        x = pin(self.reference).marginal(start, gone, end).sample(key)
        return Example(x, leg.times[j + 1], (start - x) / gone)
