"""PNG by its chunks: what a file keeps beside its pixels, and pixels of 8 or 16 bits written.

Pillow cuts 16 bits a channel to 8 in colour, and writes anew what it knows of the other chunks. Here a chunk is
given back as it was, and the writer needs nothing but zlib, so that 16 bits are written everywhere.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
from jaxtyping import UInt, UInt8

SIGNATURE = b"\x89PNG\r\n\x1a\n"
XMP = b"XML:com.adobe.xmp"
KEPT = (b"pHYs", b"gAMA", b"cHRM", b"sRGB", b"cICP", b"mDCV", b"cLLI", b"tEXt", b"zTXt", b"iTXt")
"""Chunks that remain true of other pixels in the same colours."""

TEXT = 1 << 20
"""Bytes that a compressed text may have; more is an attack."""

Chunks = tuple[tuple[bytes, bytes], ...]


def chunks(file: BinaryIO) -> Iterator[tuple[bytes, bytes]]:
    """Name and content of every chunk but the pixels', up to the file's end, whole or not."""
    file.seek(len(SIGNATURE))
    while len(head := file.read(8)) == 8:
        length, name = struct.unpack(">I4s", head)
        if name in (b"IDAT", b"fdAT"):
            file.seek(length + 4, 1)
            continue
        content = file.read(length)
        file.seek(4, 1)
        yield name, content


def xmp_of(text: bytes) -> bytes | None:
    """The XMP data in the content of an iTXt chunk; None if it is another text.

    Raises:
        ValueError: if they are damaged or grow beyond a mebibyte.
    """
    name, _, rest = text.partition(b"\0")
    if name != XMP or len(rest) < 2:
        return None
    data = rest[2:].split(b"\0", 2)[-1]
    if not rest[0]:
        return data
    inflate = zlib.decompressobj()
    try:
        data = inflate.decompress(data, TEXT)
    except zlib.error as error:
        raise ValueError(f"its XMP data are damaged: {error}") from error
    if inflate.unconsumed_tail:
        raise ValueError(f"its XMP data grow beyond {TEXT} bytes")
    return data


def kept(found: Chunks) -> Chunks:
    """The chunks that stand beside the pixels of another image as well, but EXIF, profile and XMP."""
    return tuple(
        (name, content)
        for name, content in found
        if name in KEPT and not (name == b"iTXt" and content.startswith(XMP + b"\0"))
    )


def write_png(
    file: BinaryIO,
    pixels: UInt[np.ndarray, "h w *c"],
    *,
    exif: bytes | None = None,
    icc: bytes | None = None,
    xmp: bytes | None = None,
    rest: Chunks = (),
) -> None:
    """Write a PNG file.

    Args:
        file: where.
        pixels: uint8 or uint16; no third axis is grey, 2, 3 and 4 channels are grey with alpha, RGB and RGBA.
        exif: EXIF data.
        icc: a profile.
        xmp: XMP data.
        rest: other chunks to stand before the pixels.
    """
    height, width = pixels.shape[:2]
    count = pixels.shape[2] if pixels.ndim == 3 else 1
    depth = 8 * pixels.dtype.itemsize
    file.write(SIGNATURE)
    kind = {1: 0, 2: 4, 3: 2, 4: 6}[count]
    _write(file, b"IHDR", struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0))
    if icc is not None:
        _write(file, b"iCCP", b"ICC profile\0\0" + zlib.compress(icc))
    for name, content in rest:
        _write(file, name, content)
    if exif is not None:
        _write(file, b"eXIf", exif)
    if xmp is not None:
        _write(file, b"iTXt", XMP + bytes(5) + xmp)
    deflate = zlib.compressobj()
    above = np.zeros((1, width * count * pixels.dtype.itemsize), np.uint8)
    for start in range(0, height, 64):
        rows = pixels[start : start + 64].astype(f">u{pixels.dtype.itemsize}")
        raw = rows.reshape(len(rows), -1).view(np.uint8)
        filtered = _filtered(raw, np.concatenate([above, raw[:-1]]), count * pixels.dtype.itemsize)
        if content := deflate.compress(filtered.tobytes()):
            _write(file, b"IDAT", content)
        above = raw[-1:]
    _write(file, b"IDAT", deflate.flush())
    _write(file, b"IEND", b"")


def _filtered(
    raw: UInt8[np.ndarray, "n bytes"], up: UInt8[np.ndarray, "n bytes"], step: int
) -> UInt8[np.ndarray, "n bytes+1"]:
    """Each row as its difference from a guess, with the guess's number before it: the one of the least sum."""
    left, corner = (np.pad(a, ((0, 0), (step, 0)))[:, : a.shape[1]] for a in (raw, up))
    a, b, c = (x.astype(np.int16) for x in (left, up, corner))
    far = [np.abs(b - c), np.abs(a - c), np.abs(a + b - 2 * c)]  # of Paeth's a + b − c to a, b, c
    nearest = np.where((far[0] <= far[1]) & (far[0] <= far[2]), a, np.where(far[1] <= far[2], b, c))
    guesses = [np.zeros_like(a), a, b, (a + b) >> 1, nearest]
    tried = np.stack([raw - guess.astype(np.uint8) for guess in guesses])
    best = np.abs(tried.view(np.int8).astype(np.int16)).sum(axis=2).argmin(axis=0)
    rows = tried[best, np.arange(len(raw))]
    return np.concatenate([best.astype(np.uint8)[:, None], rows], axis=1)


def _write(file: BinaryIO, name: bytes, content: bytes) -> None:
    file.write(struct.pack(">I", len(content)) + name + content)
    file.write(struct.pack(">I", zlib.crc32(name + content)))
