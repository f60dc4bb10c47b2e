"""Classifier-free guidance: away from what the model would draw without y, towards what it draws with it."""

from __future__ import annotations

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array

from jaxir import expect
from jaxir.denoisers import Denoiser, Estimate
from jaxir.processes import Process
from jaxir.typing import Image, Scalar


class Unconditional(Denoiser):
    """A conditional denoiser that is always shown the same instead of y: what stood for "no y" in training.

    Args:
        denoiser: the conditional one, on a process that is not coupled.
        null: the class that is none, or zeros for a measurement.

    Source: [ho2022cfg] Sec. 3.2.
    """

    denoiser: Denoiser
    null: Array

    def __check_init__(self) -> None:
        if self.process.coupled:
            raise TypeError(
                f"{type(self.process).__name__} moves towards y, which cannot be replaced in the denoiser alone: use a "
                "process that ends in noise"
            )

    @property
    def process(self) -> Process:
        """The denoiser's."""
        return self.denoiser.process

    def estimate(self, x: Image, t: Scalar, y: Array | None = None) -> Estimate:
        """One evaluation, whatever `y`."""
        return self.denoiser.estimate(x, t, self.null)


class Ramp(eqx.Module):
    """A weight that is `noisy` where σ/a ≥ highest and falls or rises in proportion to σ/a, to `clean` without noise.

    Args:
        clean: at σ/a = 0.
        noisy: at σ/a = highest.
        highest: σ/a of the first step, > 0.

    Source: [yu2024supir] (its sampler's weight).
    """

    clean: float | Scalar
    noisy: float | Scalar
    highest: float | Scalar

    def __check_init__(self) -> None:
        expect.positive("highest", self.highest)

    def __call__(self, level: Scalar) -> Scalar:
        """The weight at σ/a = level."""
        return self.clean + (self.noisy - self.clean) * jnp.minimum(level / self.highest, 1.0)


class ClassifierFree(Denoiser):
    """D_u + weight (D_c − D_u) where low ≤ σ/a ≤ high, and D_c elsewhere.

    weight = 0 is the unconditional, 1 the conditional model; more sharpens p(y | x) to the power `weight` at each noise
    level (which is not the same as a sharpened law of the images). The paper's w is weight − 1.

    Args:
        conditional: D_c, shown y.
        unconditional: D_u, for the same process; `Unconditional(network, null)` where one network is both.
        weight: of the difference; a number, or a callable pytree of σ/a such as `Ramp`.
        low: least σ/a at which it is guided, in [-1, 1] units.
        high: largest σ/a at which it is guided.

    Source: [ho2022cfg] Eq. 6; [kynkaanniemi2024interval] for the interval.
    """

    conditional: Denoiser
    unconditional: Denoiser
    weight: float | Callable[[Scalar], Scalar] = 1.0
    low: float = 0.0
    high: float = float("inf")

    def __check_init__(self) -> None:
        same = eqx.tree_equal(self.conditional.process, self.unconditional.process)
        if not isinstance(same, jax.core.Tracer) and not same:
            raise ValueError(
                f"conditional is on {self.conditional.process} and unconditional on {self.unconditional.process}, "
                "expected the same process: translate one by denoisers.on(process, denoiser)"
            )
        if expect.known(self.low, self.high) and not 0 <= self.low <= self.high:
            raise ValueError(f"low is {self.low} and high {self.high}, expected 0 <= low <= high")

    @property
    def process(self) -> Process:
        """That of both."""
        return self.conditional.process

    @property
    def sees_y(self) -> bool:
        """As the conditional one."""
        return self.conditional.sees_y

    def estimate(self, x: Image, t: Scalar, y: Array | None = None) -> Estimate:
        """Two evaluations."""
        level = jnp.exp(-self.process.log_snr(t))
        weight = self.weight(level) if callable(self.weight) else self.weight
        weight = jnp.where((self.low <= level) & (level <= self.high), weight, 1.0)
        given, free = self.conditional.estimate(x, t, y), self.unconditional(x, t, y)
        return given._replace(x0_hat=free + weight * (given.x0_hat - free))
