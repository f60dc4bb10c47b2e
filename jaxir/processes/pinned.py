"""Bridges: any Gaussian process, told where it ends.

Conditioning x_T = a_T x0 + b_T y + σ_T ε on x_T = y leaves a Gaussian path. With r = e^{2(ℓ_T − ℓ_t)}, the share of the
signal-to-noise ratio that is left at the end, and K = (a_t/a_T) r the regression of x_t on x_T,

    a ← a (1 − r),    b ← b + K (1 − b_T),    σ² ← σ² (1 − r),    a²/σ² ← a²/σ² − a_T²/σ_T²

At the end σ = 0 and x = y. Every published bridge is this with a base and a clock; none has a formula of its own.
"""

from __future__ import annotations

from collections.abc import Callable

import equinox as eqx
import jax.numpy as jnp

from jaxir.processes.exploding import EDM, SymmetricWiener, Wiener
from jaxir.processes.noising import VP
from jaxir.processes.process import AsItIs, Coefficients, Coupled, Process
from jaxir.processes.reverting import IRSDE
from jaxir.typing import Image, Measurement, Scalar

Lift = Callable[[Measurement], Image]
"""Brings a measurement to an image of the state's shape."""


class Pinned(Coupled):
    """`base` conditioned on x_T = y, T the end of its span.

    At t = T the state is y exactly and ℓ = −∞; the grids of `log_snr_times` keep away from it by the span, and a grid
    that begins with T makes its first step from y itself.

    Args:
        base: the process before it is pinned; σ_T > 0.
        lift: brings the measurement to an image; for a coupled base, the base's own.
        span: inside the base's.

    Source: [zhou2024ddbm] Sec. 3.1; [yue2024goub] Eq. 9; [luo2024taming] Eq. 46.
    """

    base: Process
    lift: Lift
    span: tuple[float, float] = eqx.field(static=True)

    def _end(self, like: Scalar) -> Scalar:
        return jnp.full_like(like, self.base.span[1])

    def _loss(self, t: Scalar) -> Scalar:
        """log r = 2(ℓ_T − ℓ_t)."""
        return 2 * (self.base.log_snr(self._end(t)) - self.base.log_snr(t))

    def coefficients(self, t: Scalar) -> Coefficients:
        """The base's, conditioned."""
        t = jnp.asarray(t)
        now, end, loss = (
            self.base.coefficients(t),
            self.base.coefficients(self._end(t)),
            self._loss(t),
        )
        left = -jnp.expm1(loss)
        pull = now.a / end.a * jnp.exp(loss)
        return Coefficients(now.a * left, now.b + pull * (1 - end.b), now.sigma * jnp.sqrt(left))

    def log_snr(self, t: Scalar) -> Scalar:
        """ℓ + ½ log(1 − r)."""
        return self.base.log_snr(t) + 0.5 * jnp.log(-jnp.expm1(self._loss(t)))

    def time(self, log_snr: Scalar) -> Scalar:
        """The base's time of the ratio with its end's added again."""
        end = self.base.log_snr(self._end(log_snr))
        return self.base.time(0.5 * jnp.logaddexp(2 * log_snr, 2 * end))


def pin(
    process: Process,
    *,
    lift: Lift | None = None,
    margin: float = 1e-3,
) -> Pinned:
    """The bridge of a process: the same process, conditioned to end in the degraded image.

    Args:
        process: any process with noise at the end of its span.
        lift: brings the measurement to an image; a coupled process's own by default.
        margin: part of the span that the bridge's stays away from its pinned end.
    """
    if lift is None:
        lift = process.lift if isinstance(process, Coupled) else AsItIs()
    low, high = process.span
    return Pinned(process, lift, (low, high - margin * (high - low)))


def brownian_bridge(variance: float = 2.0, *, lift: Lift = AsItIs()) -> Pinned:
    """BBDM: a = 1 − t, b = t, σ² = v t (1 − t).

    Args:
        variance: v; four times the largest variance, which is reached at t = ½. The published s = 1 is v = 2.
        lift: brings the measurement to an image.

    Source: [li2023bbdm] Eqs. 4 and 5.
    """
    return pin(Wiener(variance), lift=lift)


def i2sb(*, lift: Lift = AsItIs()) -> Pinned:
    """I2SB: a Brownian bridge in a clock that is slow at both ends.

    Args:
        lift: brings the measurement to an image.

    Source: [liu2023i2sb] Eq. 11 and App. B.
    """
    return pin(SymmetricWiener(), lift=lift)


def ddbm_ve(sigma_max: float = 80.0, *, lift: Lift = AsItIs()) -> Pinned:
    """DDBM on VE: b = t²/T², σ² = t² (1 − t²/T²) in the clock t = σ.

    Args:
        sigma_max: T; the published values are 80 and 20.
        lift: brings the measurement to an image.

    Source: [zhou2024ddbm] Table 1.
    """
    return pin(EDM(sigma_max), lift=lift)


def ddbm_vp(beta_min: float = 0.1, beta_max: float = 2.1, *, lift: Lift = AsItIs()) -> Pinned:
    """DDBM on VP.

    Args:
        beta_min: β at t = 0.
        beta_max: β at t = 1; the published β_d = 2 is their difference.
        lift: brings the measurement to an image.

    Source: [zhou2024ddbm] Table 1.
    """
    return pin(VP(beta_min, beta_max), lift=lift)


def goub(std: float = 60 / 255, *, lift: Lift = AsItIs()) -> Pinned:
    """GOUB: the generalised Ornstein–Uhlenbeck bridge, IR-SDE pinned to the image that it reverts to.

    Args:
        std: λ in [-1, 1] units; the published 30/255 of [0, 1].
        lift: brings the measurement to an image.

    Source: [yue2024goub] Eqs. 9 to 11.
    """
    return pin(IRSDE(std, lift=lift))
