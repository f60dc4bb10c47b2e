"""Images in files: floats in [-1, 1] inside, 8 bits outside; a file is whole or it is not there."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, Inexact, UInt

from jaxir.data.files import ImageFileError, decoding, expect_image, expect_place, whole_file

if TYPE_CHECKING:
    from PIL import Image as Pillow

FORMATS: dict[str, tuple[str, dict[str, Any]]] = {
    ".bmp": ("BMP", {}),
    ".jpeg": ("JPEG", {"quality": 95, "subsampling": 0}),
    ".jpg": ("JPEG", {"quality": 95, "subsampling": 0}),
    ".png": ("PNG", {}),
    ".tif": ("TIFF", {}),
    ".tiff": ("TIFF", {}),
    ".webp": ("WEBP", {"lossless": True}),
}
"""Pillow's name of each format by the end of the file's name, and how it is written."""

LAST_BYTES = {"JPEG": b"\xff\xd9", "PNG": b"IEND\xaeB`\x82"}
"""How a whole file ends, in the formats that say so."""


def read_image(path: str | Path) -> Float[np.ndarray, "h w c"]:
    """The image in a file as float32 in [-1, 1]: one channel if it is grey, else three.

    v ↦ 2 v/255 − 1, and 2 v/65535 − 1 for grey of 16 bits. It is turned as its EXIF orientation
    says. A palette is looked up. Where some pixels are transparent the colours are returned, the
    transparency is dropped and a UserWarning says so. Of several frames it is the first.

    Raises:
        ImageFileError: if the file is missing, empty, truncated, too large or no image, or holds
            what Pillow would cut to 8 bits without a word (16 bits a channel in colour) or has no
            range (floats).
    """
    from PIL import ImageOps

    path = Path(path)
    with _opened(path) as file:
        file.load()
        pixels, transparent = _decode(ImageOps.exif_transpose(file))
    if transparent:
        warnings.warn(
            f"{path} is partly transparent: its colours are read and its transparency is dropped",
            stacklevel=2,
        )
    scale = np.float32(np.iinfo(pixels.dtype).max / 2)
    image = pixels.astype(np.float32) / scale - 1
    return image[..., None] if image.ndim == 2 else image


def image_size(path: str | Path) -> tuple[int, int]:
    """Height and width of what `read_image` returns, from the header where it can be trusted.

    A PNG or JPEG file that ends as such a file should is not decoded. Any other is, so that one cut
    short is found here.

    Raises:
        ImageFileError: as `read_image`, but for damage in the middle of a file.
    """
    from PIL import Image, ImageOps

    path = Path(path)
    with _opened(path) as file:
        if file.format in LAST_BYTES and _ends(path, LAST_BYTES[file.format]):
            width, height = file.size
            # Pillow's own reader of PNG decodes the image to look for EXIF behind it
            turned = Image.Image.getexif(file).get(0x0112) in (5, 6, 7, 8)
            return (width, height) if turned else (height, width)
        width, height = ImageOps.exif_transpose(file).size
        return height, width


def write_image(
    path: str | Path, image: Inexact[np.ndarray, "h w c"], *, overwrite: bool = False
) -> None:
    """Write an image with 8 bits a channel, in the format of the name's end (JPEG at quality 95).

    Values are clipped to [-1, 1] and rounded to the nearest of 256 levels. The file is written
    beside its place and moved there when it is complete.

    Args:
        path: where; its folder exists.
        image: of shape (H, W, 1) or (H, W, 3), float in [-1, 1].
        overwrite: whether a file that exists may be replaced.

    Raises:
        ImageFileError: if the file exists and `overwrite` is not set, if its folder does not or its
            name ends in no known format, and if the image has another shape, holds integers or is
            not finite.
    """
    from PIL import Image

    path = Path(path)
    image = expect_image(image, path)
    expect_place(path, FORMATS, overwrite=overwrite)
    pixels = np.round((np.clip(image, -1, 1) + 1) * np.float32(127.5)).astype(np.uint8)
    form, options = FORMATS[path.suffix.lower()]
    with whole_file(path) as file:
        Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels).save(
            file, form, **options
        )


def image_files(folder: str | Path, endings: Iterable[str] = FORMATS) -> list[Path]:
    """The image files of a folder and its subfolders, sorted; hidden ones, and those in hidden folders, are left out.

    Args:
        folder: where to look.
        endings: of their names, in small letters.

    Raises:
        ImageFileError: if it is not a folder, or holds no image.
    """
    folder = Path(folder)
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "does not exist"
        raise ImageFileError(f"{folder} {what}: give a folder of images")
    found = sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in endings and path.is_file() and not is_hidden(path, folder)
    )
    if not found:
        raise ImageFileError(
            f"{folder} holds no image: files are looked for whose names end in {', '.join(endings)}"
        )
    return found


def is_hidden(path: Path, folder: Path) -> bool:
    """Whether a file below a folder is hidden there, or lies in a folder that is."""
    return any(part.startswith(".") for part in path.relative_to(folder).parts)


@contextmanager
def _opened(path: Path) -> Iterator[Pillow.Image]:
    """The open file, of a depth that is known."""
    from PIL import Image

    # by its name Pillow would map some TIFF files into memory as if they were upright, then turn them
    with decoding(path), path.open("rb") as stream, Image.open(stream) as file:
        _expect_known_depth(file, path)
        yield file


def _ends(path: Path, last: bytes) -> bool:
    with path.open("rb") as file:
        file.seek(-min(len(last), path.stat().st_size), os.SEEK_END)
        return file.read() == last


def _expect_known_depth(file: Pillow.Image, path: Path) -> None:
    """Raise unless pixels have 8 bits, or 16 in grey; `tile` says what the decoder will unpack."""
    raw = [str(tile[3]) for tile in getattr(file, "tile", [])]
    if file.mode in ("I", "F"):
        raise ImageFileError(
            f"{path} holds numbers that Pillow reads with 32 bits, whose range is not known: "
            "convert it to 8 bits, or to PNG for 16 bits in grey"
        )
    if not file.mode.startswith("I;16") and any(";16" in args or "65535" in args for args in raw):
        raise ImageFileError(
            f"{path} holds 16 bits a channel, which Pillow would cut to 8 without a word: "
            "convert it to 8 bits, or to grey without transparency"
        )


def _decode(
    file: Pillow.Image,
) -> tuple[UInt[np.ndarray, "h w"] | UInt[np.ndarray, "h w 3"], bool]:
    """The pixels, uint8 or uint16, and whether some are transparent."""
    if file.mode.startswith("I;16"):
        return np.asarray(file).astype(np.uint16), False
    transparent = False
    if file.has_transparency_data:
        transparent = bool(np.asarray(file.convert("RGBA"))[..., 3].min() < 255)
    grey = file.mode in ("1", "L", "LA", "La")
    return np.asarray(file.convert("L" if grey else "RGB")), transparent
