"""Words of others, such as names of files, for a terminal."""

from __future__ import annotations

import unicodedata


def printable(text: str) -> str:
    """The text without control characters and others that show nothing, which a terminal would obey or choke on."""
    return "".join(sign for sign in text if unicodedata.category(sign)[0] != "C")
