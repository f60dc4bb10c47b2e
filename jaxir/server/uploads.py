"""Photos that were handed in: measured before they are decoded, decoded before they are believed.

Two limits come before a decoder sees a file: its bytes, counted while they arrive, and its pixels, as the header
declares them, since a file of a few kilobytes can unfold to gigabytes. Then it is decoded once, one at a time, so that
what is broken is known while the person who chose it still looks. It is kept under a random id.
"""

from __future__ import annotations

import contextlib
import math
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, NamedTuple

from jaxir.server.names import clean_name
from jaxir.server.pictures import jpeg
from jaxir.server.refusal import Refusal

if TYPE_CHECKING:
    from jaxir.data import Photo

THUMBNAIL = 640
"""Longest side in pixels."""

FIRST = 1
"""The page that is taken of a file with several."""


class Upload(NamedTuple):
    """A photo that was handed in and can be read.

    Attributes:
        id: random.
        name: what it was called, to be shown.
        path: where it lies.
        height: in pixels, as it is seen.
        width: likewise.
        format: as Pillow calls it.
        depth: bits of a channel, or float32.
        size: of the file, in bytes.
        pages: or frames in the file, of which the first is taken.
        thumbnail: a small JPEG.
    """

    id: str
    name: str
    path: Path
    height: int
    width: int
    format: str
    depth: int | str
    size: int
    pages: int
    thumbnail: bytes

    def told(self) -> dict[str, Any]:
        """What the page knows of it."""
        hidden = ("path", "thumbnail")
        return {name: value for name, value in self._asdict().items() if name not in hidden}


class Uploads:
    """The photos of a session, or its masks.

    Args:
        folder: where they lie.
        keep: how many; the one that was not used for longest goes first.
        pixels: the largest photo that is decoded.
    """

    def __init__(self, folder: Path, *, keep: int, pixels: int) -> None:
        self._folder, self._keep, self._pixels = folder, keep, pixels
        self._uploads: dict[str, Upload] = {}
        self._one_at_a_time, self._changing = Lock(), Lock()

    def photo(self, id: object) -> Upload:
        """The photo of that id.

        Raises:
            Refusal: 404 if there is none.
        """
        with self._changing:
            if not isinstance(id, str) or id not in self._uploads:
                raise Refusal(404, "there is no such photo here any more: choose it again")
            found = self._uploads[id] = self._uploads.pop(id)  # the last to go
        return found

    def forget(self, id: str) -> None:
        """Remove the photo of that id, if it is still there."""
        with self._changing:
            upload = self._uploads.pop(id, None)
        if upload is not None:
            upload.path.unlink(missing_ok=True)

    @contextlib.contextmanager
    def room(self) -> Iterator[Path]:
        """A new file to write an upload to; it is gone afterwards unless `admit` has taken it."""
        path = self._folder / f"{new_id()}.part"
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            yield path
        finally:
            path.unlink(missing_ok=True)

    def admit(self, part: Path, name: str) -> Upload:
        """Look at a file that has arrived, and keep it if it is a photo.

        Raises:
            Refusal: 400 if it is empty, 413 if it has too many pixels, 415 if it is no photo that can be read, 422
                if it is one and damaged.
        """
        size = part.stat().st_size
        if not size:
            raise Refusal(400, "the file is empty: choose another")
        pages = self._expect_pixels(part)
        with self._one_at_a_time:
            photo = _decoded(part)
            id = new_id()
            path = self._folder / id
            part.rename(path)
            height, width = photo.image.shape[:2]
            upload = Upload(
                id=id,
                name=clean_name(name),
                path=path,
                height=height,
                width=width,
                format=photo.format,
                depth=photo.depth,
                size=size,
                pages=pages,
                thumbnail=jpeg(photo.image, THUMBNAIL),
            )
        with self._changing:
            self._uploads[id] = upload
            old = list(self._uploads)[: -self._keep]
        for each in old:
            self.forget(each)
        return upload

    def _expect_pixels(self, part: Path) -> int:
        """The pages of a file, unless it declares too many pixels, or nothing that can be read; nothing is decoded.

        Raises:
            Refusal: 413 or 415.
        """
        from jaxir.data import ImageFileError, pages, photo_size
        from jaxir.data.declared_size import declared_size

        with part.open("rb") as file:
            size = declared_size(file)
        try:
            if size is None or math.prod(size) <= self._pixels:
                size = photo_size(part, page=FIRST)
        except ImageFileError as error:
            raise Refusal(415, _without_path(error, part)) from None
        if math.prod(size) > self._pixels:
            most = self._pixels / 1e6
            raise Refusal(
                413, f"the photo has more than the {most:g} megapixels that this server takes"
            )
        return pages(part)


def new_id() -> str:
    """128 bits that nobody guesses."""
    return secrets.token_hex(16)


def lend(path: Path, place: Path) -> None:
    """The same file in another place, where it stays when the upload goes; no second copy of its bytes."""
    try:
        os.link(path, place)
    except OSError:  # a file system without links
        shutil.copyfile(path, place)


def _decoded(part: Path) -> Photo:
    """The photo, decoded to its last pixel."""
    from jaxir.data import ImageFileError, read_photo

    try:
        return read_photo(part, page=FIRST)
    except ImageFileError as error:
        raise Refusal(422, _without_path(error, part)) from None


def _without_path(error: Exception, part: Path) -> str:
    return " ".join(str(error).replace(str(part), "the file").split())
