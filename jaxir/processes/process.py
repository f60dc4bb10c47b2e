"""A process is three coefficients and a span; everything else follows once, for all of them.

    x_t = a(t) x0 + b(t) y + σ(t) ε,        ε ~ N(0, I),        ℓ(t) = log(a/σ) strictly decreasing

A concrete process writes down `coefficients`, `log_snr`, its inverse `time` and its open `span`. The marginal, the
forward law between two times, the score, the velocity and the linear SDE are derived here, from

    a'/a = f,    σ'/σ = f − ℓ',    h = b' − f b,    g² = −2 σ² ℓ'                      (MATH: uniqueness of the drift)

so that no drift is ever typed beside a marginal, and no square root is differentiated where it vanishes.
"""

# No `from __future__ import annotations` here: equinox knows AbstractVar only where it is not a string.

import abc
from collections.abc import Callable
from typing import ClassVar, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp

from jaxir.gaussian import Gaussian
from jaxir.typing import Image, Measurement, Scalar


class Coefficients(NamedTuple):
    """a, b and σ at one time."""

    a: Scalar
    b: Scalar
    sigma: Scalar


class SDE(NamedTuple):
    """The linear SDE dx = (f x + h y) dt + g dw at one time; `g2` is g²."""

    f: Scalar
    h: Scalar
    g2: Scalar


class Process(eqx.Module):
    """How an image is corrupted in time: x_t = a x0 + b y + σ ε.

    Attributes:
        coupled: whether b is not zero, so that the degraded image y (as an image) is part of the state.
        span: (t_min, t_max), the open interval on which the process is used; t_min is the clean end.
    """

    coupled: ClassVar[bool] = False
    span: eqx.AbstractVar[tuple[float, float]]

    @abc.abstractmethod
    def coefficients(self, t: Scalar) -> Coefficients:
        """(a, b, σ) at time `t`, σ in a form that does not cancel."""

    @abc.abstractmethod
    def log_snr(self, t: Scalar) -> Scalar:
        """ℓ(t) = log(a/σ), the half log-SNR, strictly decreasing."""

    @abc.abstractmethod
    def time(self, log_snr: Scalar) -> Scalar:
        """The inverse of `log_snr`."""

    def image(self, y: Measurement | None) -> Image | float:
        """The degraded image that b multiplies; 0 for an uncoupled process, whatever `y`."""
        return 0.0

    def centre(self, t: Scalar, y: Measurement | None) -> Image | float:
        """b(t) y, where the state sits when the clean image is zero; 0 for an uncoupled process."""
        return self.coefficients(t).b * self.image(y) if self.coupled else 0.0

    def marginal(self, x0: Image, t: Scalar, y: Measurement | None = None) -> Gaussian:
        """The law of x_t given x0: N(a x0 + b y, σ² I)."""
        a, _, sigma = self.coefficients(t)
        return Gaussian(a * x0 + self.centre(t, y), sigma)

    def start(self, like: Image, t: Scalar, y: Measurement | None = None) -> Gaussian:
        """The law a sampler starts from at the noisy end: N(b y, σ² I); `like` gives shape and dtype.

        It leaves out a x0, which is what every published sampler does: an error of the order of a/σ at that time.
        """
        return Gaussian(jnp.zeros_like(like) + self.centre(t, y), self.coefficients(t).sigma)

    def forward(self, x: Image, s: Scalar, t: Scalar, y: Measurement | None = None) -> Gaussian:
        """The law of x_t given x_s for s < t: N((a_t/a_s)(x_s − b_s y) + b_t y, σ_t² − (a_t/a_s)² σ_s²)."""
        ratio = self.coefficients(t).a / self.coefficients(s).a
        std = self.coefficients(t).sigma * jnp.sqrt(
            -jnp.expm1(2 * (self.log_snr(t) - self.log_snr(s)))
        )
        return Gaussian(ratio * (x - self.centre(s, y)) + self.centre(t, y), std)

    def eps(self, x: Image, t: Scalar, x0_hat: Image, y: Measurement | None = None) -> Image:
        """The noise that an estimate of the clean image implies: ε̂ = (x − a x̂0 − b y)/σ."""
        a, _, sigma = self.coefficients(t)
        return (x - a * x0_hat - self.centre(t, y)) / sigma

    def score(self, x: Image, t: Scalar, x0_hat: Image, y: Measurement | None = None) -> Image:
        """∇ₓ log p_t(x | y) = −ε̂/σ (Tweedie).

        Source: [efron2011tweedie]; [song2021score] Eq. 9.
        """
        return -self.eps(x, t, x0_hat, y) / self.coefficients(t).sigma

    def sde(self, t: Scalar) -> SDE:
        """The linear SDE with these marginals: f = a'/a, h = b' − f b, g² = −2 σ² ℓ'.

        Source: [song2021score] Eqs. 5 and 29–33; [kingma2021vdm] App. A for g².
        """
        one = jnp.ones_like(t)
        (a, b), (da, db) = jax.jvp(lambda t: self.coefficients(t)[:2], (t,), (one,))
        _, slope = jax.jvp(self.log_snr, (t,), (one,))
        f = da / a
        return SDE(f, db - f * b, -2 * self.coefficients(t).sigma ** 2 * slope)

    def velocity(self, x: Image, t: Scalar, x0_hat: Image, y: Measurement | None = None) -> Image:
        """dx/dt of the probability-flow ODE: f x + h y − ½ g² score.

        Source: [song2021score] Eq. 13.
        """
        f, h, g2 = self.sde(t)
        drift = f * x + (h * self.image(y) if self.coupled else 0.0)
        return drift - 0.5 * g2 * self.score(x, t, x0_hat, y)


class AsItIs(eqx.Module):
    """y is an image of the state's shape already."""

    def __call__(self, y: Measurement) -> Image:
        """`y`."""
        return y


class Coupled(Process):
    """A process that moves towards the degraded image: b is not zero.

    Attributes:
        lift: brings the measurement to an image of the state's shape: `AsItIs()`, an enlargement, a pseudo-inverse. Any
            callable pytree; wrap a plain function as `jax.tree_util.Partial(f)`.
    """

    coupled: ClassVar[bool] = True
    lift: eqx.AbstractVar[Callable[[Measurement], Image]]

    def image(self, y: Measurement | None) -> Image:
        """The degraded image, lift(y).

        Raises:
            ValueError: if `y` is missing.
        """
        if y is None:
            raise ValueError(
                f"{type(self).__name__} moves towards the degraded image but y is None: pass the degraded image as y"
            )
        return self.lift(y)
