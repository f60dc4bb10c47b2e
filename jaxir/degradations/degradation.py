"""A degradation is an operator and a noise: it spoils an image, and says how likely a photo is given one."""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp

from jaxir.degradations.noise import GaussianNoise, Noise
from jaxir.degradations.operator import Operator, expect_shape
from jaxir.typing import Image, Key, Measurement, Scalar


class Degradation(eqx.Module):
    """p(y | x) = noise(y | A(x)); one object degrades and restores.

    Args:
        operator: A, from an image to the noise-free measurement.
        noise: the law of the measurement given that.

    Example:
        >>> shape = (64, 64, 3)
        >>> degradation = Degradation(bicubic_downsample(shape, 4), GaussianNoise(0.1))
        >>> y = degradation.sample(jax.random.key(0), jnp.zeros(shape))
        >>> y.shape
        (16, 16, 3)
    """

    operator: Operator
    noise: Noise

    def __call__(self, x: Image) -> Measurement:
        """A(x), the mean of y."""
        return self.operator(x)

    def sample(self, key: Key, x: Image) -> Measurement:
        """One draw of y given the clean image."""
        return self.noise.sample(key, self.operator(x))

    def log_prob(self, y: Measurement, x: Image) -> Scalar:
        """log p(y | x), which guidance differentiates with respect to `x`.

        Raises:
            ValueError: if `y` is not of the degradation's output shape, or `x` not of its input shape.
        """
        self.expect_measurement(y)
        return self.noise.log_prob(y, self.operator(x))

    def without_offset(self, y: Measurement) -> tuple[Degradation, Measurement]:
        """The same problem with a linear operator, where this one is A x + c: y − c = A x + n for y = A x + c + n.

        So that what needs a linear operator sees one. `restore` does this; who calls `sample` may, first thing.
        A noise that depends on the light would not be the same without c: only a Gaussian is taken apart, and
        everything else comes back as it is.

        Example:
            >>> hazy = Degradation(haze(depth, shape), GaussianNoise(0.1))
            >>> linear, rest = hazy.without_offset(y)
            >>> denoiser, sampler = diffpir(prior, linear)
        """
        linear = self.operator.linear_part
        if linear is None or linear is self.operator or not isinstance(self.noise, GaussianNoise):
            return self, y
        offset = self.operator(jnp.zeros(self.operator.shape, y.real.dtype))
        return Degradation(linear, self.noise), y - offset

    def expect_measurement(self, y: Measurement) -> None:
        """Raise a ValueError, at trace time, unless `y` has the shape of the degradation's output."""
        if y is None:
            raise ValueError("y is None but guidance needs the measurement: pass y=...")
        shape = self.operator.output_shape
        smaller = len(shape) == 3 and y.shape == self.operator.shape and shape[0] < y.shape[0]
        advice = (
            "pass the low-resolution image" if smaller else "pass what this degradation returns"
        )
        expect_shape("y", y, shape, "the degradation's output", advice)
