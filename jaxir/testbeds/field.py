"""A stationary Gaussian field: an image-like prior of any size, since its covariance is diagonal under the FFT.

    x0 ~ N(m, C), C = F⁻¹ diag(p) F,    x0 | y:  mean m + C Aᴴ S⁻¹ (y − A m),    S = A C Aᴴ + σ_y² I

Draws from the posterior are Matheron's, x + C Aᴴ S⁻¹ (y − A x − σ_y ξ) with x of the prior, so that all that depends
on the degradation is how S is inverted, and that is one argument. Where A commutes with shifts (by one pixel for a
blur, by the factor for a reduction by blocks), S is a circular convolution on the grid of y, with the eigenvalues

    F S δ₀,    which are |H|² p + σ_y² for a blur h, and with the sum of |H|² p over aliases for a reduction

Of a mask it is neither, and conjugate gradients solve it.
"""

from __future__ import annotations

import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxir.degradations import Degradation, GaussianNoise, Linear
from jaxir.denoisers import SpectralGaussianDenoiser
from jaxir.denoisers.exact import gaussian_given, spectral_filter
from jaxir.processes import Process
from jaxir.testbeds.system import Circulant, System
from jaxir.testbeds.testbed import Testbed, expect_uncoupled
from jaxir.typing import Image, Images, Key, Measurement, Scalar

DENSE = 1024
"""The largest number of entries of an image for which a covariance is written down."""


class FieldLaw(eqx.Module):
    """N(m, F⁻¹ diag(p) F)."""

    mean: Image
    power: Float[Array, "h w 1"]

    @property
    def std(self) -> Image:
        """The same at every pixel."""
        return jnp.full_like(self.mean, jnp.sqrt(jnp.mean(self.power)))

    @property
    def covariance(self) -> Float[Array, "d d"] | None:
        """Column by column; None beyond `DENSE` entries."""
        return _columns(lambda u: spectral_filter(self.power, u), self.mean)

    def sample(self, key: Key, count: int) -> Images:
        """m + F⁻¹ √p F ξ."""
        noise = jax.random.normal(key, (count, *self.mean.shape), self.mean.dtype)
        return self.mean + jax.vmap(lambda xi: spectral_filter(jnp.sqrt(self.power), xi))(noise)


class FieldPosterior(eqx.Module):
    """The law of the field given a measurement."""

    field: StationaryField
    y: Measurement

    @property
    def mean(self) -> Image:
        """m + C Aᴴ S⁻¹ (y − A m)."""
        return _updated(self.field, self.field.mean, self.y)

    @property
    def std(self) -> Image:
        """From one solve for each entry of the cell in which the variance repeats, all of the image for a mask."""
        return _deviation(self.field)

    @property
    def covariance(self) -> Float[Array, "d d"] | None:
        """Column by column; None beyond `DENSE` entries."""
        return _columns(self.field.remainder, self.field.mean)

    def sample(self, key: Key, count: int) -> Images:
        """x + C Aᴴ S⁻¹ (y − A x − σ_y ξ)."""
        return _matheron(self.field, self.y, jax.random.split(key, count))


