"""What a network is shown of y: not y as it is, but what a second network, a guide, has made of it.

A network takes y as an image of the size of x. What helps it may be something else: features that can be read off at
any ratio of sizes, an outline at several scales, one vector for the whole. A guide makes that, at the size that is
asked for, and the conditioning of the network within says by which door it comes in: `Concatenation` by the entrance,
`CrossAttention` by the bottleneck, `Modulation` by the embedding. So guides, doors and networks are chosen apart.
"""

from __future__ import annotations

import dataclasses
from typing import Protocol

import jax
import jax.numpy as jnp

from jaxir.networks.network import Network, count
from jaxir.typing import Image, Key, Params, Scalar


class Guide(Protocol):
    """y, of any size, to an image of a size that is asked for; weights as those of a `Network`."""

    @property
    def channels(self) -> int:
        """Channels of what it makes."""
        ...

    def init(self, key: Key) -> Params:
        """New parameters, float32."""
        ...

    def apply(self, params: Params, y: Image, size: tuple[int, int]) -> Image:
        """What the network is shown, (*size, channels)."""
        ...


@dataclasses.dataclass(frozen=True)
class Guided:
    """inner(x, t, guide(y, size of x)); both are trained together, by whatever trains a network.

    Args:
        inner: a network that sees an image of as many channels as the guide makes.
        guide: what looks at y, which may have another size than x.
    """

    inner: Network
    guide: Guide

    def __post_init__(self) -> None:
        if not self.inner.sees_y:
            raise ValueError(
                "inner does not see y: give it conditioning, through which the guide's channels come in"
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
        """New parameters of both."""
        first, second = jax.random.split(key)
        return {"guide": self.guide.init(first), "inner": self.inner.init(second)}

    def apply(self, params: Params, x: Image, condition: Scalar, y: Image | None = None) -> Image:
        """The output of the network within, which is shown what the guide makes of y."""
        height, width, _ = x.shape
        shown = self.guide.apply(params["guide"], y, (height, width))
        return self.inner.apply(params["inner"], x, condition, shown)

    def size(self) -> int:
        """Number of parameters of both."""
        return count(self.init)


@dataclasses.dataclass(frozen=True)
class Beside:
    """What several guides make of the same y, as channels beside each other.

    Args:
        guides: at least one.
    """

    guides: tuple[Guide, ...]

    def __post_init__(self) -> None:
        if not self.guides:
            raise ValueError("guides is empty, expected at least one")

    @property
    def channels(self) -> int:
        """Of all together."""
        return sum(guide.channels for guide in self.guides)

    def init(self, key: Key) -> Params:
        """New parameters of each, by its number."""
        keys = jax.random.split(key, len(self.guides))
        return {str(i): guide.init(keys[i]) for i, guide in enumerate(self.guides)}

    def apply(self, params: Params, y: Image, size: tuple[int, int]) -> Image:
        """The first one's channels first."""
        made = [guide.apply(params[str(i)], y, size) for i, guide in enumerate(self.guides)]
        return jnp.concatenate(made, axis=-1)
