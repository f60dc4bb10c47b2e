"""Blur kernels by chance, as blind restoration is trained on: bells of six kinds, and a ringing low-pass.

A law is a value whose `draw` gives the parameters, and the parameters give the kernel. They are kept apart so
that what was drawn can be looked at, histogrammed or given to a network, and kernels of any size come on one
grid, with zeros around the smaller ones.
"""

from __future__ import annotations

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from jaxir.degradations.chance import between, pick, whole
from jaxir.typing import Key, Scalar

GRID = 21
"""Side of the grid of `RandomKernel`."""

SINC = 6
"""The kind that is no bell."""


class KernelDraw(NamedTuple):
    """The parameters of one kernel.

    Attributes:
        kind: 0 Gaussian, 2 generalised Gaussian, 4 plateau, each isotropic and, one more, anisotropic; 6 sinc.
        size: side in pixels, odd.
        widths: deviations along the two axes, in pixels.
        angle: of the first axis, in radians.
        power: β of the generalised kinds, 1 for Gaussians.
        cutoff: angular frequency of the sinc, in radians a pixel.
    """

    kind: Int[Array, ""]
    size: Int[Array, ""]
    widths: Float[Array, " 2"]
    angle: Scalar
    power: Scalar
    cutoff: Scalar

    def kernel(self, grid: int = GRID) -> Float[Array, "grid grid"]:
        """The kernel in the middle of a grid, with sum 1."""
        ringing = sinc_kernel(self.size, self.cutoff, grid)
        bell = bell_kernel(self.size, self.widths, self.angle, self.power, self.kind >= 4, grid)
        return jnp.where(self.kind == SINC, ringing, bell)


class RandomKernel(eqx.Module):
    """The law of a blur kernel of side 7, 9, …, 21 in Real-ESRGAN.

    Args:
        shares: probabilities of the six bells, in the order of `KernelDraw.kind`.
        sinc: probability of a sinc instead of a bell.
        widths: least and largest deviation, in pixels.
        powers: least and largest β of generalised Gaussians; half of them are below 1, half above.
        plateaus: those of plateaus.

    Source: [wang2021realesrgan] §3.2 and App. A; sinc Eq. 6.
    """

    shares: tuple[float, ...] = (0.45, 0.25, 0.12, 0.03, 0.12, 0.03)
    sinc: float = 0.1
    widths: tuple[float, float] = (0.2, 3.0)
    powers: tuple[float, float] = (0.5, 4.0)
    plateaus: tuple[float, float] = (1.0, 2.0)

    def draw(self, key: Key) -> KernelDraw:
        """The parameters of one kernel."""
        u = jax.random.uniform(key, (8,))
        bell = pick(u[0], self.shares)
        size = 2 * whole(u[2], 3, 10) + 1
        widths = between(u[3:5], *self.widths)
        anisotropic = bell % 2 == 1
        plateau = bell >= 4
        low, high = (
            jnp.where(plateau, *ends) for ends in zip(self.plateaus, self.powers, strict=True)
        )
        # one number for both: which side of 1, and where on it
        power = jnp.where(u[6] < 0.5, between(2 * u[6], low, 1.0), between(2 * u[6] - 1, 1.0, high))
        return KernelDraw(
            jnp.where(u[1] < self.sinc, SINC, bell),
            size,
            jnp.where(anisotropic, widths, widths[0]),
            jnp.where(anisotropic, between(u[5], -jnp.pi, jnp.pi), 0.0),
            jnp.where(bell < 2, 1.0, power),
            between(u[7], jnp.where(size < 13, jnp.pi / 3, jnp.pi / 5), jnp.pi),
        )


def bell_kernel(
    size: Int[Array, ""],
    widths: Float[Array, " 2"],
    angle: Scalar,
    power: float | Scalar = 1.0,
    plateau: bool | Bool[Array, ""] = False,
    grid: int = GRID,
) -> Float[Array, "grid grid"]:
    """exp(−½ q^β), or 1/(1 + q^β) for a plateau, with q = pᵀ Σ⁻¹ p; sum 1.

    Σ has the deviations `widths` along the axes turned by `angle`, counter-clockwise from the horizontal.
    """
    rows, columns = _offsets(grid)
    along = columns * jnp.cos(angle) - rows * jnp.sin(angle)
    across = columns * jnp.sin(angle) + rows * jnp.cos(angle)
    q = (along / widths[0]) ** 2 + (across / widths[1]) ** 2
    raised = jnp.where(q > 0, jnp.where(q > 0, q, 1.0) ** power, 0.0)
    return _cut(jnp.where(plateau, 1 / (1 + raised), jnp.exp(-raised / 2)), size)


def sinc_kernel(
    size: Int[Array, ""], cutoff: Scalar, grid: int = GRID
) -> Float[Array, "grid grid"]:
    """ω J₁(ω r)/(2π r), the ideal circular low-pass of angular frequency ω, cut to a square; sum 1.

    J₁(z) = 1/π ∫₀^π cos(τ − z sin τ) dτ by the midpoint rule, which is exact to rounding with 64 points for
    the z ≤ 45 that occur.
    """
    rows, columns = _offsets(grid)
    r = np.hypot(rows, columns)
    tau = (np.arange(64) + 0.5) * np.pi / 64
    j1 = jnp.mean(jnp.cos(tau - cutoff * r[..., None] * np.sin(tau)), -1)
    middle = cutoff**2 / (4 * jnp.pi)
    return _cut(jnp.where(r > 0, cutoff * j1 / (2 * np.pi * np.maximum(r, 1)), middle), size)


def identity_kernel(grid: int = GRID) -> Float[np.ndarray, "grid grid"]:
    """1 in the middle."""
    return np.pad(np.ones((1, 1)), grid // 2)


def _offsets(grid: int) -> tuple[np.ndarray, np.ndarray]:
    line = np.arange(grid) - grid // 2
    rows, columns = np.meshgrid(line, line, indexing="ij")
    return rows, columns


def _cut(kernel: Float[Array, "g g"], size: Int[Array, ""]) -> Float[Array, "g g"]:
    """Without what is outside a square of this side, and with sum 1."""
    rows, columns = _offsets(kernel.shape[0])
    kept = jnp.where(np.maximum(abs(rows), abs(columns)) <= size // 2, kernel, 0)
    return kept / jnp.sum(kept)
