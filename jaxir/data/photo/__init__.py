"""Photographs with all that belongs to them, and the files that they are kept in."""

from jaxir.data.photo.photo import Depth, Photo, pages, photo_size, read_photo, write_photo
from jaxir.data.photo.writing import SUFFIXES

__all__ = ["SUFFIXES", "Depth", "Photo", "pages", "photo_size", "read_photo", "write_photo"]
