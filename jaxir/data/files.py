"""What can be wrong with a file of an image, said in one line, before it is decoded or written over.

Reading: the file is there, and the size that it declares is judged before a decoder makes room for it; whatever
a decoder raises on broken data becomes one line. Writing: the file is written beside its place and takes it when
it is on the disk, so a process that is killed, or a machine that loses its power, leaves the old file or none (and
perhaps a hidden `.NAME.*.part` that nothing reads).
"""

from __future__ import annotations

import os
import re
import uuid
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
from jaxtyping import Float, Inexact

from jaxir.data.declared_size import declared_size


class ImageFileError(ValueError):
    """An image file cannot be read or must not be written; one line says why."""


@contextmanager
def decoding(path: Path) -> Iterator[None]:
    """Whatever is wrong with the file, before or while it is decoded, is an `ImageFileError` of one line."""
    from PIL import Image

    _expect_file(path)
    _hush_pillow()
    try:
        with path.open("rb") as file:
            expect_trusted(declared_size(file), path)
        yield
    except ImageFileError:
        raise
    except Image.UnidentifiedImageError as error:
        raise ImageFileError(
            f"{path} is not an image that Pillow knows: give a PNG, JPEG, TIFF or WebP file"
        ) from error
    except Image.DecompressionBombError as error:
        raise ImageFileError(f"{path} says that it has more pixels than {_trust()}") from error
    except Exception as error:  # decoders raise whatever comes up on broken data
        why = " ".join(str(error).split()) or type(error).__name__
        raise ImageFileError(f"{path} cannot be decoded ({why}): get the file again") from error


def expect_trusted(size: tuple[int, int] | None, path: Path) -> None:
    """Raise if a height and width are more pixels than Pillow decodes."""
    from PIL import Image

    if size is None or Image.MAX_IMAGE_PIXELS is None:
        return
    height, width = size
    if height * width > 2 * Image.MAX_IMAGE_PIXELS:
        raise ImageFileError(
            f"{path} says that it has {width} × {height} pixels, more pixels than {_trust()}"
        )


def expect_suffix(path: Path, suffixes: Iterable[str]) -> None:
    """Raise unless the name ends as that of a known format does."""
    if path.suffix.lower() not in suffixes:
        raise ImageFileError(
            f"{path} ends in {path.suffix!r}, which is no known format: use {', '.join(suffixes)}"
        )


def expect_place(path: Path, suffixes: Iterable[str], *, overwrite: bool) -> None:
    """Raise unless a file of a known format can be written there."""
    expect_suffix(path, suffixes)
    if path.is_dir():
        raise ImageFileError(f"{path} is a folder: give the name of a file in it")
    if path.exists() and not overwrite:
        raise ImageFileError(f"{path} exists: choose another name, or allow it to be overwritten")
    if not path.parent.is_dir():
        raise ImageFileError(f"{path.parent} is not a folder: create it first")


def expect_image(image: Inexact[np.ndarray, "h w c"], path: Path) -> Float[np.ndarray, "h w c"]:
    """The image as float32 if it can be written, an `ImageFileError` if not."""
    image = np.asarray(image)
    if image.ndim != 3 or image.shape[2] not in (1, 3) or image.size == 0:
        raise ImageFileError(
            f"the image for {path} has shape {image.shape}, expected (H, W, 1) or (H, W, 3)"
        )
    if image.dtype.kind in "biu":
        raise ImageFileError(
            f"the image for {path} has dtype {image.dtype}, expected floats in [-1, 1]: "
            "pass x / 127.5 - 1 for 8 bits"
        )
    image = image.astype(np.float32)
    if bad := int(np.sum(~np.isfinite(image))):
        raise ImageFileError(
            f"the image for {path} has {bad} values that are not finite: nothing was written"
        )
    return image


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """A file to write to, which stands at `path` when the block has ended; if it raises, nothing does."""
    room = 255 - len("..12345678.part")  # a name has 255 bytes
    name = os.fsencode(path.name)[:room].decode("utf-8", "ignore")
    part = path.with_name(f".{name}.{uuid.uuid4().hex[:8]}.part")
    try:
        with part.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except OSError as error:
        raise ImageFileError(
            f"{path} cannot be written ({error.strerror or error}): choose another place"
        ) from error
    finally:
        part.unlink(missing_ok=True)


def is_part(name: str) -> bool:
    """Whether `whole_file` gives such names to files that are on their way; a process that is killed leaves them."""
    return re.fullmatch(r"\..*\.[0-9a-f]{8}\.part", name, re.DOTALL) is not None


def _hush_pillow() -> None:
    """Leave out Pillow's warnings: what they tell of is judged and said here.

    Filters belong to all threads, so this one is never taken away again: who restores the filters that he found
    while another thread reads may put back those which the other had set.
    """
    ours = ("ignore", None, Warning, re.compile(r"PIL\."), 0)
    if warnings.filters[:1] != [ours]:
        warnings.filterwarnings("ignore", module=r"PIL\.")


def _trust() -> str:
    from PIL import Image

    return (
        f"Pillow trusts ({2 * (Image.MAX_IMAGE_PIXELS or 0)}): "
        "raise PIL.Image.MAX_IMAGE_PIXELS if you know the file"
    )


def _expect_file(path: Path) -> None:
    if path.is_dir():
        raise ImageFileError(f"{path} is a folder: give an image file")
    if not path.exists():
        raise ImageFileError(f"{path} does not exist: give an image file")
    if path.is_file() and path.stat().st_size == 0:
        raise ImageFileError(f"{path} is empty (0 bytes): get the file again")
