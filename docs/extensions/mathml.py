"""Formulas as MathML, converted when the site is built.

Every browser of today reads it: a page needs no script, no font and no network, and a formula can be selected and
read aloud.
"""

from __future__ import annotations

import re
import unicodedata

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.util import logging

log = logging.getLogger(__name__)

ALPHABETS = {"mathcal": "SCRIPT", "mathbb": "DOUBLE-STRUCK"}
"""Letters that Unicode has; the attribute of MathML for them is no longer read by browsers."""


def _letter(found: re.Match[str]) -> str:
    name = f"{ALPHABETS[found[1]]} CAPITAL {found[2]}"
    try:
        return unicodedata.lookup(f"MATHEMATICAL {name}")
    except KeyError:  # those that Unicode had before the others
        return unicodedata.lookup(name)


def _write(self, node: nodes.Element) -> None:
    block = isinstance(node, nodes.math_block)
    tex = re.sub(r"\\(mathcal|mathbb)\s*\{?([A-Z])(?![a-z])\}?", _letter, node.astext())
    tex = re.sub(r"(\\(?:log|min))(?=\s+[\w\\])", r"\1\\,", tex)  # or it runs into what follows
    formula = convert(tex, display="block" if block else "inline")
    if "\\" in formula or "&<" in formula:  # what the converter does not know it leaves as it is
        log.warning("a formula has what MathML lacks: %s", node.astext(), location=node)
    self.body.append(f'<div class="math">{formula}</div>' if block else formula)
    raise nodes.SkipNode


def setup(app) -> dict:
    """As `html_math_renderer = "mathml"`."""
    app.add_html_math_renderer("mathml", (_write, None), (_write, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
