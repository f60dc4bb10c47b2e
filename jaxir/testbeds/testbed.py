"""What a problem whose posterior is known has to offer, so that one loop judges any method on any of them.

A bed is closed under observation: seeing z = a x0 + σ ε leaves a bed of the same kind, in which a Gaussian has another
mean and covariance and a mixture other weights as well. So whoever writes `given` and `posterior` has written the
denoiser that sees y, E[x0 | x_t, y] = E[x0 | y] in the bed that is left, for every process at once.
"""

# No `from __future__ import annotations` here: equinox knows AbstractVar only where it is not a string.

import abc
from typing import ClassVar, Protocol

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxir.degradations import Degradation, Linear
from jaxir.denoisers import Denoiser, Estimate
from jaxir.processes import AsItIs, Process
from jaxir.typing import Image, Images, Key, Measurement, Scalar


class Law(Protocol):
    """A law of images that is known exactly."""

    @property
    def mean(self) -> Image:
        """The mean."""

    @property
    def std(self) -> Image:
        """The standard deviation of each pixel."""

    @property
    def covariance(self) -> Float[Array, "d d"] | None:
        """Of the flattened image; None where it is too large to be written down or the law has no density."""

    def sample(self, key: Key, count: int) -> Images:
        """`count` independent draws."""


class Testbed(eqx.Module):
    """A law of clean images and how they are degraded, with everything that follows in closed form.

    Attributes:
        degradation: p(y | x0).
    """

    __test__: ClassVar[bool] = False  # or pytest takes it for a class of tests
    degradation: eqx.AbstractVar[Degradation]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of the clean image."""
        height, width, channels = self.degradation.operator.shape
        return height, width, channels

    @property
    @abc.abstractmethod
    def prior(self) -> Law:
        """The law of x0."""

    @abc.abstractmethod
    def posterior(self, y: Measurement) -> Law:
        """The law of x0 given y."""

    @abc.abstractmethod
    def given(self, z: Image, a: Scalar, sigma: Scalar) -> "Testbed":
        """The bed that is left when z = a x0 + σ ε has been seen: x0 has its law given z, y is as it was.

        All of it where a and σ are both 0, x0 alone where only σ is.
        """

    @abc.abstractmethod
    def denoiser(self, process: Process) -> Denoiser:
        """E[x0 | x_t], which guidance bends; it does not see y.

        Raises:
            ValueError: on a process that moves towards y, where the bed does not know it.
        """

    def conditional(self, process: Process) -> Denoiser:
        """E[x0 | x_t, y] on any process."""
        return Conditional(process, self)

    def draw(self, key: Key) -> tuple[Image, Measurement]:
        """A clean image and its measurement."""
        prior, noise = jax.random.split(key)
        x0 = self.prior.sample(prior, 1)[0]
        return x0, self.degradation.sample(noise, x0)

    def likelihood_score(self, process: Process, x: Image, t: Scalar, y: Measurement) -> Image:
        """∇ₓ log p(y | x_t) = (a/σ²)(E[x0 | x_t, y] − E[x0 | x_t]), what guidance approximates.

        Where σ is 0 it is that of the likelihood itself, at x0 = x/a.

        Raises:
            ValueError: on a process that moves towards y, whose state holds it already.

        Source: [efron2011tweedie] for both means.
        """
        if process.coupled:
            raise ValueError(
                f"process is {type(process).__name__}, whose state holds y already, expected one that ends in noise: "
                "pass VP() or VE()"
            )
        a, _, sigma = process.coefficients(t)
        noisy = sigma > 0
        gap = self.conditional(process)(x, t, y) - self.denoiser(process)(x, t)
        clean = jax.grad(lambda x: self.degradation.log_prob(y, x / a))(x)
        return jnp.where(noisy, a / jnp.where(noisy, sigma, 1) ** 2 * gap, clean)

    @property
    def lift(self) -> "AsItIs | PseudoInverse":
        """y as an image of the clean one's shape, for the processes that move towards it."""
        operator = self.degradation.operator
        same = operator.output_shape == self.shape or not isinstance(operator, Linear)
        return AsItIs() if same else PseudoInverse(operator)


class Conditional(Denoiser):
    """E[x0 | x_t, y] = E[x0 | y] in the bed that is left when x_t − b y = a x0 + σ ε has been seen."""

    process: Process
    bed: Testbed

    @property
    def sees_y(self) -> bool:
        """True."""
        return True

    def estimate(self, x: Image, t: Scalar, y: Measurement | None = None) -> Estimate:
        """The exact posterior mean."""
        a, _, sigma = self.process.coefficients(t)
        left = self.bed.given(x - self.process.centre(t, y), a, sigma)
        return Estimate(left.posterior(y).mean)


class PseudoInverse(eqx.Module):
    """y ↦ A⁺ y, the least image that explains a measurement of another shape."""

    operator: Linear

    def __call__(self, y: Measurement) -> Image:
        """A⁺ y."""
        return self.operator.pinv(y)


def expect_uncoupled(bed: Testbed, process: Process) -> None:
    """Refuse a process whose state holds y, where E[x0 | x_t] is not that of the prior alone.

    Raises:
        ValueError: if it is coupled.
    """
    if process.coupled:
        raise ValueError(
            f"{type(process).__name__} moves towards the degraded image, and {type(bed).__name__} knows no "
            "E[x0 | x_t] on it: use conditional(process), which sees y"
        )
