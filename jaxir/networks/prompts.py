"""What happened to an image, told to a network as a mixture of learnt prompts."""

from __future__ import annotations

import dataclasses

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxir.networks.conditioning import Conditioning
from jaxir.networks.image_encoder import ImageEncoder
from jaxir.typing import Image


@dataclasses.dataclass(frozen=True)
class Prompts(Conditioning):
    """v + W softmax(MLP(e)) P: e the unit vector that a controller makes of y, P learnt prompts, W = 0 at first.

    v is the noise embedding, which modulates every block. The controller is trained to tell degradations apart, by
    `losses.info_nce`, and its weights are put at "conditioning", "controller"; `training.only` keeps them as they are.

    Args:
        controller: from y to an embedding of its degradation.
        count: prompts.
        features: of a prompt.

    Source: [luo2024daclip] (prompt learning).
    Differs from the code of the paper: prompts are vectors that are mixed, where it has one number for each feature.
    """

    controller: ImageEncoder = ImageEncoder()
    count: int = 16
    features: int = 64

    @property
    def channels(self) -> int:
        """Those of the controller's images."""
        return self.controller.channels

    def embedding(self, vector: Float[Array, " d"], y: Image) -> Float[Array, " d"]:
        """The embedding plus what the prompts say."""
        return vector + _Prompts(self, len(vector), name="conditioning")(y)


class _Prompts(nn.Module):
    """The layers of `Prompts`, in float32."""

    config: Prompts
    size: int

    @nn.compact
    def __call__(self, y: Array) -> Array:
        c = self.config
        e = c.controller.module(name="controller")(y)
        e *= jax.lax.rsqrt(jnp.sum(e**2) + 1e-12)
        h = nn.silu(nn.Dense(c.features, name="dense_0")(e))
        share = nn.softmax(nn.Dense(c.count, name="dense_1")(h))
        prompts = self.param("prompts", nn.initializers.normal(1.0), (c.count, c.features))
        return nn.Dense(self.size, kernel_init=nn.initializers.zeros, name="out")(share @ prompts)
