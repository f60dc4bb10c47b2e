"""Denoising score matching: one regression, several weights.

Every common objective is E w(t) ‖x̂0 − x0‖² with its own w and its own law of t; the prediction row only decides
which w is plain mean squared error on the network's output. A weighting below is a factor on ‖x̂0 − x0‖², so that
any of them goes with any row.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, runtime_checkable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool

from jaxir.denoisers import NetworkDenoiser
from jaxir.typing import Image, Key, Scalar

Objective = Callable[[Key, NetworkDenoiser, Image, Scalar, Image | None], Scalar]
"""(key, denoiser, x0, t, y) -> the loss of one image; `matching_loss` is one."""

Weighting = Callable[[NetworkDenoiser, Scalar], Scalar]
"""(denoiser, t) -> factor on ‖x̂0 − x0‖²."""


@runtime_checkable
class Following(Protocol):
    """An objective that holds the weights to their own average, and so is another one at each training step."""

    def following(self, average: NetworkDenoiser) -> Objective:
        """The objective of a step, given the denoiser with the averaged weights."""
        ...


def output_weight(denoiser: NetworkDenoiser, t: Scalar) -> Scalar:
    """Plain mean squared error on the network's output, whatever its row: w = ((a v − σ u)/σ)²."""
    a, _, sigma = denoiser.process.coefficients(t)
    u, v, _ = denoiser.prediction.row(denoiser.process, t)
    return ((a * v - sigma * u) / sigma) ** 2


def simple_weight(denoiser: NetworkDenoiser, t: Scalar) -> Scalar:
    """L_simple, mean squared error on the noise: w = a²/σ².

    Source: [ho2020ddpm] Eq. 14.
    """
    return jnp.exp(2 * denoiser.process.log_snr(t))


def vlb_weight(denoiser: NetworkDenoiser, t: Scalar) -> Scalar:
    """The variational bound in continuous time, for t uniform: w = −½ d(a²/σ²)/dt = −ℓ' a²/σ².

    Source: [kingma2021vdm] Eq. 17; Eq. 11 of [luo2024taming] is its discrete form.
    """
    ell, slope = jax.jvp(denoiser.process.log_snr, (t,), (jnp.ones_like(t),))
    return -slope * jnp.exp(2 * ell)


def min_snr_weight(denoiser: NetworkDenoiser, t: Scalar, *, gamma: float = 5.0) -> Scalar:
    """min(a²/σ², γ).

    Source: [hang2023minsnr] Sec. 3.4, with γ = 5.
    """
    return jnp.minimum(simple_weight(denoiser, t), gamma)


def edm_weight(denoiser: NetworkDenoiser, t: Scalar) -> Scalar:
    """(σ̂² + σ_d²)/(σ̂ σ_d)² = a²/σ² + 1/σ_d²: uniform loss on EDM's F.

    Source: [karras2022edm] Table 1.
    """
    return simple_weight(denoiser, t) + 1 / denoiser.data_std**2


def uniform_weight(denoiser: NetworkDenoiser, t: Scalar) -> Scalar:
    """The error of the clean image itself: w = 1."""
    return jnp.ones_like(t)


def truncated_snr_weight(denoiser: NetworkDenoiser, t: Scalar) -> Scalar:
    """The larger of the errors of the clean image and of the noise: w = max(a²/σ², 1).

    Of few steps the first is taken from pure noise, where the error of the noise alone would count for nothing. The
    other weight of the paper, a²/σ² + 1, is `output_weight` of `AngleVelocity`.

    Source: [salimans2022distillation] Sec. 4 (truncated SNR weighting).
    """
    return jnp.maximum(simple_weight(denoiser, t), 1)


def matching_loss(
    key: Key,
    denoiser: NetworkDenoiser,
    x0: Image,
    t: Scalar,
    y: Image | None = None,
    *,
    weighting: Weighting = output_weight,
    power: float = 2,
    where: Callable[[Image], Bool[Array, ...]] | None = None,
) -> Scalar:
    """Mean over pixels of |√w(t) (x̂0 − x0)|^p at x_t = a x0 + b y + σ ε, for one image.

    It is computed on the network's output, as |√(w/w_output) (p − target)|^p, where nothing divides by a small σ.

    Args:
        key: for ε.
        denoiser: a network denoiser; its `params` are what is learnt.
        x0: clean image.
        t: time, drawn outside so that a batch can be stratified.
        y: degraded image, for a coupled process or a network that sees it.
        weighting: w, the factor on ‖x̂0 − x0‖².
        power: p. Its minimiser is E[x0 | x_t, y] for 2; for 1 it is a median, which is not a score.
        where: from y to the pixels that count; all by default.

    Source: [ho2020ddpm] Algorithm 1; [vincent2011dsm] Eq. 11; [saharia2023sr3] for p = 1; [saharia2022palette] for
        the loss on missing pixels alone.
    """
    process = denoiser.process
    eps = jax.random.normal(key, x0.shape, x0.dtype)
    x = process.marginal(x0, t, y).mean + process.coefficients(t).sigma * eps
    target = denoiser.prediction.target(process, x0, eps, t, y)
    counted = None if where is None else where(y)
    error = jnp.mean(jnp.abs(denoiser.output(x, t, y) - target) ** power, where=counted)
    return (weighting(denoiser, t) / output_weight(denoiser, t)) ** (power / 2) * error
