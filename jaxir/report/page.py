"""One file that shows everything: pictures, style and program are inside it, and nothing is asked of a network.

Whoever is sent the page must be able to trust it, whatever the photographs were called. So the words of an entry never
become markup: they stand in the page as JSON in which no `<` occurs, and the program puts them in as text. And a
policy in the head of the page admits the one style and the one program that are known here, by their hashes, pictures
that are in the page itself, and nothing else. What a photograph needs is built when it comes near the screen.
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import html
import json
from collections.abc import Sequence
from importlib.resources import files
from typing import NamedTuple

Pairs = Sequence[tuple[str, str]]


class Scaled(NamedTuple):
    """A picture in the colours of a scale, and where that ends in levels of 255, if it is known."""

    url: str
    largest: float | None = None


class Detail(NamedTuple):
    """A piece of the photo at its true pixels."""

    label: str
    before: str | None
    after: str


@dataclasses.dataclass(frozen=True)
class Entry:
    """What there is to see of one photograph; pictures are given by their addresses (URLs).

    Attributes:
        title: what it is called.
        before: as it came; None if it is not there any more.
        after: restored; None if there is nothing to look at.
        width: of the restoration in pixels; a picture of another size is stretched to it.
        height: likewise.
        samples: what the restoration was made of.
        uncertainty: how far they differ, in the colours of `jaxir.report.colourise`.
        residual: what is left unexplained, in the colours of `jaxir.report.balance`.
        trajectory: estimates on the way, from noise to the image.
        metrics: names and figures.
        settings: names and values.
        replay: the command that makes the same again.
        thumbnail: for a list of contents.
        details: pieces at true pixels.
        problem: what is wrong with the files.
        note: what has to be said about the pictures.
    """

    title: str
    before: str | None = None
    after: str | None = None
    width: int = 0
    height: int = 0
    samples: Sequence[str] = ()
    uncertainty: Scaled | None = None
    residual: Scaled | None = None
    trajectory: Sequence[str] = ()
    metrics: Pairs = ()
    settings: Pairs = ()
    replay: str | None = None
    thumbnail: str | None = None
    details: Sequence[Detail] = ()
    problem: str | None = None
    note: str | None = None

    def as_json(self) -> str:
        """What `showResult` of assets/viewer.js takes; it can stand in a page, for no `<` occurs in it."""
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        for name in ("uncertainty", "residual"):
            values[name] = values[name] and values[name]._asdict()
        values["details"] = [detail._asdict() for detail in self.details]
        del values["thumbnail"]
        return json.dumps(values).replace("<", "\\u003c")


def asset(name: str) -> str:
    """The text of a file in jaxir/report/assets: viewer.js, viewer.css, page.js or page.css."""
    return files("jaxir.report").joinpath("assets", name).read_text("utf-8")


def page(entries: Sequence[Entry], *, title: str) -> str:
    """A page in HTML that needs no other file.

    Args:
        entries: the photographs, in the order of the page; their pictures as data: URLs.
        title: of the page.
    """
    style = asset("viewer.css") + asset("page.css")
    program = asset("viewer.js") + asset("page.js")
    policy = "; ".join(
        [
            "default-src 'none'",
            "img-src data:",
            f"style-src '{_hash(style)}'",
            f"script-src '{_hash(program)}'",
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )
    photos = "1 photo" if len(entries) == 1 else f"{len(entries)} photos"
    contents = _contents(entries) if len(entries) > 1 else ""
    sections = "\n".join(_section(number, entry) for number, entry in enumerate(entries, 1))
    data = "\n".join(
        f'<script type="application/json" id="entry-{number}">{entry.as_json()}</script>'
        for number, entry in enumerate(entries, 1)
    )
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<meta name="generator" content="jaxir">
<title>{_text(title)}</title>
<link rel="icon" href="data:,">
<style>{style}</style>
</head>
<body>
<header>
<h1><bdi>{_text(title)}</bdi></h1>
<p>{photos}, restored with jaxir</p>
</header>
{contents}<main>
{sections}
</main>
<footer>Keys on a photo: ← → move the line or turn the pages, space plays, + and − zoom, 0 shows the whole photo, 1 its
true pixels, shift with an arrow moves it.</footer>
<noscript><p>This page shows its pictures by a program in it, which your browser does not run.</p></noscript>
<script>{program}</script>
{data}
</body>
</html>
"""


def _contents(entries: Sequence[Entry]) -> str:
    items = []
    for number, entry in enumerate(entries, 1):
        picture = '<span class="none" aria-hidden="true">?</span>'
        if entry.thumbnail:
            picture = f'<img src="{_text(entry.thumbnail)}" alt="" loading="lazy">'
        mark = " <em>problem</em>" if entry.problem else ""
        items.append(
            f'<li><a href="#photo-{number}">{picture}<bdi>{_text(entry.title)}</bdi>{mark}</a></li>'
        )
    lines = "\n".join(items)
    return f'<nav id="contents" aria-label="Photos">\n<ol>\n{lines}\n</ol>\n</nav>\n'


def _section(number: int, entry: Entry) -> str:
    return f"""<section class="photo" id="photo-{number}" aria-labelledby="title-{number}" data-entry="entry-{number}">
<h2 id="title-{number}"><bdi>{_text(entry.title)}</bdi></h2>
<div class="result"></div>
</section>"""


def _text(words: str) -> str:
    """Words as they may stand in HTML; half a letter, as of a file name in no known code, becomes a question mark."""
    return html.escape(words.encode("utf-8", "replace").decode())


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"
