"""Samples into a file of any of the formats, with all that the format keeps beside them.

TIFF, PNG and JPEG are written with our own tags, chunks and segments; the others by Pillow without loss, or nearly
so where the format has no such thing (AVIF, HEIC). Equal input gives equal bytes: no file holds the time.
"""

from __future__ import annotations

from io import BytesIO
from typing import Any, BinaryIO

import numpy as np
from jaxtyping import Shaped, UInt8

from jaxir.data.photo import jpeg
from jaxir.data.photo.png import write_png
from jaxir.data.photo.reading import INSTALL, Beside
from jaxir.data.photo.tiff import write_tiff
from jaxir.data.photo.tiff_tags import read_tags

SUFFIXES = {
    ".avif": "AVIF",
    ".bmp": "BMP",
    ".heic": "HEIF",
    ".heif": "HEIF",
    ".jpeg": "JPEG",
    ".jpg": "JPEG",
    ".png": "PNG",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".webp": "WEBP",
}
"""The format by the end of a file's name."""

DEPTHS: dict[str, tuple[int | str, ...]] = {"PNG": (8, 16), "TIFF": (8, 16, "float32")}
"""Depths of a format from the least; 8 alone where it is not listed."""

OPAQUE = ("BMP", "JPEG")
BARE = ("BMP",)
"""Formats without transparency, and without EXIF, profile and XMP."""


def missing(form: str) -> str | None:
    """What this machine lacks to write a format, and how to get it; None if it lacks nothing."""
    from PIL import Image

    if form == "HEIF":
        try:
            import pillow_heif  # noqa: F401
        except ImportError:
            return f"pillow-heif: run {INSTALL}"
        return None
    Image.init()
    return None if form in Image.SAVE else f"a Pillow with {form}: run pip install -U pillow"


def fitting(beside: Beside, form: str) -> tuple[Beside, list[str]]:
    """What of it the format can hold, and the names of what it cannot."""
    limits = {"exif": jpeg.SEGMENT - len(jpeg.EXIF), "xmp": jpeg.SEGMENT - len(jpeg.XMP)}
    if form in BARE:
        limits = {"exif": 0, "icc": 0, "xmp": 0}
    elif form != "JPEG":
        limits = {}
    if form in ("AVIF", "TIFF") and not _readable(beside.exif):
        limits["exif"] = 0  # these take EXIF data apart
    left_out = [name for name, n in limits.items() if len(getattr(beside, name) or b"") > n]
    return beside._replace(**dict.fromkeys(left_out)), [name.upper() for name in left_out]


def write_samples(
    file: BinaryIO, form: str, pixels: Shaped[np.ndarray, "h w c"], beside: Beside
) -> None:
    """Write pixels, the last of 2 or 4 channels alpha, with what `fitting` has left."""
    pixels = pixels[..., 0] if pixels.shape[2] == 1 else pixels
    kept: dict[str, Any] = {"icc": beside.icc, "xmp": beside.xmp}
    if form == "TIFF":
        write_tiff(file, pixels, about=dict(beside.rest).get(b"tags", beside.exif), **kept)
    elif form == "PNG":
        write_png(file, pixels, exif=beside.exif, rest=beside.rest, **kept)
    elif form == "JPEG":
        jpeg.write_jpeg(
            file,
            pixels,
            exif=beside.exif,
            dpi=beside.dpi,
            quality=beside.quality,
            rest=beside.rest,
            **kept,
        )
    else:
        _write_pillow(file, form, pixels, beside)


def _write_pillow(
    file: BinaryIO, form: str, pixels: UInt8[np.ndarray, "h w *c"], beside: Beside
) -> None:
    from PIL import Image

    picture = Image.fromarray(pixels)
    kept: dict[str, Any] = {"icc_profile": beside.icc, "xmp": beside.xmp}
    kept = {name: data for name, data in kept.items() if data is not None}
    if form == "BMP":
        picture.save(file, form, **({"dpi": beside.dpi} if beside.dpi else {}))
    elif form == "WEBP":
        picture.save(file, form, lossless=True, exact=True, exif=beside.exif or b"", **kept)
    elif form == "AVIF":
        # Pillow writes EXIF data anew to take the orientation out: it gets a stand-in of their length
        exif = beside.exif or b""
        stand_in = b"MM\0*\0\0\0\x08" + bytes(6) + b"?" * (len(exif) - 14) if exif else b""
        whole = BytesIO()
        picture.save(whole, form, quality=95, subsampling="4:4:4", exif=stand_in, **kept)
        file.write(whole.getvalue().replace(stand_in, exif, 1))
    else:
        from pillow_heif import from_pillow

        exif = None if beside.exif is None else jpeg.EXIF + beside.exif
        heif = from_pillow(picture)
        heif.info.update({"icc_profile": beside.icc} if beside.icc else {})
        heif.save(file, quality=95, chroma=444, exif=exif, xmp=beside.xmp)


def _readable(exif: bytes | None) -> bool:
    try:
        return exif is None or (len(exif) > 14 and bool(read_tags(BytesIO(exif))[1]))
    except ValueError:
        return False
