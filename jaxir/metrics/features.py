"""Numbers by which sets of images are compared, and the resizing before them that changes every figure.

A distance between sets is of their features alone, so a feature function comes first and is the same for all of them.
Published figures differ by more than methods do where images were made 299 pixels wide in another way; hence the
resizer is part of the value and there are two, after the two conventions in use.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxir.typing import Image, Params

_SIDE = 299


def plain_bilinear(image: Image) -> Image:
    """To 299 × 299 by linear interpolation, not antialiased: that of most published FIDs.

    It is PyTorch's `interpolate(mode="bilinear", align_corners=False)`, as pytorch-fid has it. The first program of
    [heusel2017fid] has TensorFlow 1's positions, without half a pixel.
    """
    return jax.image.resize(image, (_SIDE, _SIDE, image.shape[-1]), "linear", antialias=False)


def antialiased_bicubic(image: Image) -> Image:
    """To 299 × 299 by Keys' cubic, widened where the image shrinks, then clipped to [-1, 1]: that of "clean FID".

    It is Pillow's BICUBIC on floats.

    Source: [parmar2022cleanfid].
    """
    shape = (_SIDE, _SIDE, image.shape[-1])
    return jnp.clip(jax.image.resize(image, shape, "cubic", antialias=True), -1, 1)


class Features(eqx.Module):
    """Resize one image, and apply a network.

    Args:
        apply: (params, image) ↦ a vector.
        params: its weights.
        resize: `plain_bilinear`, `antialiased_bicubic`, or a function of your own; it is part of the protocol.
    """

    apply: Callable[[Params, Image], Float[Array, " d"]] = eqx.field(static=True)
    params: Params
    resize: Callable[[Image], Image] = eqx.field(static=True)

    @eqx.filter_jit
    def __call__(self, image: Image) -> Float[Array, " d"]:
        """The features of one image in [-1, 1], of any size."""
        return self.apply(self.params, self.resize(image))


def features_of(
    function: Callable[[Image], Float[Array, " d"]], images: Iterable[Image]
) -> Float[np.ndarray, "n d"]:
    """The features of a set of images, one after the other, in double precision.

    Args:
        function: of one image in [-1, 1], such as `jaxir.pretrained.load_inception` gives.
        images: read one at a time.
    """
    return np.stack([np.asarray(function(jnp.asarray(image)), np.float64) for image in images])
