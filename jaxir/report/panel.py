"""Rows of labelled pictures on one sheet.

Where everything goes is decided first (`arrange`, a list of patches and words with their boxes) and
drawn after: so a test can ask whether a word covers a picture, and no drawing call knows the
layout.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from jaxir.report.colours import colourise
from jaxir.report.lettering import font, wrap

MARGIN, GUTTER, GAP = 28, 16, 8
TITLE, HEADING, BODY = 21, 15, 13
INK, GREY, LINE = "#1a1a1a", "#5f6368", "#d0d4d9"
SMALLEST = 192
"""Pictures are enlarged by a whole factor until the largest of them has this side."""


@dataclass(frozen=True)
class Picture:
    """An image in [-1, 1] of shape (H, W, 1) or (H, W, 3), and what is written under it."""

    image: Float[np.ndarray, "h w c"]
    caption: str = ""


@dataclass(frozen=True)
class Uncertainty:
    """The standard deviation of each pixel, drawn in colours with a scale in levels of 255.

    Channels are joined as the root of their mean variance.

    Attributes:
        std: of shape (H, W, C), 0 or more, in units of [-1, 1].
        caption: what is written under it.
        largest: the end of the scale, in units of [-1, 1]; the map's own maximum by default.
    """

    std: Float[np.ndarray, "h w c"]
    caption: str = ""
    largest: float | None = None

    @property
    def spread(self) -> Float[np.ndarray, "h w"]:
        """One number for each pixel."""
        return np.sqrt(np.mean(np.square(np.asarray(self.std, np.float64)), axis=-1))

    @property
    def end(self) -> float:
        """The end of the scale."""
        return float(self.spread.max()) if self.largest is None else self.largest

    @property
    def image(self) -> Float[np.ndarray, "h w 3"]:
        """The map in colours."""
        return colourise(self.spread, largest=self.end)


Tile = Picture | Uncertainty


@dataclass(frozen=True)
class Row:
    """A heading and the pictures below it, one for each column; None leaves a place empty."""

    heading: str
    tiles: Sequence[Tile | None]


@dataclass(frozen=True)
class Patch:
    """Pixels at a place of the sheet, 8 bits a channel."""

    left: int
    top: int
    pixels: np.ndarray

    @property
    def box(self) -> tuple[int, int, int, int]:
        """(left, top, right, bottom), the last two outside."""
        height, width = self.pixels.shape[:2]
        return self.left, self.top, self.left + width, self.top + height


@dataclass(frozen=True)
class Words:
    """One line of text at a place of the sheet."""

    left: int
    top: int
    text: str
    size: int
    colour: str

    @property
    def box(self) -> tuple[int, int, int, int]:
        """(left, top, right, bottom) of the ink."""
        left, top, right, bottom = font(self.size).getbbox(self.text)
        return (
            self.left + math.floor(left),
            self.top + math.floor(top),
            self.left + math.ceil(right),
            self.top + math.ceil(bottom),
        )


def panel(
    rows: Sequence[Row], *, columns: Sequence[str], title: str = ""
) -> Float[np.ndarray, "h w 3"]:
    """A sheet of pictures as one image in [-1, 1], for `jaxir.data.write_image`.

    Pictures are enlarged by whole factors without smoothing, so that a pixel stays a pixel.

    Args:
        rows: at least one, each with as many tiles as there are columns.
        columns: what stands above each column.
        title: of the sheet.

    Raises:
        ValueError: if a row has another number of tiles, or a picture is no finite (H, W, 1) or (H,
            W, 3).

    Example:
        >>> row = Row("cat", [Picture(y, "21.5 dB"), Picture(mean, "27.1 dB"), Uncertainty(std)])
        >>> write_image("cat.png", panel([row], columns=["input", "mean of 4", "deviation"]))
    """
    from PIL import Image, ImageDraw

    (width, height), patches, words = arrange(rows, columns, title)
    sheet = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(sheet)
    for patch in patches:
        left, top, right, bottom = patch.box
        draw.rectangle((left - 1, top - 1, right, bottom), outline=LINE)
        sheet.paste(Image.fromarray(patch.pixels), (left, top))
    for line in words:
        draw.text((line.left, line.top), line.text, font=font(line.size), fill=line.colour)
    return np.asarray(sheet).astype(np.float32) / 127.5 - 1


def arrange(
    rows: Sequence[Row], columns: Sequence[str], title: str = ""
) -> tuple[tuple[int, int], list[Patch], list[Words]]:
    """The size (width, height) of the sheet, and what is on it."""
    _expect_rows(rows, columns)
    cell_width, cell_height = _cell(rows)
    width = 2 * MARGIN + len(columns) * (cell_width + GUTTER) - GUTTER
    lefts = [MARGIN + i * (cell_width + GUTTER) for i in range(len(columns))]
    patches: list[Patch] = []
    words: list[Words] = []

    def write(text: str, left: int, top: int, size: int, colours: Sequence[str], room: int) -> int:
        """Lines of text from `top` on, the first in the first colour; where they end."""
        for i, line in enumerate(wrap(text, size, room)):
            words.append(Words(left, top, line, size, colours[min(i, len(colours) - 1)]))
            top += _pitch(size)
        return top

    y = write(title, MARGIN, MARGIN, TITLE, [INK], width - 2 * MARGIN) + (GAP if title else 0)
    ends = [
        write(text, left, y, HEADING, [INK], cell_width)
        for text, left in zip(columns, lefts, strict=True)
    ]
    y = max(ends)
    for row in rows:
        y = write(row.heading, MARGIN, y + GAP, BODY, [GREY], width - 2 * MARGIN) + 3
        bottom, ends = y + cell_height, [y + cell_height]
        for tile, left in zip(row.tiles, lefts, strict=True):
            if tile is None:
                continue
            patches.append(_patch(_pixels(tile), left, y, cell_width, cell_height))
            end = bottom + GAP
            if isinstance(tile, Uncertainty):
                patches.append(_scale(left + 14, end + 4, cell_width // 2))
                words.append(Words(left, end, "0", BODY, INK))
                text = f"{127.5 * tile.end:.3g} of 255"
                words.append(Words(left + 22 + cell_width // 2, end, text, BODY, INK))
                end += _pitch(BODY)
            ends.append(write(tile.caption, left, end, BODY, [INK, GREY], cell_width))
        y = max(ends) + GAP
    return (width, y - GAP + MARGIN), patches, words


def _pitch(size: int) -> int:
    return round(1.45 * size)


def _cell(rows: Sequence[Row]) -> tuple[int, int]:
    """The width and height that hold the largest picture, enlarged."""
    shapes = [tile.image.shape[:2] for row in rows for tile in row.tiles if tile is not None]
    height, width = (max(sides) for sides in zip(*shapes, strict=True))
    factor = math.ceil(SMALLEST / max(height, width))
    return factor * width, factor * height


def _patch(pixels: np.ndarray, left: int, top: int, width: int, height: int) -> Patch:
    """The picture enlarged by the largest whole factor that fits, in the middle of its cell."""
    factor = min(height // pixels.shape[0], width // pixels.shape[1])
    large = pixels.repeat(factor, 0).repeat(factor, 1)
    down, right = (height - large.shape[0]) // 2, (width - large.shape[1]) // 2
    return Patch(left + right, top + down, large)


def _scale(left: int, top: int, width: int) -> Patch:
    """The colours from 0 to the end."""
    ramp = np.linspace(0, 1, width)[None].repeat(9, 0)
    return Patch(left, top, _quantise(colourise(ramp)))


def _pixels(tile: Tile) -> np.ndarray:
    pixels = _quantise(np.asarray(tile.image, np.float32))
    return pixels.repeat(3, 2) if pixels.shape[2] == 1 else pixels


def _quantise(image: np.ndarray) -> np.ndarray:
    return np.round((np.clip(image, -1, 1) + 1) * 127.5).astype(np.uint8)


def _expect_rows(rows: Sequence[Row], columns: Sequence[str]) -> None:
    if not any(tile is not None for row in rows for tile in row.tiles):
        raise ValueError("a panel needs at least one picture, got none")
    for row in rows:
        if len(row.tiles) != len(columns):
            raise ValueError(
                f"row {row.heading!r} has {len(row.tiles)} pictures but there are "
                f"{len(columns)} columns: pass None for an empty place"
            )
        for tile in row.tiles:
            array = np.zeros((1, 1, 1)) if tile is None else np.asarray(_data(tile))
            if array.ndim != 3 or array.shape[2] not in (1, 3) or not np.all(np.isfinite(array)):
                raise ValueError(
                    f"a picture of row {row.heading!r} has shape {array.shape} and "
                    f"{int(np.sum(~np.isfinite(array)))} values that are not finite, "
                    "expected (H, W, 1) or (H, W, 3) and none"
                )


def _data(tile: Tile) -> np.ndarray:
    return tile.image if isinstance(tile, Picture) else tile.std
