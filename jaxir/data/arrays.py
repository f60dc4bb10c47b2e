"""Images that are in memory already, or in a file of NumPy's."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np


class Arrays:
    """A source of the images in one array.

    Args:
        images: (N, H, W, C), uint8, or floats in [-1, 1], which are rounded to 8 bits; (N, H, W, 2C) for pairs.

    Raises:
        ValueError: for another shape, dtype or range.
    """

    def __init__(self, images: np.ndarray) -> None:
        if images.ndim != 4 or 0 in images.shape:
            raise ValueError(f"images has shape {images.shape}, expected (N, H, W, C)")
        if images.dtype.kind == "f":
            low, high = images.min(), images.max()
            if not (low >= -1 and high <= 1):  # nan compares false
                raise ValueError(
                    f"images spans [{low:g}, {high:g}], expected floats in [-1, 1]: "
                    "pass uint8 for values up to 255"
                )
            images = np.round((images + 1) * 127.5).astype(np.uint8)
        if images.dtype != np.uint8:
            raise ValueError(
                f"images has dtype {images.dtype}, expected uint8 or floats in [-1, 1]"
            )
        self.images = images

    @classmethod
    def load(cls, path: str | Path, key: str | None = None) -> Arrays:
        """The array of a `.npy` file, which stays on the disk while it is uint8, or one of a `.npz` file.

        Args:
            path: the file.
            key: name of the array in a `.npz` file; not needed where there is one.

        Raises:
            ValueError: if the file is no such file or holds no such array.
        """
        try:
            file = np.load(path, mmap_mode="r")
        except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
            why = " ".join(str(error).split())
            raise ValueError(
                f"{path} cannot be read as arrays ({why}): give a .npy or .npz file"
            ) from error
        if isinstance(file, np.ndarray):
            if key is not None:
                raise ValueError(f"key is {key!r}, but {path} holds one array without a name")
            return cls(file)
        with file:
            if key is None and len(file.files) == 1:
                key = file.files[0]
            if key not in file.files:
                raise ValueError(
                    f"key is {key!r}, expected an array of {path}: one of {', '.join(file.files)}"
                )
            return cls(file[key])

    def __len__(self) -> int:
        """Number of images."""
        return len(self.images)

    def __getitem__(self, index: int) -> np.ndarray:
        """The image as uint8."""
        return self.images[index]

    def sizes(self) -> Sequence[tuple[int, int]]:
        """Height and width of each image."""
        return [self.images.shape[1:3]] * len(self)
