"""Images in folders: looked through at the start, so that what is wrong with them is said before training.

A header tells whether a file is an image and of what size; only what a step asks for is decoded.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path

import numpy as np

from jaxir.data.image_file import ImageFileError, image_files, image_size, read_image

MEMORY = 8 * 2**30
"""Bytes of decoded images that a folder keeps."""

NAMED = 10
"""Files that a message names; the rest are counted."""


class UnreadableImageWarning(UserWarning):
    """Some image files cannot be read and are left out."""


class ImageFolder:
    """The images of some folders in colour; as many as fit into `memory` are decoded once and kept.

    A file that cannot be read is skipped, and one `UnreadableImageWarning` names them all; `unreadable` lists them.

    Args:
        folders: each is searched with its subfolders.
        leave_out: SHA-256 digests (hex) of files that must not be used.
        memory: bytes of decoded images that are kept.

    Raises:
        ImageFileError: if a folder is missing or holds no image, if every image is left out, or if none is readable.
    """

    def __init__(
        self,
        folders: Sequence[str | Path],
        *,
        leave_out: Collection[str] = (),
        memory: int = MEMORY,
    ) -> None:
        found = [path for folder in folders for path in image_files(Path(folder))]
        wanted = [path for path in found if not leave_out or _digest(path) not in leave_out]
        if not wanted:
            raise ImageFileError(
                f"{', '.join(map(str, folders))}: {len(found)} images, all of them in leave_out"
            )
        sizes, self.unreadable = look_through(wanted)
        self.paths, self._sizes = list(sizes), list(sizes.values())
        self._kept = Kept(self._read, memory)

    def __len__(self) -> int:
        """Number of images."""
        return len(self.paths)

    def __getitem__(self, index: int) -> np.ndarray:
        """The image as uint8 RGB.

        Raises:
            ImageFileError: if it is damaged in the middle, which its header does not show.
        """
        return self._kept[index]

    def sizes(self) -> Sequence[tuple[int, int]]:
        """Height and width of each image."""
        return self._sizes

    def _read(self, index: int) -> np.ndarray:
        return read_colour(self.paths[index])


class Kept:
    """What `make` returns for each number, kept once made as long as `memory` bytes hold it."""

    def __init__(self, make: Callable[[int], np.ndarray], memory: int) -> None:
        self._make, self._free = make, memory
        self._images: dict[int, np.ndarray] = {}

    def __getitem__(self, index: int) -> np.ndarray:
        image = self._images.get(index)
        if image is None:
            image = self._make(index)
            if image.nbytes <= self._free:
                self._free -= image.nbytes
                self._images[index] = image
        return image


def look_through(paths: Sequence[Path]) -> tuple[dict[Path, tuple[int, int]], list[Path]]:
    """The sizes of the images that can be read, and the paths of the others, which a warning names.

    Raises:
        ImageFileError: if none can be read.
    """
    sizes: dict[Path, tuple[int, int]] = {}
    errors: dict[Path, ImageFileError] = {}
    for path in paths:
        try:
            sizes[path] = image_size(path)
        except ImageFileError as error:
            errors[path] = error
    if errors:
        first = next(iter(errors.values()))
        if not sizes:
            raise ImageFileError(
                f"none of the {len(paths)} images found can be read; the first: {first}"
            )
        warnings.warn(
            f"{len(errors)} of {len(paths)} images cannot be read and are skipped: {named(errors)}; "
            f"the first: {first}",
            UnreadableImageWarning,
            stacklevel=3,
        )
    return sizes, list(errors)


def read_colour(path: Path) -> np.ndarray:
    """The image in a file as uint8 of three channels."""
    image = read_image(path)
    if image.shape[-1] == 1:
        image = np.repeat(image, 3, axis=-1)
    return np.round((image + 1) * 127.5).astype(np.uint8)


def named(names: Iterable[object]) -> str:
    """The first names in a line, and how many more there are."""
    words = [str(name) for name in names]
    more = f" and {len(words) - NAMED} more" if len(words) > NAMED else ""
    return ", ".join(words[:NAMED]) + more


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
