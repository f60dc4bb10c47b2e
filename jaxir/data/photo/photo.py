"""Photographs: read with all that belongs to them, and written as the same kind of file.

A restorer wants floats in sRGB, upright, in [-1, 1]; the owner of the file wants back its depth, its profile, its
transparency and every note of the camera. `Photo` is both. What a file is made of is elsewhere: `reading` and
`writing` know the formats, `icc` the colours, `orientation` how the camera was held, `levels` the bits.

A number is rounded to the nearest level, halfway to the even one, so that pixels which nobody touched get back
their own. Where colours went through a profile float32 cannot promise that for 16 bits (a power law is infinitely
steep at black), so their own levels are kept, and given back where the image is still what they became.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Float, Float32, Inexact, Shaped

from jaxir.data.files import ImageFileError, expect_image, expect_place, whole_file
from jaxir.data.photo import inks
from jaxir.data.photo.icc import ColourSpace, colour_space
from jaxir.data.photo.levels import by_rows, to_fractions, to_levels, top
from jaxir.data.photo.orientation import orientation, turn, upright, upright_xmp
from jaxir.data.photo.reading import Beside, PhotoFile, open_photo
from jaxir.data.photo.transparency import divided, fitted
from jaxir.data.photo.writing import DEPTHS, OPAQUE, SUFFIXES, fitting, write_samples

Depth = Literal[8, 16, "float32"]

TYPES: dict[Any, type] = {8: np.uint8, 16: np.uint16, "float32": np.float32}


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


def read_photo(path: str | Path, *, page: int | None = None) -> Photo:
    """The photograph in a file, known by its content: JPEG, PNG, TIFF, WebP, AVIF, HEIC, BMP or GIF.

    It is turned as its EXIF or XMP data say. A profile other than sRGB is followed to sRGB without a bound.
    Palettes become RGB, 1 bit becomes grey, CMYK becomes RGB in sRGB. Floats must be in [0, 1]. A UserWarning
    says what could not be followed or was left out.

    Args:
        path: the file.
        page: of a file with several pages or frames, from 1.

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
        _warn(f"{path} has a channel whose meaning is not said: it is left out")
    for channel in (colours, alpha):
        _expect_range(channel, path)
    if colours.shape[2] == 4:
        colours, how = inks.to_rgb(colours, icc)
        icc = None
        _warn(f"{path} holds inks (CMYK): {how}; the output is RGB in sRGB")
    if samples.multiplied:
        colours = divided(colours, alpha)
        _warn(f"{path} holds colours multiplied by alpha: they are divided by it, and written so")
    space = _space(icc, colours.shape[2], path)
    beside, turned = _upright(beside._replace(icc=icc), path)
    colours = turn(colours, turned)
    image = _to_image(colours, space)
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


def write_photo(
    path: str | Path,
    image: Inexact[np.ndarray, "h w c"],
    like: Photo,
    *,
    alpha: Inexact[np.ndarray, "h w 1"] | None = None,
    depth: Depth | None = None,
    overwrite: bool = False,
) -> None:
    """Write an image as the same kind of file as a photograph: its profile, depth, transparency and notes.

    The format is that of the name's end. A depth that it lacks becomes the greatest that it has; a transparency that
    it lacks is left out: a UserWarning says so. JPEG is written at quality 95 or that of the photograph, the greater,
    with its colours at full resolution. Equal input gives equal bytes. The file is whole or it is not there.

    Args:
        path: where; its folder exists.
        image: float in sRGB, (H, W, 1) or (H, W, 3), of the photograph's size or another.
        like: the photograph.
        alpha: a transparency in [-1, 1] (see `Photo.opacity`); the photograph's own by default. One of another size
            than the image is resized.
        depth: 8, 16 or "float32"; the photograph's by default.
        overwrite: whether a file that exists may be replaced.

    Raises:
        ImageFileError: if the place or the image will not do, or the format does not have the depth asked for.
    """
    path = Path(path)
    image = expect_image(image, path)
    expect_place(path, SUFFIXES, overwrite=overwrite)
    form = SUFFIXES[path.suffix.lower()]
    chosen = _depth(path, form, depth, like.depth)
    beside, left_out = fitting(like.beside, form)
    if form != like.format:
        beside = beside._replace(rest=())
    space = None
    if beside.icc is not None:
        if image.shape[2] == like.image.shape[2]:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # it was said when the photograph was read
                space = _space(beside.icc, image.shape[2], path)
        else:
            beside, left_out = beside._replace(icc=None), [*left_out, "ICC"]
    if left_out:
        _warn(f"{path} has no room for {', '.join(left_out)}: left out")
    pixels = _to_levels(image, space, like, TYPES[chosen])
    clear = like.alpha if alpha is None else (expect_image(alpha, path)[..., 0] + 1) / 2
    if clear is not None and form in OPAQUE:
        _warn(f"{path} cannot be transparent, as {form} is not: its transparency is left out")
    elif clear is not None:
        pixels = np.dstack([pixels, fitted(clear, pixels.shape[:2], pixels.dtype)])
    with whole_file(path) as file:
        write_samples(file, form, pixels, beside)


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


def _space(icc: bytes | None, channels: int, path: Path) -> ColourSpace | None:
    if icc is None:
        return None
    try:
        return colour_space(icc, channels)
    except ValueError as error:
        _warn(f"{path} has a colour profile that {error}: taken as sRGB, and kept")
        return None


def _upright(beside: Beside, path: Path) -> tuple[Beside, int]:
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
        _warn(f"{path} has damaged EXIF data ({error}): kept, but how it was held is not known")
    if beside.xmp is not None and turned > 1:
        beside = beside._replace(xmp=upright_xmp(beside.xmp))
    return beside, turned


def _to_image(
    levels: Shaped[np.ndarray, "h w c"], space: ColourSpace | None
) -> Float32[np.ndarray, "h w c"]:
    into = space.to_srgb if space else lambda v: v
    return by_rows(lambda v: 2 * into(v / top(levels.dtype)) - 1, levels, np.float32)


def _to_levels(
    image: Float[np.ndarray, "h w c"], space: ColourSpace | None, like: Photo, dtype: type
) -> Shaped[np.ndarray, "h w c"]:
    back = space.from_srgb if space else lambda v: v
    levels = by_rows(lambda x: to_levels(back((x + 1) / 2), dtype), image, dtype)
    own = like.levels
    if own is not None and own.shape == levels.shape and own.dtype == levels.dtype:
        untouched = np.all(image == _to_image(own, space), axis=2, keepdims=True)
        levels = np.where(untouched, own, levels)
    return levels


def _depth(path: Path, form: str, asked: Depth | None, own: Depth) -> Depth:
    has: tuple[Any, ...] = DEPTHS.get(form, (8,))
    if (asked or own) in has:
        return asked or own
    held = " or ".join(map(str, has))
    if asked is not None:
        raise ImageFileError(
            f"{path} cannot have depth {asked}, as {form} holds {held}: write .png or .tif"
        )
    _warn(f"{path} has {has[-1]} bits, as {form} holds {held}; the photograph has {own}")
    return has[-1]


def _warn(message: str) -> None:
    warnings.warn(message, stacklevel=3)
