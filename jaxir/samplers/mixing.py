"""Whether Markov chains agree, and how many independent draws they are worth; particles of one run are a chain too.

Where nothing varies, a pixel that is known, there is nothing to disagree about.
"""

from __future__ import annotations

import math

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from jaxir.typing import Image


def r_hat(chains: Float[Array, "m n h w c"]) -> Image:
    """√(V/W) for each entry of the image, 1 for chains that agree: split R̂.

    Each chain is cut into halves, so that one that drifts disagrees with itself. W is the mean variance within the 2m
    halves of n/2 draws, V = (1 − 2/n) W + the variance of their means.

    Args:
        chains: m chains of n draws.

    Raises:
        ValueError: if the halves are too short for a variance.

    Source: [gelman1992inference]; [vehtari2021rhat] for the halves.
    """
    half = chains.shape[1] // 2
    if half < 2:
        raise ValueError(
            f"R̂ needs chains of 4 draws or more, got {chains.shape[1]}: independent draws have none"
        )
    halves = jnp.concatenate([chains[:, :half], chains[:, -half:]])
    within = jnp.mean(jnp.var(halves, axis=1, ddof=1), axis=0)
    between = jnp.var(jnp.mean(halves, axis=1), axis=0, ddof=1)
    return jnp.where(_varies(chains), jnp.sqrt(1 - 1 / half + between / within), 1.0)


def effective_sample_size(chains: Float[Array, "m n h w c"]) -> Image:
    """m n/τ for each entry of the image, with τ = 1 + 2 Σ_k ρ_k.

    ρ_k = 1 − (W − mean over chains of the autocovariance at lag k)/V, with W the mean variance within chains and V the
    variance that counts the distance between chains too, so that chains that disagree are worth little. The sum stops
    where two successive correlations no longer add to something positive, the first two left aside, and does not let
    such pairs increase. Short chains have too little of them to tell draws that repel each other from chance: they are
    never worth more than m n log₁₀(m n), nor are less than ten of them worth more than their number.

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
    correlation = 1 - (within - covariance) / (covariance[0] + between)
    correlation = jnp.where(_varies(chains), correlation, 0.0).at[0].set(1.0)
    pairs = correlation[: n - n % 2].reshape(n // 2, 2, *chains.shape[2:]).sum(axis=1)
    positive = jnp.cumprod(pairs > 0, axis=0).at[0].set(1)
    lowest = jnp.minimum.accumulate(pairs, axis=0)
    tau = 2 * jnp.sum(positive * lowest, axis=0) - 1
    return m * n / jnp.maximum(tau, 1 / max(1.0, math.log10(m * n)))


def _varies(chains: Float[Array, "m n h w c"]) -> Bool[Array, "h w c"]:
    return jnp.any(chains != chains[:1, :1], axis=(0, 1))