class StationaryField(Testbed):
    """The problem (m, p, A, σ_y).

    Args:
        mean: m.
        power: p ≥ 0, the variance of each coefficient of the unitary FFT, even in frequency; its mean is the variance
            of a pixel. `field_power` makes one.
        degradation: linear with Gaussian noise.
        system: `Circulant()` for blurs and reductions by blocks, `Iterative()` for masks and all else.

    Raises:
        ValueError: if the power does not fit the mean.
        TypeError: if the operator is not linear, the noise not Gaussian, or the system not for this operator.
    """

    mean: Image
    power: Float[Array, "h w 1"]
    degradation: Degradation
    system: System = Circulant()

    def __check_init__(self) -> None:
        if self.power.shape != (*self.mean.shape[:2], 1):
            raise ValueError(
                f"power has shape {self.power.shape}, expected {(*self.mean.shape[:2], 1)} "
                f"for a mean of shape {self.mean.shape}"
            )
        if not isinstance(self.degradation.operator, Linear):
            raise TypeError(
                f"the operator is {type(self.degradation.operator).__name__}, expected a linear one"
            )
        if not isinstance(self.degradation.noise, GaussianNoise):
            raise TypeError(
                f"the noise is {type(self.degradation.noise).__name__}, expected GaussianNoise"
            )
        self.system.check(self.degradation.operator, self._system, self.mean)

    @property
    def prior(self) -> FieldLaw:
        """N(m, F⁻¹ diag(p) F)."""
        return FieldLaw(self.mean, self.power)

    def correction(self, r: Measurement) -> Image:
        """C Aᴴ S⁻¹ r, from a residual of the measurement to a change of the image."""
        return self._smoothed(self.system.solve(self._system, r))

    def _smoothed(self, u: Measurement) -> Image:
        """C Aᴴ u."""
        return spectral_filter(self.power, self.degradation.operator.adjoint(u))

    def _system(self, u: Measurement) -> Measurement:
        """S u."""
        return self.degradation.operator(self._smoothed(u)) + self.degradation.noise.sigma**2 * u

    def remainder(self, u: Image) -> Image:
        """P u = C u − C Aᴴ S⁻¹ A C u."""
        smooth = spectral_filter(self.power, u)
        return smooth - self.correction(self.degradation.operator(smooth))

    def posterior(self, y: Measurement) -> FieldPosterior:
        """Its mean, deviation, covariance and draws."""
        return FieldPosterior(self, self.degradation.operator.clean(y))

    def given(self, z: Image, a: Scalar, sigma: Scalar) -> StationaryField:
        """m ← m + F⁻¹ a p/(a² p + σ²) F (z − a m), p ← p σ²/(a² p + σ²)."""
        gain, left = gaussian_given(self.power, a, sigma)
        mean = self.mean + spectral_filter(gain, z - a * self.mean)
        return StationaryField(mean, left, self.degradation, self.system)

    def denoiser(self, process: Process) -> SpectralGaussianDenoiser:
        """E[x0 | x_t].

        Raises:
            ValueError: on a process that moves towards y.
        """
        expect_uncoupled(self, process)
        return SpectralGaussianDenoiser(process, self.mean, self.power)


def field_power(side: int, *, scale: float = 3.0) -> Float[Array, "side side 1"]:
    """The spectrum (1 + |k|²/scale²)⁻² with a pixel variance of 1.

    Args:
        side: pixels on a side.
        scale: frequency, in cycles a side, below which the spectrum is flat; 3 looks like a soft photograph.
    """
    k = jnp.fft.fftfreq(side) * side
    power = (1 + (k[:, None] ** 2 + k[None, :] ** 2) / scale**2) ** -2
    return (power / jnp.mean(power))[..., None]


def _columns(apply: Any, like: Image) -> Float[Array, "d d"] | None:
    """The matrix of a linear map of images."""
    if like.size > DENSE:
        return None
    basis = jnp.eye(like.size, dtype=like.dtype).reshape(-1, *like.shape)
    return jax.vmap(apply)(basis).reshape(like.size, like.size)


@jax.jit
def _updated(field: StationaryField, x: Image, y: Measurement) -> Image:
    return x + field.correction(y - field.degradation.operator(x))


@jax.jit
def _matheron(field: StationaryField, y: Measurement, keys: Key) -> Images:
    def one(key: Key) -> Image:
        prior, noise = jax.random.split(key)
        x = field.prior.sample(prior, 1)[0]
        seen = field.degradation.operator.clean(field.degradation.sample(noise, x))
        return x + field.correction(y - seen)

    return jax.vmap(one)(keys)


@jax.jit
def _deviation(field: StationaryField) -> Image:
    cell = (*field.system.cell(field.degradation.operator), field.mean.shape[2])
    repeats = (field.mean.shape[0] // cell[0], field.mean.shape[1] // cell[1], 1)

    def variance(entry: Array) -> Scalar:
        here = jnp.unravel_index(entry, cell)
        return field.remainder(jnp.zeros_like(field.mean).at[here].set(1))[here]

    found = jax.lax.map(variance, jnp.arange(math.prod(cell)), batch_size=64)
    return jnp.sqrt(jnp.tile(found.reshape(cell), repeats))
