"""What a network's output means: a row (u, v, w) with p = u x0 + v ε + w y.

Together with x = a x0 + σ ε + b y the row is a 2×2 linear system, and one Cramer's rule turns any prediction into
the clean image. The determinant a v − σ u tells where a row is safe: through the noise it divides by a, through the
clean image by nothing, so choose the row by the span.
"""

from __future__ import annotations

import abc
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp

from jaxir import expect
from jaxir.processes import Process
from jaxir.typing import Image, Measurement, Scalar


class Row(NamedTuple):
    """The coefficients of x0, ε and y in a prediction."""

    u: Scalar
    v: Scalar
    w: Scalar


class Prediction(eqx.Module):
    """A quantity p = u x0 + v ε + w y that a network is trained to output."""

    @abc.abstractmethod
    def row(self, process: Process, t: Scalar) -> Row:
        """(u, v, w) at time `t`."""

    def target(
        self, process: Process, x0: Image, eps: Image, t: Scalar, y: Measurement | None = None
    ) -> Image:
        """p for a known clean image and noise."""
        u, v, w = self.row(process, t)
        return u * x0 + v * eps + (w * process.image(y) if process.coupled else 0.0)

    def x0(
        self, process: Process, p: Image, x: Image, t: Scalar, y: Measurement | None = None
    ) -> Image:
        """The clean image that a prediction implies: x0 = (v (x − b y) − σ (p − w y))/(a v − σ u)."""
        a, _, sigma = process.coefficients(t)
        u, v, w = self.row(process, t)
        rest = p - (w * process.image(y) if process.coupled else 0.0)
        return (v * (x - process.centre(t, y)) - sigma * rest) / (a * v - sigma * u)


class CleanImage(Prediction):
    """p = x0."""

    def row(self, process: Process, t: Scalar) -> Row:
        """(1, 0, 0)."""
        zero = jnp.zeros_like(t)
        return Row(zero + 1, zero, zero)


class Noise(Prediction):
    """p = ε.

    Source: [ho2020ddpm] Eq. 11.
    """

    def row(self, process: Process, t: Scalar) -> Row:
        """(0, 1, 0)."""
        zero = jnp.zeros_like(t)
        return Row(zero, zero + 1, zero)


class Score(Prediction):
    """p = ∇ log p_t(x) = −ε/σ.

    Source: [song2021score] Eq. 7.
    """

    def row(self, process: Process, t: Scalar) -> Row:
        """(0, −1/σ, 0)."""
        zero = jnp.zeros_like(t)
        return Row(zero, -1 / process.coefficients(t).sigma, zero)


class Velocity(Prediction):
    """p = dx/dt = a' x0 + σ' ε + b' y, the target of flow matching, with σ' = σ (a'/a − ℓ').

    Source: [lipman2023flow] Eq. 9; [liu2023rectified] Eq. 1.
    """

    def row(self, process: Process, t: Scalar) -> Row:
        """(a', σ', b')."""
        one = jnp.ones_like(t)
        (a, _), (da, db) = jax.jvp(lambda t: process.coefficients(t)[:2], (t,), (one,))
        _, slope = jax.jvp(process.log_snr, (t,), (one,))
        return Row(da, process.coefficients(t).sigma * (da / a - slope), db)


class AngleVelocity(Prediction):
    """p = (a ε − σ x0)/√(a² + σ²), the "v" of progressive distillation, safe at both ends of a span.

    Source: [salimans2022distillation] App. D, for variance-preserving processes where a² + σ² = 1.
    """

    def row(self, process: Process, t: Scalar) -> Row:
        """(−σ, a, 0)/√(a² + σ²)."""
        a, _, sigma = process.coefficients(t)
        radius = jnp.hypot(a, sigma)
        return Row(-sigma / radius, a / radius, jnp.zeros_like(t))


class Preconditioned(Prediction):
    """p = F of EDM, the output that has variance 1 at every noise level: with σ̂ = σ/a and σ_d the data's deviation,

        x̂0 = c_skip x̂ + c_out F,    c_skip = σ_d²/(σ̂² + σ_d²),    c_out = σ̂ σ_d/√(σ̂² + σ_d²)
        F = (σ̂/σ_d x0 − σ_d ε)/√(σ̂² + σ_d²)

    Written with a and σ, so that nothing divides by either.

    Args:
        data_std: σ_d, about 0.5 for images in [-1, 1].

    Source: [karras2022edm] Eq. 7 and Table 1.
    """

    data_std: float = 0.5

    def row(self, process: Process, t: Scalar) -> Row:
        """(σ/σ_d, −a σ_d, 0)/√(σ² + a² σ_d²)."""
        a, _, sigma = process.coefficients(t)
        radius = jnp.hypot(sigma, a * self.data_std)
        return Row(sigma / (self.data_std * radius), -a * self.data_std / radius, jnp.zeros_like(t))


