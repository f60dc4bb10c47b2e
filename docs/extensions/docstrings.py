"""Docstrings as they are written, plain text with Unicode formulas, brought to what Sphinx reads.

They are not reStructuredText: an asterisk is a product and `x` is code. So what has a meaning there is escaped, an
indented formula becomes a block, and our own sections become fields beside the arguments:

    Source: [chung2023dps] Eq. 11.                 Differs from the paper: the norm is of one image.

The sections of Google's form are left to napoleon, which runs after this.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

BIBLIOGRAPHY = Path(__file__).parents[1] / "references.bib"
KEYS = frozenset(
    re.findall(r"^@\w+\{(\w+),", BIBLIOGRAPHY.read_text(encoding="utf-8"), re.MULTILINE)
)

OWN = re.compile(r"(Source|Differs from [\w ]+):\s*(.*)")
GOOGLE = re.compile(r"(Args|Attributes|Example|Examples|Raises|Returns|Warns|Yields):$")
CODE = re.compile(r"(``.+?``|`[^`]+`)")
CITED = re.compile(r"\[([a-z]+\d{4}\w*)\]")


def line_to_rst(line: str) -> str:
    """Code in backticks, known keys of papers as citations, everything else to be read as it stands."""
    parts = CODE.split(line)
    parts[::2] = [_plain(part) for part in parts[::2]]
    # inline markup ends at a space or punctuation: an escaped space lets a letter follow
    parts[1::2] = [
        f"``{code.strip('`')}``" + ("\\ " if re.match(r"\w", after) else "")
        for code, after in zip(parts[1::2], parts[2::2], strict=True)
    ]
    return "".join(parts)


def _plain(text: str) -> str:
    text = re.sub(r"[\\*|]", r"\\\g<0>", text)
    text = re.sub(r"_(?=\W|$)", r"\\_", text)
    return CITED.sub(lambda m: f":cite:p:`{m[1]}`" if m[1] in KEYS else m[0], text)


def to_rst(lines: list[str]) -> Iterator[str]:
    """The lines of a docstring, for napoleon."""
    section, formula, field, before = "", False, False, ""
    for line in lines:
        indented = line.startswith(" ")
        field = field and bool(line.strip())
        if line.strip() and not indented:
            formula = False
            if section := line if GOOGLE.match(line) else "":
                yield from ("", line) if before.strip() else (line,)
                before = line
                continue
        if own := OWN.match(line):
            field = True
            yield from ("", f":{own[1]}: {line_to_rst(own[2])}")
        elif field and line.strip():
            yield f"    {line_to_rst(line.strip())}"
        elif section.startswith("Example") or formula:
            yield line
        elif indented and not before.strip() and not section and line.strip():
            formula = True
            yield from ("::", "", line)
        else:
            loose = (
                before.strip()
                and re.match(r"\s*[-+•] ", line)
                and not before.lstrip().startswith("- ")
            )
            yield ("\\" if loose and not indented else "") + line_to_rst(line)
        before = line


def _process(app, what, name, thing, options, lines) -> None:
    lines[:] = list(to_rst(lines))


def setup(app) -> dict:
    """Before napoleon."""
    app.setup_extension("sphinx.ext.autodoc")
    app.connect("autodoc-process-docstring", _process, priority=400)
    return {"parallel_read_safe": True}
