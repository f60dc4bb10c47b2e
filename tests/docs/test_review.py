"""docs/review.md has every equation of the review, names only what exists, and its examples run."""

import ast
import doctest
import importlib
import re

from conftest import ROOT

TEXT = (ROOT / "docs" / "review.md").read_text(encoding="utf-8")
HEADINGS = re.findall(r"^### Eqs?\. ([^:]+):", TEXT, re.MULTILINE)


def numbers(heading):
    """1, 2 and 3 of "1, 2 and 3", 17 to 22 of "17 to 22"."""
    if found := re.fullmatch(r"(\d+) to (\d+)", heading):
        return list(range(int(found[1]), int(found[2]) + 1))
    return [int(number) for number in re.findall(r"\d+", heading)]


def test_every_equation_of_the_review_is_on_the_page_once_and_in_order():
    assert [number for heading in HEADINGS for number in numbers(heading)] == list(range(1, 48))


def test_every_name_on_the_page_exists():
    names = set(re.findall(r"`jaxir\.(\w+)\.(\w+)`", TEXT))
    missing = [
        f"jaxir.{package}.{name}"
        for package, name in sorted(names)
        if not hasattr(importlib.import_module(f"jaxir.{package}"), name)
    ]
    assert not missing
    assert len(names) > 30


def test_every_test_that_the_page_names_exists():
    named = set(re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", TEXT))
    functions = {}
    for path in {path for path, _ in named}:
        tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
        functions[path] = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    assert not [(path, name) for path, name in named if name and name not in functions[path]]
    assert len(named) > 30


def test_the_examples_on_the_page_run():
    text = re.sub(
        r"^```$", "", TEXT, flags=re.MULTILINE
    )  # a fence would be part of what is expected
    examples = doctest.DocTestParser().get_doctest(text, {}, "review.md", "docs/review.md", 0)
    assert len(examples.examples) > 30
    said = []
    doctest.DocTestRunner(verbose=False).run(examples, out=said.append)
    assert not said, "".join(said)
