"""The features of a noise level: sines and cosines of it, at frequencies that are fixed or drawn once."""

from __future__ import annotations

import dataclasses
from typing import Protocol

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxir.typing import Scalar


class Waves(Protocol):
    """A number to a vector, inside a Linen module."""

    def of(self, condition: Scalar, name: str) -> Float[Array, " d"]:
        """The features; what is learnt or drawn is kept under `name`."""
        ...


@dataclasses.dataclass(frozen=True)
class Sinusoids(Waves):
    """cos and sin of condition · period^{−i/(n − last)}, i = 0 ... n − 1.

    Args:
        features: 2n, even.
        period: the longest wave over 2π.
        last: 1 where the slowest frequency is 1/period itself, 0 where it stops one short.
        sine_first: whether the sines come before the cosines.

    Source: [vaswani2017attention] Sec. 3.5; [ho2020ddpm].
    """

    features: int = 128
    period: float = 10000.0
    last: int = 0
    sine_first: bool = False

    def of(self, condition: Scalar, name: str) -> Float[Array, " d"]:
        """The features, float32."""
        half = self.features // 2
        power = jnp.arange(half, dtype=jnp.float32) / (half - self.last)
        phase = condition * jnp.exp(-jnp.log(self.period) * power)
        waves = [jnp.cos(phase), jnp.sin(phase)]
        return jnp.concatenate(waves[::-1] if self.sine_first else waves)


@dataclasses.dataclass(frozen=True)
class GaussianWaves(Waves):
    """sin and cos of 2π f · condition at frequencies f that were drawn once and stay.

    Args:
        features: 2n, even.
        scale: deviation of the frequencies.

    Source: [tancik2020fourier] Eq. 5; [song2021score] (NCSN++).
    """

    features: int = 256
    scale: float = 16.0

    def of(self, condition: Scalar, name: str) -> Float[Array, " d"]:
        """The features, float32."""
        return _GaussianWaves(self, name=name)(condition)


class _GaussianWaves(nn.Module):
    config: GaussianWaves

    @nn.compact
    def __call__(self, condition: Array) -> Array:
        half, initial = self.config.features // 2, nn.initializers.normal(self.config.scale)
        drawn = jax.lax.stop_gradient(self.param("frequencies", initial, (half,)))
        phase = 2 * jnp.pi * drawn * condition
        return jnp.concatenate([jnp.sin(phase), jnp.cos(phase)])
