"""JPEG beside its pixels: how strongly it was compressed, and the segments that Pillow does not write back."""

from __future__ import annotations

from functools import cache
from io import BytesIO
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
from jaxtyping import UInt8

if TYPE_CHECKING:
    from PIL import Image as Pillow

MARKERS = {b"APP1": 0xE1, b"APP13": 0xED, b"COM": 0xFE}
LONGER_XMP = b"http://ns.adobe.com/xmp/extension/\0"
SEGMENT = 65533
"""Bytes that a segment may have."""

EXIF, XMP = b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0"


def quality(file: Pillow.Image) -> int:
    """The least of Pillow's qualities 95 to 100 that rounds no coefficient more coarsely than the file does."""
    theirs = getattr(file, "quantization", {})
    for q in range(95, 100):
        pairs = zip(_tables(q), theirs.values(), strict=False)
        if all(np.all(np.asarray(ours) <= np.asarray(table)) for ours, table in pairs):
            return q
    return 100


@cache
def _tables(quality: int) -> list[list[int]]:
    """Pillow's tables of quantisation, of lightness and of colour."""
    from PIL import Image

    sample = BytesIO()
    Image.new("RGB", (8, 8)).save(sample, "JPEG", quality=quality)
    with Image.open(sample) as file:
        return list(file.quantization.values())  # type: ignore[attr-defined]


def segments(file: Pillow.Image) -> tuple[tuple[bytes, bytes], ...]:
    """Captions (IPTC, in APP13), comments and the later parts of long XMP data, as they stand."""
    found = [(name.encode(), content) for name, content in getattr(file, "applist", [])]
    return tuple(
        (name, content)
        for name, content in found
        if name in (b"APP13", b"COM") or (name == b"APP1" and content.startswith(LONGER_XMP))
    )


def write_jpeg(
    file: BinaryIO,
    pixels: UInt8[np.ndarray, "h w *c"],
    *,
    quality: int = 95,
    exif: bytes | None = None,
    icc: bytes | None = None,
    xmp: bytes | None = None,
    dpi: tuple[float, float] | None = None,
    rest: tuple[tuple[bytes, bytes], ...] = (),
) -> None:
    """Write a JPEG file with its colours at full resolution."""
    from PIL import Image

    extra = b"".join(
        b"\xff" + bytes([MARKERS[name]]) + (len(content) + 2).to_bytes(2, "big") + content
        for name, content in rest
    )
    Image.fromarray(pixels).save(
        file,
        "JPEG",
        quality=quality,
        subsampling=0,
        exif=b"" if exif is None else EXIF + exif,
        icc_profile=icc,
        xmp=xmp,
        extra=extra,
        **({} if dpi is None else {"dpi": dpi}),
    )
