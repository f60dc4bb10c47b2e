"""Pairs of images in two folders, matched by their names.

What could go wrong with a pair (no partner, two partners, another size) is settled at the start from names and
headers; afterwards a pair is one image of six channels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from jaxir.data.image_file import ImageFileError, image_files
from jaxir.data.image_folder import MEMORY, Kept, look_through, named, read_colour


def _itself(stem: str) -> str:
    return stem


class PairFolder:
    """A source of pairs: the clean image's colours, then the degraded one's, (H, W, 6).

    The partner of a degraded image has its name but for the extension, or the name that `match` makes of it: with
    `match=lambda stem: stem.split("_")[0]`, `degraded/1_2_0.97.png` belongs to `clean/1.png`. Several degraded images
    may share a clean one. Names are relative to their folder, so subfolders are matched too. A pair of which a file
    cannot be read is skipped, with a warning that names the file.

    Args:
        clean: folder of clean images.
        degraded: folder of degraded images.
        match: stem of a degraded image -> stem of its clean one.
        memory: bytes of decoded pairs that are kept.

    Raises:
        ImageFileError: if a folder is missing or holds no readable image, if an image has no partner or two, or if
            the sizes in a pair differ.
    """

    def __init__(
        self,
        clean: str | Path,
        degraded: str | Path,
        *,
        match: Callable[[str], str] = _itself,
        memory: int = MEMORY,
    ) -> None:
        clean, degraded = Path(clean), Path(degraded)
        partners = _by_stem(clean)
        found = {path: match(_stem(path, degraded)) for path in image_files(degraded)}
        claimed = set(found.values())
        alone = [path for path, stem in found.items() if stem not in partners]
        alone += [path for stem, path in partners.items() if stem not in claimed]
        if alone:
            raise ImageFileError(
                f"{len(alone)} images have no partner: {named(alone)}: give partners the same name but for "
                "the extension, or say by match which clean name belongs to a degraded one"
            )
        sizes, _ = look_through([*partners.values(), *found])
        pairs = [(partners[stem], path) for path, stem in found.items()]
        self.paths = [(a, b) for a, b in pairs if a in sizes and b in sizes]
        if not self.paths:
            raise ImageFileError(
                f"{clean} and {degraded} hold no pair of which both images can be read: "
                "get the files again"
            )
        self._sizes = [sizes[a] for a, _ in self.paths]
        unequal = [
            f"{a} ({_sides(sizes[a])}) and {b} ({_sides(sizes[b])})"
            for a, b in self.paths
            if sizes[a] != sizes[b]
        ]
        if unequal:
            raise ImageFileError(
                f"{len(unequal)} pairs differ in size: {named(unequal)}: bring both to one size"
            )
        self._kept = Kept(self._read, memory)

    def __len__(self) -> int:
        """Number of pairs."""
        return len(self.paths)

    def __getitem__(self, index: int) -> np.ndarray:
        """The pair as uint8, (H, W, 6)."""
        return self._kept[index]

    def sizes(self) -> Sequence[tuple[int, int]]:
        """Height and width of each pair."""
        return self._sizes

    def _read(self, index: int) -> np.ndarray:
        return np.concatenate([read_colour(path) for path in self.paths[index]], axis=-1)


def _by_stem(folder: Path) -> dict[str, Path]:
    """The images of a folder by their names without extension."""
    found: dict[str, Path] = {}
    for path in image_files(folder):
        other = found.setdefault(_stem(path, folder), path)
        if other is not path:
            raise ImageFileError(
                f"{other} and {path} have one name but for the extension: "
                "keep one, since a degraded image has one partner"
            )
    return found


def _stem(path: Path, folder: Path) -> str:
    return path.relative_to(folder).with_suffix("").as_posix()


def _sides(size: tuple[int, int]) -> str:
    return f"{size[0]}×{size[1]}"
