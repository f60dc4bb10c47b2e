"""Data sets of TFDS by name, read by number and without TensorFlow.

TFDS reads ArrayRecord and Parquet files without TensorFlow; its older TFRecord files know no numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np


class Tfds:
    """One image feature of a prepared TFDS data set.

    Nothing is downloaded. A set is prepared once, by
    `tfds.builder(name, file_format="array_record").download_and_prepare()`, which may ask for TensorFlow.

    Args:
        name: of the set, with configuration and version where needed: "div2k/bicubic_x2".
        split: such as "train", or "train[:90%]" where the files are ArrayRecord.
        key: of the image among the features.
        data_dir: the folder of prepared sets; TFDS's own if it is not given.

    Raises:
        ValueError: if there is no such set, split or image feature, or if it is not prepared.
    """

    def __init__(
        self, name: str, split: str, *, key: str = "image", data_dir: str | Path | None = None
    ) -> None:
        import tensorflow_datasets as tfds

        try:
            self._examples = tfds.data_source(name, split=split, data_dir=data_dir, download=False)
        except Exception as error:  # TFDS raises whatever its parts raise
            why = str(error).strip("\"'").splitlines() or [type(error).__name__]
            raise ValueError(
                f"the split {split!r} of the TFDS set {name!r} cannot be opened ({why[0]}): prepare the set by "
                f'`tfds.builder({name!r}, file_format="array_record").download_and_prepare()`, or name '
                "its folder by data_dir"
            ) from error
        info = self._examples.dataset_info
        if info.file_format is tfds.core.FileFormat.PARQUET and split not in info.splits:
            raise ValueError(
                f"split is {split!r}, but TFDS reads whole splits only from the Parquet files of "
                f"{name!r}: use one of {', '.join(info.splits)} and `holdout`"
            )
        images = {
            label: feature
            for label, feature in info.features.items()
            if isinstance(feature, tfds.features.Image) and feature.np_dtype == np.uint8
        }
        if key not in images:
            raise ValueError(
                f"key is {key!r}, expected an image of 8 bits in {name!r}: "
                f"{', '.join(images) or 'it has none'}"
            )
        self._key, self._shape = key, images[key].shape

    def __len__(self) -> int:
        """Number of images."""
        return len(self._examples)

    def __getitem__(self, index: int) -> np.ndarray:
        """The image as uint8, (H, W, C) with the channels that the set has."""
        return self._examples[index][self._key]

    def sizes(self) -> Sequence[tuple[int, int]] | None:
        """Height and width of each image, if all have one size by the set's description."""
        height, width, _ = self._shape
        return [(height, width)] * len(self) if height and width else None
