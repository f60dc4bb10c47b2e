"""TIFF by its tags: pages and their samples judged before a decoder runs, and pixels of any depth written.

Pillow decodes samples of up to 8 bits (with the compressions of fax machines and scanners), tifffile those of 16
bits and floats, which Pillow cuts or refuses. The tags are read here for both, because a decoder that has opened
the file has often made room for it. The writer needs nothing but zlib.
"""

from __future__ import annotations

import struct
import zlib
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
from jaxtyping import Shaped

from jaxir.data.photo.tiff_tags import SIZES, Tags, Value, read_tags, write_tags

MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
XMP, IPTC, ICC = 700, 33723, 34675
ABOUT = (270, 271, 272, 274, 282, 283, 296, 305, 306, 315, 316, 18246, 18249, 33432, 0x8769, 0x8825)
"""Tags of a picture that belong into EXIF data as well: maker, model, orientation, resolution, dates, rights."""

KEPT = (*ABOUT, 269, 285, IPTC, 33550, 33922, 34264, 34377, 34735, 34736, 34737, 42112, 42113)
"""And those that remain true of other pixels: names, captions (IPTC, Photoshop), places on a map."""

STRIP = 1 << 18
"""Bytes of a strip before compression, about."""


class Page(NamedTuple):
    """What the tags of a page say."""

    number: int
    """among all the lists of the file"""
    height: int
    width: int
    bits: tuple[int, ...]
    kind: int
    """1 unsigned, 2 signed, 3 float, 5 and 6 complex"""
    colours: int
    """photometric interpretation: 0 and 1 grey, 2 RGB, 3 palette, 5 inks, 6 YCbCr, 8 Lab"""
    extra: tuple[int, ...]
    """of each channel beyond the colours: 1 is alpha that is multiplied in, 2 is alpha, 0 is not said"""
    order: str
    cut: bool
    """whether the file ends before the pixels do"""
    room: int
    """pixels that a decoder makes room for: the page's, or those of a tile that is larger"""
    tags: Tags

    def content(self, tag: int) -> bytes | None:
        """The content of a tag."""
        value = self.tags.get(tag)
        return value.data if value is not None and isinstance(value.data, bytes) else None

    def block(self, kept: tuple[int, ...]) -> bytes | None:
        """Some of its tags as a block of EXIF data; None if it has none of them."""
        tags = {tag: v for tag, v in self.tags.items() if tag in kept and v.type in SIZES}
        if not tags:
            return None
        order = self.order
        head = struct.pack(order + "2sHI", b"II" if order == "<" else b"MM", 42, 8)
        return head + write_tags(tags, order, 8)


def read_pages(path: Path) -> list[Page]:
    """The pages of a TIFF file, without masks and the smaller copies that stand beside some.

    Raises:
        ValueError: if the file is damaged; the text says how.
    """
    with path.open("rb") as file:
        order, lists = read_tags(file)
        length = file.seek(0, 2)
    pages = [_page(i, tags, order, length) for i, tags in enumerate(lists)]
    return [page for page in pages if page is not None]


def read_samples(path: Path, page: Page) -> Shaped[np.ndarray, "h w c"]:
    """The samples of a page as they are stored, by tifffile.

    Raises:
        ImportError: if tifffile is not installed.
    """
    import tifffile

    with tifffile.TiffFile(path) as file:
        samples = file.pages[page.number].asarray()
    planar = 284 in page.tags and page.tags[284].integers(page.order) == [2]
    if planar and samples.ndim == 3:
        samples = np.moveaxis(samples, 0, -1)
    return samples.reshape(page.height, page.width, len(page.bits))


