"""Photographs, read with all that belongs to them.

A restorer wants floats in sRGB, upright, in [-1, 1]; the owner of the file wants back its depth, its profile, its
transparency and every note of the camera. `Photo` is both, and `rendering` the way back. What a file is made of is
elsewhere: `reading` and `writing` know the formats, `icc` the colours, `orientation` how the camera was held,
`levels` the bits.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Float32, Shaped

from jaxir.data.files import ImageFileError
from jaxir.data.photo import inks
from jaxir.data.photo.icc import ColourSpace, colour_space
from jaxir.data.photo.levels import by_rows, to_fractions, top
from jaxir.data.photo.orientation import orientation, turn, upright, upright_xmp
from jaxir.data.photo.reading import Beside, PhotoFile, open_photo
from jaxir.data.photo.transparency import divided

Depth = Literal[8, 16, "float32"]

Note = Callable[[str], None]
"""Takes a line that says what could not be followed or kept."""


@dataclass(frozen=True, eq=False)
class Photo:
    """A photograph and what its file said of it; arrays are not to be written to.

    Args:
        image: float32 in sRGB, upright: [-1, 1], and beyond where a wider profile has colours outside sRGB.
        alpha: the transparency, upright, with the file's own levels; None if it has none.
        depth: bits of a channel, or "float32".
        format: Pillow's name of the format.
        beside: EXIF (its orientation now 1), ICC and XMP bytes and what else the format keeps.
        levels: the file's own colours, upright, where `image` does not determine them; else None.
    """

    image: Float32[np.ndarray, "h w c"]
    alpha: Shaped[np.ndarray, "h w"] | None
    depth: Depth
    format: str
    beside: Beside
    levels: Shaped[np.ndarray, "h w c"] | None

    @property
    def exif(self) -> bytes | None:
        """EXIF data from their byte order mark on; only the orientation differs from the file's."""
        return self.beside.exif

    @property
    def icc(self) -> bytes | None:
        """The colour profile."""
        return self.beside.icc

    @property
    def xmp(self) -> bytes | None:
        """XMP data; only `tiff:Orientation` differs from the file's."""
        return self.beside.xmp

    @cached_property
    def opacity(self) -> Float32[np.ndarray, "h w 1"] | None:
        """The transparency as an image of one channel: -1 is clear, 1 is opaque."""
        return None if self.alpha is None else 2 * to_fractions(self.alpha)[..., None] - 1


def warn(message: str) -> None:
    """Say it by a UserWarning."""
    warnings.warn(message, stacklevel=3)


def read_photo(path: str | Path, *, page: int | None = None, note: Note = warn) -> Photo:
    """The photograph in a file, known by its content: JPEG, PNG, TIFF, WebP, AVIF, HEIC, BMP or GIF.

    It is turned as its EXIF or XMP data say. A profile other than sRGB is followed to sRGB without a bound.
    Palettes become RGB, 1 bit becomes grey, CMYK becomes RGB in sRGB. Floats must be in [0, 1].

    Args:
        path: the file.
        page: of a file with several pages or frames, from 1.
        note: told what could not be followed or was left out; a UserWarning by default.

    Raises:
        ImageFileError: if the file is missing, empty, damaged, too large, of an unknown kind, or has several pages
            and `page` is None; if a package is missing that its depth or format needs.
    """
    path = Path(path)
    with open_photo(path) as file:
        index = _index(file, path, page)
        file.size(index)
        beside, samples = file.beside(index), file.samples(index)
    colours, alpha, icc = samples.colours, samples.alpha, beside.icc
    if samples.unknown:
        note(f"{path} has a channel whose meaning is not said: it is left out")
    for channel in (colours, alpha):
        _expect_range(channel, path)
    if colours.shape[2] == 4:
        colours, how = inks.to_rgb(colours, icc)
        icc = None
        note(f"{path} holds inks (CMYK): {how}; the output is RGB in sRGB")
    if samples.multiplied:
        colours = divided(colours, alpha)
        note(f"{path} holds colours multiplied by alpha: they are divided by it, and written so")
    space = _space(icc, colours.shape[2], path, note)
    beside, turned = _upright(beside._replace(icc=icc), path, note)
    colours = turn(colours, turned)
    image = to_image(colours, space)
    exact = space is None and colours.dtype.kind == "u"
    photo = Photo(
        image=image,
        alpha=None if alpha is None else turn(alpha, turned),
        depth="float32" if colours.dtype.kind == "f" else 8 * colours.dtype.itemsize,  # type: ignore[arg-type]
        format=file.format,
        beside=beside,
        levels=None if exact else colours,
    )
    for array in (photo.image, photo.alpha, photo.levels):
        if array is not None:
            array.flags.writeable = False
    return photo


