"""A network that sees every y in the same light."""

from __future__ import annotations

import dataclasses

import jax.numpy as jnp

from jaxir.networks.network import Network
from jaxir.typing import Image, Key, Params, Scalar


@dataclasses.dataclass(frozen=True)
class Exposed:
    """inner(x, y′), v′ = u^(1/γ) m/mean(u^(1/γ)) of the intensities u of y: brightened to the mean m.

    In a dark photograph everything lies within a few grey levels of black, for each exposure at another place; a
    network that is given it brightened does not spend itself on that. The mean is over the whole image, so a tile has
    another than its image.

    Args:
        inner: a network that sees y.
        mean: m, in (0, 1).
        gamma: γ > 0; 2 opens the shadows.
    """

    inner: Network
    mean: float = 0.45
    gamma: float = 2.0

    def __post_init__(self) -> None:
        if not self.inner.sees_y:
            raise ValueError("inner does not see y: give it conditioning")
        if not (0 < self.mean < 1 and self.gamma > 0):
            raise ValueError(
                f"mean is {self.mean} and gamma {self.gamma}, expected a mean in (0, 1) and a positive gamma"
            )

    @property
    def out_channels(self) -> int:
        """Of the network within."""
        return self.inner.out_channels

    @property
    def stride(self) -> int:
        """Of the network within."""
        return self.inner.stride

    @property
    def sees_y(self) -> bool:
        """True."""
        return True

    def init(self, key: Key) -> Params:
        """New parameters of the network within."""
        return self.inner.init(key)

    def brightened(self, y: Image) -> Image:
        """y′."""
        bent = jnp.clip((y + 1) / 2, 0, None) ** (1 / self.gamma)
        return 2 * bent * self.mean / jnp.maximum(jnp.mean(bent), 1e-3) - 1

    def apply(self, params: Params, x: Image, condition: Scalar, y: Image | None = None) -> Image:
        """The output of the network within, which sees y′."""
        return self.inner.apply(params, x, condition, self.brightened(y))

    def size(self) -> int:
        """Number of parameters."""
        return self.inner.size()
