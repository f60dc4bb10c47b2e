"""EXIF data changed where they stand: what was true of the photograph that was read and is not of the one written.

Maker notes point to places in the EXIF block by their distance from its start, so a block that is written anew
breaks them. Here values change in place and every other byte remains.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

EXIF, WIDTH, HEIGHT = 0x8769, 0xA002, 0xA003
FORMS = {1: "B", 3: "H", 4: "I"}
"""Types of unsigned integers, and how `struct` calls them."""


def byte_order(exif: bytes) -> str:
    """The sign of `struct` for the order of their bytes.

    Raises:
        ValueError: if it is no block of EXIF data.
    """
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(exif[:4])
    if order is None:
        raise ValueError(f"they begin with {exif[:4]!r}")
    return order


def entries(exif: bytes, order: str, start: int) -> Iterator[tuple[int, int, int, int]]:
    """Of each entry of the list at a place: its tag, type and number of values, and where its value stands.

    Raises:
        struct.error: if the list ends too early.
    """
    (count,) = struct.unpack_from(order + "H", exif, start)
    for place in range(start + 2, start + 2 + 12 * count, 12):
        tag, kind, number = struct.unpack_from(order + "HHI", exif, place)
        yield tag, kind, number, place + 8


def resized(exif: bytes, height: int, width: int) -> bytes:
    """The same EXIF data for a picture of a size, if they say one; nothing points to their thumbnail any more.

    The thumbnail's bytes stay, and so do pictures in maker notes, as all that stands behind them has its place. Data
    that are damaged are changed as far as they can be read.
    """
    block = bytearray(exif)
    try:
        order = byte_order(exif)
        (start,) = struct.unpack_from(order + "I", exif, 4)
        first = list(entries(exif, order, start))
        struct.pack_into(order + "I", block, start + 2 + 12 * len(first), 0)  # the list behind it
        for tag, _, _, there in first:
            if tag == EXIF:
                (inner,) = struct.unpack_from(order + "I", exif, there)
                _put_size(block, order, inner, {WIDTH: width, HEIGHT: height})
    except (ValueError, struct.error):
        pass
    return bytes(block)


def _put_size(block: bytearray, order: str, start: int, size: dict[int, int]) -> None:
    for tag, kind, number, there in entries(bytes(block), order, start):
        if tag in size and number == 1 and kind in (3, 4):
            kind = 4 if size[tag] > 0xFFFF else kind  # a value has room for either
            struct.pack_into(f"{order}HI{FORMS[kind]}", block, there - 6, kind, 1, size[tag])
