"""Inks to colours: CMYK through its profile by Little CMS, or plainly; there is no way back."""

from __future__ import annotations

from io import BytesIO

import numpy as np
from jaxtyping import Shaped

from jaxir.data.photo.levels import by_rows, top


def to_rgb(
    inks: Shaped[np.ndarray, "h w 4"], profile: bytes | None
) -> tuple[Shaped[np.ndarray, "h w 3"], str]:
    """RGB in sRGB, of the same depth, and how it was found.

    Relative colorimetric with black point compensation where a profile leads; where none does (1 − C)(1 − K), and
    likewise for M and Y.

    Args:
        inks: uint8 or uint16 levels of cyan, magenta, yellow and black; 0 is none.
        profile: of the inks.
    """
    why = "converted plainly, as they have no profile"
    if profile is not None:
        try:
            convert = _by_pillow if inks.dtype == np.uint8 else _by_imagecodecs
            return convert(inks, profile), "converted through their profile"
        except Exception as error:  # whatever comes up on a damaged profile
            why = f"converted plainly, as their profile cannot be used ({error or type(error).__name__})"
    full = top(inks.dtype)
    light = by_rows(lambda v: full - v, inks, inks.dtype)
    plain = [
        by_rows(np.round, light[..., i].astype(np.float64) * light[..., 3] / full, inks.dtype)
        for i in range(3)
    ]
    return np.stack(plain, axis=-1), why


def _by_pillow(inks: Shaped[np.ndarray, "h w 4"], profile: bytes) -> Shaped[np.ndarray, "h w 3"]:
    from PIL import Image, ImageCms

    converted = ImageCms.profileToProfile(
        Image.fromarray(inks, "CMYK"),
        ImageCms.ImageCmsProfile(BytesIO(profile)),
        ImageCms.createProfile("sRGB"),
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
        outputMode="RGB",
        flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )
    return np.asarray(converted)


def _by_imagecodecs(
    inks: Shaped[np.ndarray, "h w 4"], profile: bytes
) -> Shaped[np.ndarray, "h w 3"]:
    from imagecodecs import CMS, cms_transform
    from PIL import ImageCms

    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return cms_transform(
        inks,
        profile,
        srgb,
        colorspace="cmyk",
        outcolorspace="rgb",
        outdtype="uint16",
        intent=CMS.INTENT.RELATIVE_COLORIMETRIC,
        flags=CMS.FLAGS.BLACKPOINTCOMPENSATION,
    )
