"""Photographs with all that belongs to them, and the files that they are kept in."""

from jaxir.data.photo.photo import Depth, Note, Photo, pages, photo_size, read_photo
from jaxir.data.photo.rendering import expect_writable, photo_bytes, write_photo
from jaxir.data.photo.writing import SUFFIXES

__all__ = [
    "SUFFIXES",
    "Depth",
    "Note",
    "Photo",
    "expect_writable",
    "pages",
    "photo_bytes",
    "photo_size",
    "read_photo",
    "write_photo",
]
