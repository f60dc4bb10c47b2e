"""Features of the degraded image for a decoder that was trained without them, by a dial.

A latent loses detail that the degraded image still has. The autoencoder is left as it is and knows nothing of this: its
levels have names, and Flax's interceptors see what comes out of a module of that name and may give something else.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array

from jaxir.networks.autoencoder import Hidden
from jaxir.networks.convolution import Conv
from jaxir.networks.pyramid_autoencoder import PyramidAutoencoder
from jaxir.typing import Image, Key, Params, Scalar


@dataclasses.dataclass(frozen=True)
class Wrapping:
    """Each level of the decoder, dec + w Fuse(enc, dec), with enc of the encoder's level on the degraded image.

    w = 0 is the decoder as it was trained and w = 1 what Fuse is trained with; between them a user chooses. Fuse is
    three convolutions of both side by side, the last zero at first.

    Args:
        network: the autoencoder; its weights stay its own.
        features: channels between the convolutions.

    Source: [wang2024stablesr] (controllable feature wrapping).
    """

    network: PyramidAutoencoder
    features: int = 32

    def init(self, key: Key) -> Params:
        """New parameters of Fuse, for each level."""
        params = {}
        for level, width in enumerate(self.network.widths):
            h = jnp.zeros((1, 1, width))
            new = self._fuse(width).init(jax.random.fold_in(key, level), h, h)
            params[f"level_{level}"] = new["params"]
        return params

    def hidden(self, autoencoder: Params, y: Image) -> Hidden:
        """enc of each level, finest first.

        Args:
            autoencoder: its parameters.
            y: the degraded image; the stride divides its sides.
        """
        found: dict[int, Array] = {}

        def keep(level: int, h: Array) -> Array:
            found[level] = h
            return h

        with nn.intercept_methods(_at_levels(keep)):
            self.network.encode(autoencoder, y)
        return tuple(found[level] for level in sorted(found))

    def decode(
        self, params: Params, autoencoder: Params, z: Image, hidden: Hidden, weight: float | Scalar
    ) -> Image:
        """The image of a latent.

        Args:
            params: of Fuse.
            autoencoder: those of the autoencoder.
            z: the latent.
            hidden: of the degraded image.
            weight: w.
        """

        def fuse(level: int, h: Array) -> Array:
            layers = self._fuse(h.shape[-1])
            rest = layers.apply({"params": params[f"level_{level}"]}, hidden[level], h)
            return h + weight * jnp.asarray(rest)

        with nn.intercept_methods(_at_levels(fuse)):
            return self.network.decode(autoencoder, z)

    def _fuse(self, width: int) -> nn.Module:
        return _Fuse(self.features, width)


def _at_levels(meet: Callable[[int, Array], Array]) -> Callable[..., Any]:
    """An interceptor that replaces what a level gives, h, by meet(level, h)."""

    def interceptor(
        call: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        context: nn.module.InterceptorContext,
    ) -> Any:
        out = call(*args, **kwargs)
        kind, _, level = "/".join(context.module.path).rpartition("_")
        if kind == "level" and context.method_name == "__call__":
            return meet(int(level), out)
        return out

    return interceptor


class _Fuse(nn.Module):
    """Three convolutions of both."""

    features: int
    width: int

    @nn.compact
    def __call__(self, encoded: Array, decoded: Array) -> Array:
        h = jnp.concatenate([encoded, decoded], axis=-1)
        h = nn.silu(Conv(self.features, name="conv_0")(h))
        h = nn.silu(Conv(self.features, name="conv_1")(h))
        return Conv(self.width, zero=True, name="out")(h)
