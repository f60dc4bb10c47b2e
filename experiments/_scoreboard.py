"""What the pages in docs/scoreboards have in common; every one is made from results that are stored.

An experiment measures a dictionary that JSON can hold, with the `stamp` of the run in it, and has a function from that
dictionary to a page. So a page can be made again without the run, and a test holds the two together.
"""

import argparse
import json
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from jaxir.provenance import provenance

ROOT = Path(__file__).parents[1]

Results = dict[str, Any]
Claim = tuple[str, str, bool]
"""A statement, the numbers, and whether it holds."""


def result(name: str) -> Path:
    """Where the results of an experiment are stored."""
    return ROOT / "benchmarks" / "results" / f"{name}.json"


def page(name: str) -> Path:
    """Where its page is."""
    return ROOT / "docs" / "scoreboards" / f"{name}.md"


def stamp() -> Results:
    """The command and what it ran on."""
    return {
        "command": shlex.join(["python", *sys.argv]),
        "provenance": provenance(),
    }


def table(heading: Sequence[str], rows: Sequence[Sequence[str]], *, words: int = 0) -> str:
    """Markdown: so many columns of words, then columns of numbers to the right."""
    rule = [":--"] * words + ["--:"] * (len(heading) - words)
    return "\n".join(f"| {' | '.join(line)} |" for line in [heading, rule, *rows])


def verdicts(claims: Sequence[Claim]) -> str:
    """A list of what was to be shown."""
    return "\n".join(
        f"- {statement}: {numbers}, **{'yes' if holds else 'no'}**"
        for statement, numbers, holds in claims
    )


def made_by(name: str) -> str:
    """The line below the title."""
    return (
        f"Made by `python experiments/{name}.py`, whose docstring holds the settings, from "
        f"`benchmarks/results/{name}.json`; do not edit."
    )


def origin(results: Results) -> str:
    """Hardware and versions."""
    found = results["provenance"]
    return (
        f"{found['hardware']}, jaxir {found['jaxir']} at {found['revision']}, jax {found['jax']}."
    )


def parser(description: str, name: str) -> argparse.ArgumentParser:
    """With the options that all experiments have."""
    found = argparse.ArgumentParser(description=description.splitlines()[0])
    found.add_argument("--smoke", action="store_true", help="a small part of it, no file")
    found.add_argument("-o", "--output", type=Path, default=result(name))
    found.add_argument("--page", type=Path, default=page(name))
    return found


def publish(options: argparse.Namespace, results: Results, page: Callable[[Results], str]) -> None:
    """Store the results and their page, unless only smoke was wanted, and print the page."""
    if not options.smoke:
        for path, text in (
            (options.output, json.dumps(results, indent=1, ensure_ascii=False) + "\n"),
            (options.page, page(results)),
        ):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            print(f"wrote {path}")
    print(f"\n{page(results)}")
