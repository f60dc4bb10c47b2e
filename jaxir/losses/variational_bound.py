"""The variational bound: how many nats a chain of ancestral steps needs for an image, as an upper bound of −log p.

    −log p(x0) ≤ KL(q(x_T | x0) ‖ p(x_T)) + Σ KL(q(x_s | x_t, x0) ‖ p(x_s | x_t)) + E[−log p(x0 | x_1)]

For the natural posterior of any process with its own variance a term of the sum is ½ (SNR_s − SNR_t) ‖x0 − D(x_t)‖²,
SNR = a²/σ²: process and grid enter through the log-SNR alone. As the steps become many the sum becomes an integral over
SNR, which needs no grid, only its ends. The last term is a law of x0 itself: a density, or the probability of integers.
"""

from __future__ import annotations

import abc
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxir.denoisers import Denoiser
from jaxir.gaussian import Gaussian
from jaxir.processes import Process
from jaxir.typing import Image, Key, Scalar, Times


class Decoder(eqx.Module):
    """The law of a clean image given its estimate at the last time."""

    @abc.abstractmethod
    def log_prob(self, x0: Image, mean: Image, std: Scalar) -> Scalar:
        """log p(x0 | x_1), summed over entries; `std` is that of the last step."""


class GaussianDecoder(Decoder):
    """The density of N(D, σ² I), in units of [-1, 1].

    Source: [ho2020ddpm] Sec. 3.3, without its integers.
    """

    def log_prob(self, x0: Image, mean: Image, std: Scalar) -> Scalar:
        """The log density."""
        return Gaussian(mean, std).log_prob(x0)


class IntegerDecoder(Decoder):
    """The mass that N(D, σ² I) has in the bin of each grey level; the outer bins go on to infinity.

    Args:
        levels: number of grey levels in [-1, 1].

    Source: [ho2020ddpm] Eq. 13.
    """

    levels: int = eqx.field(static=True, default=256)

    def log_prob(self, x0: Image, mean: Image, std: Scalar) -> Scalar:
        """log(Φ(high) − Φ(low)), on the side of the mean where the difference does not cancel."""
        half = 1 / (self.levels - 1)
        low = jnp.where(x0 <= -1 + half, -jnp.inf, (x0 - half - mean) / std)
        high = jnp.where(x0 >= 1 - half, jnp.inf, (x0 + half - mean) / std)
        low, high = jnp.where(low > 0, -high, low), jnp.where(low > 0, -low, high)
        below, above = jax.scipy.special.log_ndtr(jnp.stack([low, high]))
        return jnp.sum(above + jnp.log1p(-jnp.exp(below - above)))


class Bound(NamedTuple):
    """The three parts of the bound, in nats; `jaxir.metrics.bits_per_dimension(-bound.total, size)` for bits.

    Attributes:
        prior: KL of the law at the first time from N(b y, σ² I).
        steps: the KL of each step, or the share of each draw of ℓ.
        reconstruction: −log p(x0 | x_1).
    """

    prior: Scalar
    steps: Float[Array, " n"]
    reconstruction: Scalar

    @property
    def total(self) -> Scalar:
        """−log p(x0) on the average over the key is at most this."""
        return self.prior + jnp.sum(self.steps) + self.reconstruction


def step_weight(process: Process, t: Scalar, s: Scalar) -> Scalar:
    """½ (SNR_s − SNR_t), the factor on ‖x0 − D(x_t)‖² in the KL of the step from t to s.

    On ‖ε − ε̂‖² it is ½ (SNR_s/SNR_t − 1), which for DDPM is β_t/(2 α_t (1 − ᾱ_{t−1})).

    Source: [kingma2021vdm]; [luo2024taming] Eq. 11.
    """
    now, then = process.log_snr(t), process.log_snr(s)
    return -0.5 * jnp.exp(2 * then) * jnp.expm1(2 * (now - then))


def variational_bound(
    key: Key,
    denoiser: Denoiser,
    x0: Image,
    times: Times,
    y: Array | None = None,
    *,
    decoder: Decoder = GaussianDecoder(),
) -> Bound:
    """The bound of one image for ancestral steps along a grid, by one draw of x_t at each time.

    Args:
        key: for the draws.
        denoiser: D(x, t, y).
        x0: an image.
        times: decreasing; the law at the first is taken to be N(b y, σ² I).
        y: the measurement, for a bound of −log p(x0 | y).
        decoder: the law of x0 at the last time.

    Source: [sohldickstein2015deep]; [ho2020ddpm] Eq. 5; [luo2024taming] Eq. 7.
    """

    def step(i: Scalar) -> Scalar:
        error = _error(jax.random.fold_in(key, i), denoiser, x0, times[i], y)
        return step_weight(denoiser.process, times[i], times[i + 1]) * error

    steps = jax.lax.map(step, jnp.arange(len(times) - 1))
    return _bound(jax.random.fold_in(key, len(times)), denoiser, x0, times, y, steps, decoder)


def continuous_bound(
    key: Key,
    denoiser: Denoiser,
    x0: Image,
    times: Times,
    y: Array | None = None,
    *,
    draws: int = 64,
    decoder: Decoder = GaussianDecoder(),
) -> Bound:
    """The bound of one image in the limit of many steps: ∫ e^{2ℓ} ‖x0 − D‖² dℓ between the ends of `times`.

    Args:
        key: for the draws.
        denoiser: D(x, t, y).
        x0: an image.
        times: decreasing, of which the ends are used.
        y: the measurement.
        draws: how many ℓ, one in each of as many equal strata.
        decoder: the law of x0 at the last time.

    Source: [kingma2021vdm].
    """
    first, last = denoiser.process.log_snr(times[jnp.array([0, -1])])

    def share(i: Scalar) -> Scalar:
        place, noise = jax.random.split(jax.random.fold_in(key, i))
        ell = first + (last - first) * (i + jax.random.uniform(place, dtype=first.dtype)) / draws
        error = _error(noise, denoiser, x0, denoiser.process.time(ell), y)
        return (last - first) / draws * jnp.exp(2 * ell) * error

    steps = jax.lax.map(share, jnp.arange(draws))
    return _bound(jax.random.fold_in(key, draws), denoiser, x0, times, y, steps, decoder)


def _error(key: Key, denoiser: Denoiser, x0: Image, t: Scalar, y: Array | None) -> Scalar:
    """‖x0 − D(x_t)‖² at one draw."""
    x = denoiser.process.marginal(x0, t, y).sample(key)
    return jnp.sum((x0 - denoiser(x, t, y)) ** 2)


def _bound(
    key: Key,
    denoiser: Denoiser,
    x0: Image,
    times: Times,
    y: Array | None,
    steps: Float[Array, " n"],
    decoder: Decoder,
) -> Bound:
    """The steps with the two ends: KL(N(a x0 + b y, σ²) ‖ N(b y, σ²)) = a² ‖x0‖²/(2 σ²), and the decoder."""
    process = denoiser.process
    prior = 0.5 * jnp.exp(2 * process.log_snr(times[0])) * jnp.sum(x0**2)
    x = process.marginal(x0, times[-1], y).sample(key)
    std = process.coefficients(times[-1]).sigma
    log_prob = decoder.log_prob(x0, denoiser(x, times[-1], y), std)
    return Bound(prior, steps, -log_prob)
