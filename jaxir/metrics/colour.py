"""The colour space in which images are compared."""

from __future__ import annotations

import jax.numpy as jnp

from jaxir.typing import Image


def rgb(image: Image) -> Image:
    """The image as it is: all channels count alike."""
    return image


def luma(image: Image) -> Image:
    """The luma of BT.601 as the super-resolution literature takes it, MATLAB's `rgb2ycbcr`.

        Y = 16 + 65.481 R + 128.553 G + 24.966 B   of 255, for R, G, B in [0, 1]

    Y goes from 16 to 235 of 255 but PSNR's peak stays 255; so does it here, where the result is 2
    Y/255 − 1 and the range stays 2.

    Args:
        image: in [-1, 1], with three channels.

    Returns:
        One channel.

    Raises:
        ValueError: unless there are three channels.

    Source: [itu2011bt601] §2.5.
    """
    if image.shape[-1] != 3:
        raise ValueError(
            f"image has shape {image.shape} but luma is made of three channels: "
            "use rgb for grey images"
        )
    weights = jnp.asarray([65.481, 128.553, 24.966], image.dtype)
    y = 16 + jnp.sum(weights * (image + 1) / 2, axis=-1, keepdims=True)
    return y / 127.5 - 1
