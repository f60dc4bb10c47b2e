"""A trained U-Net that learns to look at another image without forgetting what it knows."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp

from jaxir.networks.conditioning import Conditioning
from jaxir.networks.hint import Hint
from jaxir.networks.network import count
from jaxir.networks.unet import UNet
from jaxir.typing import Image, Key, Params, Scalar


@dataclasses.dataclass(frozen=True)
class Controlled:
    """up(h_l + Z_l c_l), h = down(x) of the base and c = down′(x, y) of a copy, Z_l a 1×1 convolution, 0 at first.

    The copy begins with the weights of the base's way down and sees y by its conditioning. The base itself is left as
    it is by the optimiser: `training.only(transform, "control", "zero")`.

    Args:
        base: the trained network; sees no y.
        conditioning: how y enters the copy, by layers of its own alone: `Hint`, `FiLM` or `CrossAttention`.

    Source: [zhang2023controlnet].
    """

    base: UNet
    conditioning: Conditioning = Hint()

    def __post_init__(self) -> None:
        if self.base.sees_y:
            raise ValueError("base sees y already: give conditioning to the copy alone")

    @property
    def control(self) -> UNet:
        """The copy, of which only the way down is there."""
        return dataclasses.replace(self.base, conditioning=self.conditioning)

    @property
    def out_channels(self) -> int:
        """Of the base."""
        return self.base.out_channels

    @property
    def stride(self) -> int:
        """Of the base."""
        return self.base.stride

    @property
    def sees_y(self) -> bool:
        """True: the copy does."""
        return True

    def init(self, key: Key) -> Params:
        """New parameters, of the base too."""
        first, second = jax.random.split(key)
        return self.around(second, self.base.init(first))

    def around(self, key: Key, params: Params) -> Params:
        """Parameters with which it answers as the base with these.

        Raises:
            ValueError: if the conditioning changes a layer of the base.
        """
        shapes = jax.tree.map(jnp.shape, jax.eval_shape(self.control.init_descent, key))
        if any(
            shapes[name] != jax.tree.map(jnp.shape, params[name])
            for name in shapes.keys() & params.keys()
        ):
            raise ValueError(
                f"{type(self.conditioning).__name__} changes a layer of the base, whose weights then fit no more: use "
                "Hint, FiLM or CrossAttention"
            )
        new = self.control.init_descent(key)
        control = {name: jax.tree.map(jnp.copy, params.get(name, new[name])) for name in new}
        zero = {
            f"level_{level}": {"kernel": jnp.zeros((width, width)), "bias": jnp.zeros(width)}
            for level, width in enumerate(self.base.widths)
        }
        return {"base": params, "control": control, "zero": zero}

    def apply(self, params: Params, x: Image, condition: Scalar, y: Image | None = None) -> Image:
        """The output for one image of any size, in the dtype of `x`."""
        control = self.control.descend(params["control"], x, condition, y)
        descent = self.base.descend(params["base"], x, condition)
        levels = []
        for level, (h, c) in enumerate(zip(descent.levels, control.levels, strict=True)):
            layer = params["zero"][f"level_{level}"]
            levels.append(h + (c @ layer["kernel"] + layer["bias"]).astype(h.dtype))
        out = self.base.ascend(params["base"], descent._replace(levels=tuple(levels)))
        return out[: x.shape[0], : x.shape[1]].astype(x.dtype)

    def size(self) -> int:
        """Number of parameters, the base's among them."""
        return count(self.init)
