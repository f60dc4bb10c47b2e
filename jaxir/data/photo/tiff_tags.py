"""The lists of tags that TIFF files and EXIF data are made of: read them whole, write them anew.

EXIF data are a small TIFF file without pixels. What a TIFF file says about its camera moves into EXIF data and
back by copying values byte by byte; only the places that the lists themselves point to change.
"""

from __future__ import annotations

import os
import struct
import warnings
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
SIZES_OF_BIG = {**SIZES, 16: 8, 17: 8, 18: 8}
"""Bytes of a value of each type; the last three are those of BigTIFF."""

LISTS = (0x8769, 0x8825, 0xA005)
"""The tags whose value is the place of another list: EXIF's own, GPS's and that on interoperability."""


@dataclass(frozen=True)
class Value:
    """Values of a TIFF type in the file's byte order, or another list of tags."""

    type: int
    count: int
    data: bytes | Tags

    def integers(self, order: str) -> list[int]:
        """The values as integers.

        Raises:
            ValueError: if they are no integers.
        """
        if self.type not in (1, 3, 4, 13, 16) or not isinstance(self.data, bytes):
            raise ValueError(f"a tag has type {self.type}, expected integers")
        return np.frombuffer(self.data, f"{order}u{SIZES_OF_BIG[self.type]}").tolist()


Tags = dict[int, Value]


def read_tags(file: BinaryIO) -> tuple[str, list[Tags]]:
    """The byte order, "<" or ">", and the lists of a TIFF file, a page each.

    Raises:
        ValueError: if the file ends before a list does, or the lists go round in a circle.
    """
    length = file.seek(0, os.SEEK_END)
    reader = _Reader(file, length)
    found, seen = [], set()
    place = reader.first
    while place:
        if place in seen:
            raise ValueError("its pages go round in a circle")
        seen.add(place)
        tags, place = reader.tags(place)
        found.append(tags)
    return reader.order, found


def write_tags(tags: Tags, order: str, at: int) -> bytes:
    """A list for the place `at` of a file, its longer values and the lists in it behind it; no list follows it."""
    end = at + 2 + 12 * len(tags) + 4
    entries, behind = struct.pack(order + "H", len(tags)), b""
    for tag, value in sorted(tags.items()):
        data = value.data
        if not isinstance(data, bytes):
            data = struct.pack(order + "I", end + len(behind))
            behind += write_tags(value.data, order, end + len(behind))  # type: ignore[arg-type]
        elif len(data) > 4:
            data, behind = struct.pack(order + "I", end + len(behind)), behind + data
        behind += b"\0" * (len(behind) % 2)  # lists and values begin at even places
        entries += struct.pack(order + "HHI4s", tag, value.type, value.count, data)
    return entries + bytes(4) + behind


class _Reader:
    """Reads no more bytes than twice the file's length, whatever the lists claim."""

    def __init__(self, file: BinaryIO, length: int) -> None:
        self.file, self.left = file, 2 * length + 64
        head = self.bytes(0, min(16, length))
        self.order = {b"II": "<", b"MM": ">"}.get(head[:2], "")
        version = int.from_bytes(head[2:4], "little" if self.order == "<" else "big")
        if not self.order or version not in (42, 43):
            raise ValueError(f"it begins with {head[:4]!r}")
        self.big = version == 43
        # count of tags; tag, type, count, value; place of the next list
        self.forms = ("Q", "HHQ8s", "Q") if self.big else ("H", "HHI4s", "I")
        self.sizes = SIZES_OF_BIG if self.big else SIZES
        (self.first,) = self.unpack(self.forms[2], 8 if self.big else 4)

    def bytes(self, place: int, count: int) -> bytes:
        self.left -= count
        self.file.seek(place)
        if self.left < 0 or len(data := self.file.read(count)) < count:
            raise ValueError("it ends in the middle of a list")
        return data

    def unpack(self, form: str, place: int) -> tuple:
        return struct.unpack(
            self.order + form, self.bytes(place, struct.calcsize(self.order + form))
        )

    def tags(self, place: int, depth: int = 0) -> tuple[Tags, int]:
        counting, entry, _ = (struct.calcsize(self.order + form) for form in self.forms)
        (count,) = self.unpack(self.forms[0], place)
        place += counting
        tags: Tags = {}
        for start in range(place, place + count * entry, entry):
            tag, kind, number, raw = self.unpack(self.forms[1], start)
            if kind not in self.sizes:
                continue  # a reader must pass over types that it does not know
            size = number * self.sizes[kind]
            if size > len(raw):
                (there,) = struct.unpack(self.order + self.forms[2], raw)
                data = self.bytes(there, size)
            else:
                data = raw[:size]
            tags[tag] = Value(kind, number, data)
            if tag in LISTS and depth < 2:
                try:
                    inner, _ = self.tags(tags.pop(tag).integers(self.order)[0], depth + 1)
                    tags[tag] = Value(4, 1, inner)
                except (ValueError, IndexError):
                    name = getattr(self.file, "name", "a file")
                    warnings.warn(f"{name} has damaged EXIF data: left out", stacklevel=2)
        (after,) = self.unpack(self.forms[2], place + count * entry)
        return tags, after
