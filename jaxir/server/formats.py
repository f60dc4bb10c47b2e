"""Which photos can be read here: some formats need a package, or a part of one, that may be missing."""

from __future__ import annotations

from importlib.util import find_spec


def readable() -> list[str]:
    """Names of formats, as people know them."""
    from PIL import features

    heic = ["HEIC"] if find_spec("pillow_heif") else []
    avif = ["AVIF"] if features.check("avif") else []
    return ["JPEG", "PNG", "TIFF", "WebP", *heic, *avif]
