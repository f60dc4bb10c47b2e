"""Where training images come from.

A source is a sized collection of images and nothing else; which crop of which image a step sees is decided by
(seed, step) in `pipeline.py`, so a resumed run sees what the interrupted one would have seen.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from jaxir.data.image_file import ImageFileError, image_files, read_image


class Source(Protocol):
    """Images by number, uint8 of shape (H, W, C)."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> np.ndarray: ...


class ImageFolder:
    """The images of some folders, decoded once and kept as bytes in memory.

    Args:
        folders: each is searched with its subfolders.
        leave_out: SHA-256 digests (hex) of files that must not be used.

    Raises:
        ImageFileError: if a folder is missing or holds no image, or if every image is left out.
    """

    def __init__(self, folders: Sequence[str | Path], *, leave_out: Collection[str] = ()) -> None:
        found = [path for folder in folders for path in image_files(Path(folder))]
        self.paths = [path for path in found if not leave_out or _digest(path) not in leave_out]
        if not self.paths:
            raise ImageFileError(
                f"{', '.join(map(str, folders))}: {len(found)} images, all of them in leave_out"
            )
        self._decoded: dict[int, np.ndarray] = {}

    def __len__(self) -> int:
        """Number of images."""
        return len(self.paths)

    def __getitem__(self, index: int) -> np.ndarray:
        """The image as uint8 RGB."""
        if index not in self._decoded:
            image = np.asarray(read_image(self.paths[index]))
            if image.shape[-1] == 1:
                image = np.repeat(image, 3, axis=-1)
            self._decoded[index] = np.round((image + 1) * 127.5).astype(np.uint8)
        return self._decoded[index]


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
