"""Noise that replaces a value altogether, by chance: dead and hot pixels, lost packets.

What is not replaced gets a Gaussian noise, since without it a value that is kept has no density; with σ = 0
both can be drawn but not evaluated, as a Gaussian of no width.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax.scipy.stats import norm

from jaxir import expect
from jaxir.degradations.noise import Noise
from jaxir.typing import Image, Key, Scalar


class ImpulseNoise(Noise):
    """y is uniform on [-1, 1] with probability p, else mean + σ z: random-valued impulses.

    Args:
        share: p in [0, 1], of each number by itself.
        sigma: σ ≥ 0 of the others, in units of [-1, 1].

    Raises:
        ValueError: if `share` is no probability.
    """

    share: float | Scalar
    sigma: float | Scalar = 0.0

    def __check_init__(self):
        expect.share("share", self.share)

    def sample(self, key: Key, mean: Image) -> Image:
        """Replace some values."""
        return _replaced(key, mean, self.share, self.sigma, lambda u: 2 * u - 1)

    def log_prob(self, y: Image, mean: Image) -> Scalar:
        """Σ log(p/2 [|y| ≤ 1] + (1 − p) N(y; mean, σ²))."""
        replaced = jnp.where(jnp.abs(y) <= 1, jnp.log(self.share / 2), -jnp.inf)
        kept = jnp.log1p(-self.share) + norm.logpdf(y, mean, self.sigma)
        return jnp.sum(jnp.logaddexp(replaced, kept))

    def std(self, mean: Image) -> Image:
        """√(p (mean² + ⅓) + (1 − p) σ²)."""
        return jnp.sqrt(self.share * (mean**2 + 1 / 3) + (1 - self.share) * self.sigma**2)


class SaltAndPepperNoise(Noise):
    """y is 1 or −1 with probability p/2 each, else mean + σ z.

    Args:
        share: p in [0, 1], of each number by itself.
        sigma: σ ≥ 0 of the others, in units of [-1, 1].

    Raises:
        ValueError: if `share` is no probability.
    """

    share: float | Scalar
    sigma: float | Scalar = 0.0

    def __check_init__(self):
        expect.share("share", self.share)

    def sample(self, key: Key, mean: Image) -> Image:
        """Replace some values."""
        return _replaced(key, mean, self.share, self.sigma, lambda u: jnp.where(u < 0.5, -1.0, 1.0))

    def log_prob(self, y: Image, mean: Image) -> Scalar:
        """Σ log(p/2) where y is exactly ±1, log((1 − p) N(y; mean, σ²)) elsewhere.

        A density with respect to lengths in between and to counts at the two ends, which tell nothing of the
        image: the derivative is 0 there.
        """
        kept = jnp.log1p(-self.share) + norm.logpdf(y, mean, self.sigma)
        return jnp.sum(jnp.where(jnp.abs(y) == 1, jnp.log(self.share / 2), kept))

    def std(self, mean: Image) -> Image:
        """√(p (mean² + 1) + (1 − p) σ²)."""
        return jnp.sqrt(self.share * (mean**2 + 1) + (1 - self.share) * self.sigma**2)


def _replaced(key: Key, mean: Image, share, sigma, value) -> Image:
    """`value` of a uniform number where chance says so, else a noisy mean."""
    choosing, drawing, adding = jax.random.split(key, 3)
    chosen = jax.random.bernoulli(choosing, share, mean.shape)
    new = value(jax.random.uniform(drawing, mean.shape, mean.dtype)).astype(mean.dtype)
    return jnp.where(chosen, new, mean + sigma * jax.random.normal(adding, mean.shape, mean.dtype))
