"""The photographs of `jaxir.photos`, cut from scikit-image's public-domain pictures.

    python benchmarks/make_photos.py            compares the pixels with those in the package
    python benchmarks/make_photos.py --write    writes them

Each picture is reduced by the mean of blocks, in integers, and cut to 96 × 96: the same pixels on
every machine.
"""

import argparse
from pathlib import Path
from typing import NamedTuple

import numpy as np
import skimage.data
from PIL import Image

FOLDER = Path(__file__).resolve().parents[1] / "jaxir" / "photos"
SIDE = 96


class Cut(NamedTuple):
    """Which picture, by how much it is reduced, and the corner of the crop after that."""

    picture: str
    factor: int
    top: int
    left: int


CUTS = {
    "astronaut": Cut("astronaut", 2, 4, 72),
    "cat": Cut("chelsea", 3, 2, 36),
    "coffee": Cut("coffee", 3, 3, 54),
}


def reduce(image: np.ndarray, factor: int) -> np.ndarray:
    """The mean over blocks of factor × factor pixels, rounded half up, uint8 to uint8."""
    height, width = (side // factor for side in image.shape[:2])
    cut = image[: height * factor, : width * factor].astype(np.int64)
    total = cut.reshape(height, factor, width, factor, -1).sum((1, 3))
    return ((2 * total + factor**2) // (2 * factor**2)).astype(np.uint8)


def photograph(cut: Cut) -> np.ndarray:
    small = reduce(getattr(skimage.data, cut.picture)(), cut.factor)
    return small[cut.top : cut.top + SIDE, cut.left : cut.left + SIDE]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="write the files of the package")
    write = parser.parse_args().write
    for name, cut in CUTS.items():
        path, pixels = FOLDER / f"{name}.png", photograph(cut)
        if write:
            Image.fromarray(pixels).save(path, optimize=True)
        same = np.array_equal(np.asarray(Image.open(path)), pixels)
        print(f"{path.name}: {pixels.shape}, {path.stat().st_size} bytes, pixels equal: {same}")
        if not same:
            raise SystemExit(f"{path} differs from what this script makes: run it with --write")


if __name__ == "__main__":
    main()
