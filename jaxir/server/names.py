"""Names of files that strangers chose: fit to be shown and to be saved under, and never used as a path here."""

from __future__ import annotations

import re
import unicodedata
from pathlib import PurePosixPath

LONGEST = 80
"""Characters of a name."""


def clean_name(text: str) -> str:
    """The last part of a path without what hides or misleads: control and direction characters, dots at its ends.

    A name that is too long loses its middle, so that its end still says what it is.
    """
    last = re.split(r"[/\\]", unicodedata.normalize("NFC", text))[-1]
    shown = "".join(c if unicodedata.category(c)[0] != "C" else "" for c in last).strip(". ")
    if len(shown) > LONGEST:
        ending = PurePosixPath(shown).suffix[:10]
        shown = f"{shown[: LONGEST - len(ending) - 1]}…{ending}"
    return shown or "photo"


def renamed(name: str, addition: str, suffix: str) -> str:
    """`photo.jpg` as `photo.restored.png`: what is saved never has the name of what was given."""
    return f"{PurePosixPath(name).stem or 'photo'}.{addition}{suffix}"
