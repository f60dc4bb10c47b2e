"""An operator of few rows by its singular value decomposition, in a full basis that is never written down.

V has m columns of length d, and who works coordinate by coordinate asks for all d. With the decomposition
V₁ = P cos(θ) Wᵀ of its first m rows, θ are the angles between the space of V and that of the first m axes, and

    Q = I − Y (1 + cos θ)⁻¹ Yᵀ,    Y = V W + E P,    E the first m columns of the identity,

the reflection at what is orthogonal to their bisectors, takes E to −V W Pᵀ. So B = Q diag(−P Wᵀ, I) is orthogonal and
begins with V: m products of length d instead of d, and no division by less than 1.
"""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxir.degradations import Spectral
from jaxir.typing import Image


class LowRank(Spectral):
    """y = U diag(s) Vᵀ x, a vector.

    Args:
        left: U, orthogonal.
        values: s > 0.
        right: V, with orthonormal columns, at most as many as rows.
        shape: of the image, of as many entries as V has rows.
    """

    left: Float[Array, "m m"]
    values: Float[Array, " m"]
    right: Float[Array, "d m"]
    shape: tuple[int, int, int] = eqx.field(static=True)

    def apply(self, x: Image) -> Float[Array, " m"]:
        """U (s Vᵀ x)."""
        left, values, right = (f.astype(x.dtype) for f in (self.left, self.values, self.right))
        with jax.default_matmul_precision("highest"):
            return left @ (values * (right.T @ x.ravel()))

    @property
    def spectrum(self) -> Float[Array, "h w c"]:
        """The values, then zeros."""
        unseen = len(self.right) - len(self.values)
        return jnp.pad(self.values, (0, unseen)).reshape(self.shape)

    def analyse(self, x: Image) -> Float[Array, "h w c"]:
        """Bᵀ x, which begins with Vᵀ x."""
        m, (axes, share, turn) = len(self.values), self._basis(x)
        with jax.default_matmul_precision("highest"):
            c = x.ravel() - axes @ (share * (axes.T @ x.ravel()))
            return c.at[:m].set(turn.T @ c[:m]).reshape(self.shape)

    def synthesise(self, coordinates: Float[Array, "h w c"]) -> Image:
        """B c."""
        m, (axes, share, turn) = len(self.values), self._basis(coordinates)
        c = coordinates.ravel()
        with jax.default_matmul_precision("highest"):
            c = c.at[:m].set(turn @ c[:m])
            return (c - axes @ (share * (axes.T @ c))).reshape(self.shape)

    def _basis(self, like: Array) -> tuple[Array, Array, Array]:
        """Y, 1/(1 + cos θ) and −P Wᵀ."""
        right = self.right.astype(like.dtype)
        p, cosines, wt = jnp.linalg.svd(right[: len(self.values)])
        with jax.default_matmul_precision("highest"):
            axes = (right @ wt.T).at[: len(self.values)].add(p)
            return axes, 1 / (1 + cosines), -p @ wt