def pages(path: str | Path) -> int:
    """Number of pages or frames of a file.

    Raises:
        ImageFileError: if it cannot be opened.
    """
    with open_photo(Path(path)) as file:
        return file.pages


def photo_size(path: str | Path, *, page: int | None = None) -> tuple[int, int]:
    """Height and width of what `read_photo` returns, from the header.

    Raises:
        ImageFileError: if the header is damaged, or as `read_photo` for the page.
    """
    path = Path(path)
    with open_photo(path) as file:
        index = _index(file, path, page)
        height, width = file.size(index)
        beside = file.beside(index)
    try:
        turned = orientation(beside.exif, beside.xmp)
    except ValueError:
        turned = 1
    return (width, height) if turned >= 5 else (height, width)


def _index(file: PhotoFile, path: Path, page: int | None) -> int:
    if page is None and file.pages > 1:
        raise ImageFileError(
            f"{path} has {file.pages} pages or frames: ask for one, page=1 to page={file.pages}"
        )
    if page is not None and not 1 <= page <= file.pages:
        raise ImageFileError(f"{path} has no page {page}: it has 1 to {file.pages}")
    return 0 if page is None else page - 1


def _expect_range(channel: Shaped[np.ndarray, ...] | None, path: Path) -> None:
    if channel is None or channel.dtype.kind == "u":
        return
    if bad := int(np.sum(~np.isfinite(channel))):
        raise ImageFileError(f"{path} has {bad} values that are not finite: fill them first")
    low, high = float(channel.min()), float(channel.max())
    if low < 0 or high > 1:
        raise ImageFileError(
            f"{path} holds floats from {low:g} to {high:g}: scale or tone-map them to [0, 1]"
        )


def _space(icc: bytes | None, channels: int, path: Path, note: Note) -> ColourSpace | None:
    if icc is None:
        return None
    try:
        return colour_space(icc, channels)
    except ValueError as error:
        note(f"{path} has a colour profile that {error}: taken as sRGB, and kept")
        return None


def _upright(beside: Beside, path: Path, note: Note) -> tuple[Beside, int]:
    """What is kept with every orientation 1, and what it was."""
    turned = 1
    try:
        turned = orientation(beside.exif, beside.xmp)
        rest = tuple(
            (name, upright(data) if name == b"tags" else data) for name, data in beside.rest
        )
        exif = None if beside.exif is None else upright(beside.exif)
        beside = beside._replace(exif=exif, rest=rest)
    except ValueError as error:
        note(f"{path} has damaged EXIF data ({error}): kept, but how it was held is not known")
    if beside.xmp is not None and turned > 1:
        beside = beside._replace(xmp=upright_xmp(beside.xmp))
    return beside, turned


def to_image(
    levels: Shaped[np.ndarray, "h w c"], space: ColourSpace | None
) -> Float32[np.ndarray, "h w c"]:
    """What levels of a file show, in sRGB."""
    into = space.to_srgb if space else lambda v: v
    return by_rows(lambda v: 2 * into(v / top(levels.dtype)) - 1, levels, np.float32)
