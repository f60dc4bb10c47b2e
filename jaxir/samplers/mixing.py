"""How many independent draws a Markov chain is worth."""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxir.typing import Image


def effective_sample_size(chains: Float[Array, "m n h w c"]) -> Image:
    """m n/τ for each entry of the image, with τ = 1 + 2 Σ_k ρ_k.

    ρ_k = 1 − (W − mean over chains of the autocovariance at lag k)/V, with W the mean variance within chains and V the
    variance that counts the distance between chains too, so that chains that disagree are worth little. The sum stops
    where two successive correlations no longer add to something positive, and does not let such pairs increase.

    Args:
        chains: m chains of n draws.

    Source: [geyer1992mcmc] Sec. 3.3; [vehtari2021rhat] Eqs. 10 and 11.
    """
    m, n = chains.shape[:2]
    centred = chains - jnp.mean(chains, axis=1, keepdims=True)
    power = jnp.abs(jnp.fft.rfft(centred, 2 * n, axis=1)) ** 2
    covariance = jnp.mean(jnp.fft.irfft(power, 2 * n, axis=1)[:, :n], axis=0) / n
    within = covariance[0] * n / (n - 1)
    between = jnp.var(jnp.mean(chains, axis=1), axis=0, ddof=1) if m > 1 else 0.0
    correlation = (1 - (within - covariance) / (covariance[0] + between)).at[0].set(1.0)
    pairs = correlation[: n - n % 2].reshape(n // 2, 2, *chains.shape[2:]).sum(axis=1)
    positive = jnp.cumprod(pairs > 0, axis=0)
    lowest = jnp.minimum.accumulate(pairs, axis=0)
    return m * n / (2 * jnp.sum(positive * lowest, axis=0) - 1)
