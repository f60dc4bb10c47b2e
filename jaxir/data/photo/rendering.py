"""Photographs back into files: an image as the same kind of file as a photograph that was read.

Rendering is apart from placing, so that a caller has the bytes, and their hash, before the file stands in its place.

A number is rounded to the nearest level, halfway to the even one, so that pixels which nobody touched get back
their own. Where colours went through a profile float32 cannot promise that for 16 bits (a power law is infinitely
steep at black), so their own levels are kept, and given back where the image is still what they became.
"""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Inexact, Shaped

from jaxir.data.files import (
    ImageFileError,
    expect_image,
    expect_place,
    expect_suffix,
    whole_file,
)
from jaxir.data.photo.exif import resized
from jaxir.data.photo.icc import ColourSpace, colour_space
from jaxir.data.photo.levels import by_rows, to_levels
from jaxir.data.photo.photo import Depth, Note, Photo, to_image, warn
from jaxir.data.photo.reading import Beside
from jaxir.data.photo.transparency import fitted
from jaxir.data.photo.writing import DEPTHS, OPAQUE, SUFFIXES, fitting, missing, write_samples

TYPES: dict[Any, type] = {8: np.uint8, 16: np.uint16, "float32": np.float32}


def expect_writable(path: str | Path, depth: Depth | None = None) -> str:
    """The format of a file to be written, by the end of its name, if it can be written on this machine.

    Args:
        path: the file, which need not exist.
        depth: the depth asked for, if one is.

    Raises:
        ImageFileError: if the format is not known, needs a package that is not there, or lacks the depth.
    """
    path = Path(path)
    expect_suffix(path, SUFFIXES)
    form = SUFFIXES[path.suffix.lower()]
    if (needs := missing(form)) is not None:
        raise ImageFileError(f"{path} cannot be written without {needs}")
    if depth is not None and depth not in _depths(form):
        raise ImageFileError(
            f"{path} cannot have depth {depth}, as {form} holds {_held(form)}: write .png or .tif"
        )
    return form


def photo_bytes(
    image: Inexact[np.ndarray, "h w c"],
    like: Photo,
    path: str | Path,
    *,
    alpha: Inexact[np.ndarray, "h w 1"] | None = None,
    depth: Depth | None = None,
    note: Note = warn,
) -> bytes:
    """The content of a file with an image in it and the profile, depth, transparency and notes of a photograph.

    A depth that the format lacks becomes the greatest that it has; a transparency that it lacks is left out. JPEG
    is written at quality 95 or that of the photograph, the greater, with its colours at full resolution. EXIF data
    stay byte by byte but for the size of the image, which becomes the true one, and the thumbnail, which would show
    the degraded photograph: nothing points to it any more. Equal input gives equal bytes.

    Args:
        image: float in sRGB, (H, W, 1) or (H, W, 3), of the photograph's size or another.
        like: the photograph.
        path: the file that it is for, whose end says the format; nothing is written there.
        alpha: a transparency in [-1, 1] (see `Photo.opacity`); the photograph's own by default. One of another size
            than the image is resized.
        depth: 8, 16 or "float32"; the photograph's by default.
        note: told what was left out; a UserWarning by default.

    Raises:
        ImageFileError: if the image will not do, or as `expect_writable`.
    """
    path = Path(path)
    image = expect_image(image, path)
    form = expect_writable(path, depth)
    chosen = depth or like.depth
    if chosen not in _depths(form):
        chosen = _depths(form)[-1]
        note(
            f"{path} has {chosen} bits, as {form} holds {_held(form)}; the photograph has {like.depth}"
        )
    beside, left_out = fitting(_restated(like.beside, image.shape[:2]), form)
    if form != like.format:
        beside = beside._replace(rest=())
    if beside.icc is not None and image.shape[2] != like.image.shape[2]:
        beside, left_out = beside._replace(icc=None), [*left_out, "ICC"]
    if left_out:
        note(f"{path} has no room for {', '.join(left_out)}: left out")
    pixels = _to_levels(image, _space(beside.icc, image.shape[2]), like, TYPES[chosen])
    clear = like.alpha if alpha is None else (expect_image(alpha, path)[..., 0] + 1) / 2
    if clear is not None and form in OPAQUE:
        note(f"{path} cannot be transparent, as {form} is not: its transparency is left out")
    elif clear is not None:
        pixels = np.dstack([pixels, fitted(clear, pixels.shape[:2], pixels.dtype)])
    file = BytesIO()
    write_samples(file, form, pixels, beside)
    return file.getvalue()


def write_photo(
    path: str | Path,
    image: Inexact[np.ndarray, "h w c"],
    like: Photo,
    *,
    alpha: Inexact[np.ndarray, "h w 1"] | None = None,
    depth: Depth | None = None,
    overwrite: bool = False,
    note: Note = warn,
) -> None:
    """Write `photo_bytes`, which says what the other arguments are; the file is whole or it is not there.

    Args:
        path: where; its folder exists.
        image: float in sRGB, (H, W, 1) or (H, W, 3), of the photograph's size or another.
        like: the photograph.
        alpha: a transparency in [-1, 1]; the photograph's own by default.
        depth: 8, 16 or "float32"; the photograph's by default.
        overwrite: whether a file that exists may be replaced.
        note: told what was left out; a UserWarning by default.

    Raises:
        ImageFileError: if the place will not do, or as `photo_bytes`.
    """
    path = Path(path)
    expect_place(path, SUFFIXES, overwrite=overwrite)
    content = photo_bytes(image, like, path, alpha=alpha, depth=depth, note=note)
    with whole_file(path) as file:
        file.write(content)


def _depths(form: str) -> tuple[Any, ...]:
    return DEPTHS.get(form, (8,))


def _held(form: str) -> str:
    return " or ".join(map(str, _depths(form)))


def _restated(beside: Beside, size: tuple[int, int]) -> Beside:
    """What stands beside the pixels, of another picture and its size."""
    exif = None if beside.exif is None else resized(beside.exif, *size)
    rest = [(name, resized(data, *size) if name == b"tags" else data) for name, data in beside.rest]
    return beside._replace(exif=exif, rest=tuple(rest))


def _space(icc: bytes | None, channels: int) -> ColourSpace | None:
    """The colours of a profile; what is wrong with it was said when the photograph was read."""
    try:
        return None if icc is None else colour_space(icc, channels)
    except ValueError:
        return None


def _to_levels(
    image: Float[np.ndarray, "h w c"], space: ColourSpace | None, like: Photo, dtype: type
) -> Shaped[np.ndarray, "h w c"]:
    back = space.from_srgb if space else lambda v: v
    levels = by_rows(lambda x: to_levels(back((x + 1) / 2), dtype), image, dtype)
    own = like.levels
    if own is not None and own.shape == levels.shape and own.dtype == levels.dtype:
        untouched = np.all(image == to_image(own, space), axis=2, keepdims=True)
        levels = np.where(untouched, own, levels)
    return levels