def write_tiff(
    file: BinaryIO,
    pixels: Shaped[np.ndarray, "h w *c"],
    *,
    about: bytes | None = None,
    icc: bytes | None = None,
    xmp: bytes | None = None,
) -> None:
    """Write a TIFF file, compressed without loss.

    Args:
        file: where.
        pixels: uint8, uint16 or float32; no third axis is grey, 2, 3 and 4 channels are grey with alpha, RGB, RGBA.
        about: EXIF data, or a block of `Page.block`; the file has their byte order.
        icc: a profile.
        xmp: XMP data.
    """
    order, tags = "<", Tags()
    if about is not None:
        order, (tags, *_) = read_tags(BytesIO(about))
    height, width = pixels.shape[:2]
    count = pixels.shape[2] if pixels.ndim == 3 else 1
    whole = pixels.dtype.kind == "u"
    rows = max(1, STRIP // (width * count * pixels.dtype.itemsize))
    tags = {tag: value for tag, value in tags.items() if tag in KEPT}

    def put(tag: int, *numbers: int, form: str = "H") -> None:
        data = struct.pack(f"{order}{len(numbers)}{form}", *numbers)
        tags[tag] = Value(3 if form == "H" else 4, len(numbers), data)

    file.write(struct.pack(order + "2sHI", b"II" if order == "<" else b"MM", 42, 0))
    places, lengths = [], []
    for start in range(0, height, rows):
        strip = pixels[start : start + rows]
        if whole:  # each sample as its difference from the one on its left
            strip = np.diff(strip, axis=1, prepend=np.zeros_like(strip[:, :1]))
        content = zlib.compress(strip.astype(f"{order}{strip.dtype.str[1:]}").tobytes())
        places.append(file.tell())
        lengths.append(len(content))
        file.write(content + bytes(len(content) % 2))
    put(256, width, form="I")
    put(257, height, form="I")
    put(258, *[8 * pixels.dtype.itemsize] * count)
    put(259, 8)  # zlib
    put(262, 2 if count >= 3 else 1)
    put(273, *places, form="I")
    put(277, count)
    put(278, rows, form="I")
    put(279, *lengths, form="I")
    put(284, 1)
    if whole:
        put(317, 2)
    if count in (2, 4):
        put(338, 2)
    put(339, *[1 if whole else 3] * count)
    for tag, data, kind in ((XMP, xmp, 1), (ICC, icc, 7)):
        if data is not None:
            tags[tag] = Value(kind, len(data), data)
    at = file.tell()
    file.write(write_tags(tags, order, at))
    file.seek(4)
    file.write(struct.pack(order + "I", at))


def _page(number: int, tags: Tags, order: str, length: int) -> Page | None:
    def of(tag: int, *missing: int) -> tuple[int, ...]:
        return tuple(tags[tag].integers(order)) if tag in tags else missing

    if any(kind & 5 for kind in of(254, 0)):  # a smaller copy or a mask
        return None
    if not (of(256) and of(257)):
        raise ValueError("a page says no size")
    (count, *_), (colours, *_) = of(277, 1), of(262, 1)
    bits, (height, *_), (width, *_) = of(258, 1), of(257), of(256)
    if height * width == 0:
        raise ValueError("a page has no pixels")
    places, lengths = of(273) + of(324), of(279) + of(325)
    cut = any(a + b > length for a, b in zip(places, lengths, strict=False))
    rows, across = of(323, *of(278, height))[0], of(322, width)[0]  # of a tile or strip
    cut |= len(places) < -(-height // max(rows, 1)) * -(-width // max(across, 1))
    if (
        lengths and of(259, 1)[0] == 1 and colours != 6
    ):  # neither compressed nor with coarser colours
        cut |= sum(lengths) < height * (width * count * min(bits) // 8)
    base = {2: 3, 5: 4, 6: 3, 8: 3}.get(colours, 1)
    extra = of(338) + (0,) * count
    return Page(
        number=number,
        height=height,
        width=width,
        bits=bits * count if len(bits) == 1 else bits,
        kind=max(of(339, 1)),
        colours=colours,
        extra=extra[: max(count - base, 0)],
        order=order,
        cut=cut,
        room=max(height * width, of(322, 0)[0] * of(323, 0)[0]),
        tags=tags,
    )