class Consistent(Prediction):
    """p = F of a consistency function, whose x̂0 at the clean end of the span is the state x̂ = (x − b y)/a there:

        x̂0 = c_skip x̂ + c_out F,    c_skip = σ_d²/(δ² + σ_d²),    c_out = δ σ_d/√(σ̂² + σ_d²)

    With δ = σ̂ − σ̂_min in the place of σ̂ it is `Preconditioned` but for the square root. At the clean end the row is
    infinite, since F has no say there, so x̂0 is written as it is above.

    Args:
        data_std: σ_d, about 0.5 for images in [-1, 1].

    Source: [song2023consistency] App. C.
    """

    data_std: float = 0.5

    def row(self, process: Process, t: Scalar) -> Row:
        """(1 − c_skip, −σ̂ c_skip, 0)/c_out."""
        skip, out = self._weights(process, t)
        return Row((1 - skip) / out, -jnp.exp(-process.log_snr(t)) * skip / out, jnp.zeros_like(t))

    def x0(
        self, process: Process, p: Image, x: Image, t: Scalar, y: Measurement | None = None
    ) -> Image:
        """c_skip (x − b y)/a + c_out p."""
        skip, out = self._weights(process, t)
        return skip * (x - process.centre(t, y)) / process.coefficients(t).a + out * p

    def _weights(self, process: Process, t: Scalar) -> tuple[Scalar, Scalar]:
        """c_skip and c_out."""
        least = jnp.exp(-process.log_snr(jnp.full_like(t, process.span[0])))
        noise = jnp.exp(-process.log_snr(t))
        delta = noise - least
        skip = self.data_std**2 / (delta**2 + self.data_std**2)
        return skip, delta * self.data_std / jnp.hypot(noise, self.data_std)


class PairedPreconditioned(Prediction):
    """p = F of DDBM, the output that has variance 1 at every time of a process that moves towards y: with A = Var x_t,

        x̂0 = c_skip x + c_out F,    A = a² σ_d² + b² σ_y² + 2 a b c + σ²
        c_skip = (a σ_d² + b c)/A,    c_out = √((b² (σ_d² σ_y² − c²) + σ² σ_d²)/A)

    Where b = 0 it is `Preconditioned`.

    Args:
        data_std: σ_d, of clean images.
        degraded_std: σ_y, of images of y.
        covariance: c of a clean pixel with the degraded one, |c| < σ_d σ_y; 0 in the paper's experiments.

    Source: [zhou2024ddbm] (the preconditioning of bridges).
    """

    data_std: float = 0.5
    degraded_std: float = 0.5
    covariance: float = 0.0

    def __check_init__(self) -> None:
        expect.positive("data_std", self.data_std)
        expect.positive("degraded_std", self.degraded_std)
        most = self.data_std * self.degraded_std
        if expect.known(self.covariance, most) and not abs(self.covariance) < most:
            raise ValueError(
                f"covariance is {self.covariance}, expected less than data_std · degraded_std = {most}"
            )

    def row(self, process: Process, t: Scalar) -> Row:
        """(1 − a c_skip, −σ c_skip, −b c_skip)/c_out, over the common denominator √(A · A c_out²)."""
        a, b, sigma = process.coefficients(t)
        clean, degraded = self.data_std**2, self.degraded_std**2
        common = clean * degraded - self.covariance**2
        both = a * b * self.covariance
        total = a**2 * clean + b**2 * degraded + 2 * both + sigma**2
        root = jnp.sqrt(total * (b**2 * common + sigma**2 * clean))
        skip = (a * clean + b * self.covariance) / root
        return Row((b**2 * degraded + both + sigma**2) / root, -sigma * skip, -b * skip)


class Displacement(Prediction):
    """p = x_t − x0, what has moved the image: 0 at the clean end, where the state is the image.

    Source: [li2023bbdm] Sec. 3.2 (b (y − x0) + σ ε on a Brownian bridge).
    """

    def row(self, process: Process, t: Scalar) -> Row:
        """(a − 1, σ, b)."""
        a, b, sigma = process.coefficients(t)
        return Row(a - 1, sigma, b)


class Residual(Prediction):
    """Another prediction with x0 − y in the place of x0, for a process that moves towards the degraded image.

    What is learnt is what the degradation did, and where no signal is left a network that says nothing gives y back. On
    other processes it is `inner`.

    Args:
        inner: of x0 − y; the `data_std` of `Preconditioned` is then the deviation of that difference.
    """

    inner: Prediction = Preconditioned(0.2)

    @property
    def data_std(self) -> float:
        """That of `inner`, where it has one."""
        return self.inner.data_std

    def row(self, process: Process, t: Scalar) -> Row:
        """(u, v, w − u)."""
        u, v, w = self.inner.row(process, t)
        return Row(u, v, w - u)
