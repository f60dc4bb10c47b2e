"""Words in pictures, in the font that comes with Pillow, which has the letters of English only."""

from __future__ import annotations

import unicodedata
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

_SPELT = {"×": "x", "σ": "sigma", "Π": "Pi", "–": "-", "−": "-", "≤": "<=", "≥": ">=", "·": "-"}


@cache
def font(size: int) -> FreeTypeFont:
    """Pillow's own font at a size in pixels."""
    from PIL import ImageFont

    return ImageFont.load_default(size=size)  # type: ignore[return-value]


def spell(text: str) -> str:
    """The text in letters that the font has: Π becomes Pi, é becomes e, others a question mark."""
    text = "".join(_SPELT.get(letter, letter) for letter in text)
    plain = (c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return "".join(plain).encode("ascii", "replace").decode()


def wrap(text: str, size: int, width: float) -> list[str]:
    """The text in lines no wider than `width` pixels, broken between words where it can be."""
    lines = []
    for paragraph in spell(text).splitlines():
        line = ""
        for word in paragraph.split():
            for piece in _pieces(word, size, width):
                longer = f"{line} {piece}".strip()
                if line and font(size).getlength(longer) > width:
                    lines.append(line)
                    longer = piece
                line = longer
        lines.append(line)
    return lines


def _pieces(word: str, size: int, width: float) -> list[str]:
    pieces = [""]
    for letter in word:
        if pieces[-1] and font(size).getlength(pieces[-1] + letter) > width:
            pieces.append("")
        pieces[-1] += letter
    return pieces
