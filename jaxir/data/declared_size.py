"""The size that a file says its image has, read from its first bytes, before a decoder sees them.

A few bytes can declare a billion pixels, and some decoders make room for them when they open the file. So
the declaration is read here, for every format of photographs, and judged before anything is allocated.
"""

from __future__ import annotations

import re
from typing import BinaryIO

HEAD = 1 << 16
"""Bytes of the head of an AVIF or HEIF file in which its size is looked for."""


def declared_size(file: BinaryIO) -> tuple[int, int] | None:
    """Height and width as the file's header declares them, before its orientation; None if it does not say."""
    head = file.read(30)
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return _numbers(head[16:24], "big")
    if head.startswith(b"\xff\xd8"):
        return _jpeg(file)
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return _webp(head)
    if head[4:8] == b"ftyp":
        file.seek(0)
        boxes = re.findall(rb"ispe\0{4}(.{8})", file.read(HEAD), re.DOTALL)
        # a grid declares the size of its tiles too
        return max((_numbers(box, "big") for box in boxes), default=None)
    if head.startswith(b"GIF8"):
        return _numbers(head[6:10], "little")
    if head.startswith(b"BM") and head[14] == 12:  # the header of OS/2
        return _numbers(head[18:22], "little")
    if head.startswith(b"BM"):
        height, width = _numbers(head[18:26], "little")
        return min(height, 2**32 - height), width  # negative where the first row is the top one
    return None


def _numbers(two: bytes, order: str) -> tuple[int, int]:
    """The second and the first of two numbers: files name the width first."""
    half = len(two) // 2
    width, height = (int.from_bytes(part, order) for part in (two[:half], two[half:]))  # type: ignore[arg-type]
    return height, width


def _jpeg(file: BinaryIO) -> tuple[int, int] | None:
    file.seek(2)
    while len(marker := file.read(4)) == 4 and marker[0] == 0xFF:
        kind, length = marker[1], int.from_bytes(marker[2:], "big")
        if 0xC0 <= kind <= 0xCF and kind not in (0xC4, 0xC8, 0xCC):  # a start of frame
            height, width = _numbers(file.read(5)[1:], "big")[::-1]  # JPEG names the height first
            return height, width
        if kind == 0xFF:  # filling before a marker
            file.seek(-3, 1)
        else:
            file.seek(length - 2, 1)
    return None


def _webp(head: bytes) -> tuple[int, int] | None:
    if head[12:16] == b"VP8X":
        height, width = _numbers(head[24:30], "little")
        return height + 1, width + 1
    if head[12:16] == b"VP8L":
        bits = int.from_bytes(head[21:25], "little")
        return (bits >> 14 & 0x3FFF) + 1, (bits & 0x3FFF) + 1
    height, width = _numbers(head[26:30], "little")
    return height & 0x3FFF, width & 0x3FFF
