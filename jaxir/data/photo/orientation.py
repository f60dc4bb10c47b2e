"""How a camera was held: read from EXIF or XMP, applied to pixels, and put upright in place.

The one value changes where it stands and every other byte remains.
"""

from __future__ import annotations

import re
import struct

import numpy as np
from jaxtyping import Shaped

from jaxir.data.photo.exif import FORMS, byte_order, entries

TAG = 0x0112
IN_XMP = re.compile(rb"""(tiff:Orientation\s*(?:=\s*["']|>)\s*)([1-8])""")


def orientation(exif: bytes | None, xmp: bytes | None) -> int:
    """The orientation, 1 to 8, of EXIF data or, where they have none, of XMP data; 1 if neither says.

    Raises:
        ValueError: if the EXIF data are damaged.
    """
    if exif is not None and (place := _place(exif)):
        value = struct.unpack_from(place[1], exif, place[0])[0]
        return value if 1 <= value <= 8 else 1
    found = IN_XMP.search(xmp or b"")
    return int(found[2]) if found else 1


def upright(exif: bytes) -> bytes:
    """The same EXIF data with orientation 1; no other byte differs.

    Raises:
        ValueError: if the data are damaged.
    """
    if (place := _place(exif)) is None:
        return exif
    value = struct.pack(place[1], 1)
    return exif[: place[0]] + value + exif[place[0] + len(value) :]


def upright_xmp(xmp: bytes) -> bytes:
    """The same XMP data with every `tiff:Orientation` 1; no other byte differs."""
    return IN_XMP.sub(rb"\g<1>1", xmp)


def turn(pixels: Shaped[np.ndarray, "h w *c"], value: int) -> Shaped[np.ndarray, "*shape"]:
    """The pixels as they are to be seen: an orientation is a transposition (5 to 8), then mirrors."""
    if value >= 5:
        pixels = pixels.swapaxes(0, 1)
    if value in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if value in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)


def _place(exif: bytes) -> tuple[int, str] | None:
    """Where the value stands and how it is stored; None if there is none."""
    order = byte_order(exif)
    try:
        (start,) = struct.unpack_from(order + "I", exif, 4)
        for tag, kind, number, there in entries(exif, order, start):
            if tag == TAG and number == 1 and kind in FORMS:
                return there, order + FORMS[kind]
    except struct.error as error:
        raise ValueError("they end in the middle of a list") from error
    return None
