"""A trained U-Net whose features are scaled and shifted by what an encoder finds in the degraded image."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp

from jaxir.networks.network import count
from jaxir.networks.unet import UNet
from jaxir.typing import Image, Key, Params, Scalar


@dataclasses.dataclass(frozen=True)
class Modulated:
    """up(h_l (1 + γ_l) + β_l), h = down(x) of the base, (γ_l, β_l) = W_l e_l with e = encoder(y, t), W = 0 at first.

    The encoder is told the noise level, so that it says less where noise would drown it and more where the image
    already stands. It is a fraction of the copy that `Controlled` trains, and sees y but not x.

    Args:
        base: the trained network; sees no y. `training.only(transform, "encoder", "modulation")` leaves it as it is.
        encoder: of y, of which only the way down is there: its levels are as many and as large as the base's.

    Source: [wang2024stablesr] (the time-aware encoder); [wang2018sft] (spatial feature transform).
    Differs from the paper: features are modulated between the way down and the way up, not in every residual block.
    """

    base: UNet
    encoder: UNet

    def __post_init__(self) -> None:
        if self.base.sees_y or self.encoder.sees_y:
            raise ValueError(
                "the base sees no y, and y is the encoder's image: give no conditioning"
            )
        ours, theirs = ((n.patch, len(n.widths)) for n in (self.base, self.encoder))
        if ours != theirs:
            raise ValueError(
                f"encoder has (patch, levels) {theirs}, expected those of the base, {ours}: their features must be of "
                "one size"
            )

    @property
    def out_channels(self) -> int:
        """Of the base."""
        return self.base.out_channels

    @property
    def stride(self) -> int:
        """Of both."""
        return self.base.stride

    @property
    def sees_y(self) -> bool:
        """True: the encoder does."""
        return True

    def init(self, key: Key) -> Params:
        """New parameters, of the base too."""
        first, second = jax.random.split(key)
        return self.around(second, self.base.init(first))

    def around(self, key: Key, params: Params) -> Params:
        """Parameters with which it answers as the base with these."""
        modulation = {
            f"level_{level}": {"kernel": jnp.zeros((seen, 2 * width)), "bias": jnp.zeros(2 * width)}
            for level, (seen, width) in enumerate(
                zip(self.encoder.widths, self.base.widths, strict=True)
            )
        }
        encoder = self.encoder.init_descent(key)
        return {"base": params, "encoder": encoder, "modulation": modulation}

    def apply(self, params: Params, x: Image, condition: Scalar, y: Image | None = None) -> Image:
        """The output for one image of any size, in the dtype of `x`.

        Raises:
            ValueError: if `y` is missing or not of the size of `x`.
        """
        if y is None or y.shape[:2] != x.shape[:2]:
            came = None if y is None else y.shape
            raise ValueError(f"y has shape {came}, expected an image of the size of x, {x.shape}")
        seen = self.encoder.descend(params["encoder"], y, condition)
        descent = self.base.descend(params["base"], x, condition)
        levels = []
        for level, (h, e) in enumerate(zip(descent.levels, seen.levels, strict=True)):
            layer = params["modulation"][f"level_{level}"]
            scale, shift = jnp.split(e @ layer["kernel"] + layer["bias"], 2, axis=-1)
            levels.append(h * (1 + scale).astype(h.dtype) + shift.astype(h.dtype))
        out = self.base.ascend(params["base"], descent._replace(levels=tuple(levels)))
        return out[: x.shape[0], : x.shape[1]].astype(x.dtype)

    def size(self) -> int:
        """Number of parameters, the base's among them."""
        return count(self.init)
