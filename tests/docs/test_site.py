"""The site: every public name has a page, every link and every command of its pages leads somewhere."""

import importlib
import inspect
import re
import sys

import pytest
from conftest import ROOT

DOCS = ROOT / "docs"
OF_ONE_FUNCTION = ("degrade", "doctor", "replay", "report", "restore", "serve")
"""Commands whose options are the arguments of one function; those of others depend on what they are given."""

PAGES = sorted(path for path in DOCS.rglob("*.md") if not {"_build", "notebooks"} & set(path.parts))
pytest.importorskip("sphinx", reason="the pages are written by Sphinx: pip install '.[docs]'")


@pytest.fixture(scope="module")
def extensions():
    """The modules of docs/extensions, as docs/conf.py finds them."""
    sys.path.insert(0, str(DOCS))
    names = ("api", "docstrings", "links", "public", "signatures")
    yield {name: importlib.import_module(f"extensions.{name}") for name in names}
    sys.path.remove(str(DOCS))


def test_every_public_name_has_its_page(extensions):
    public, written = extensions["public"], extensions["api"].pages()
    for package in public.packages():
        assert package in written
        for name in public.names(package):
            entry = (
                rf"^\.\. (auto\w+:: {re.escape(name.path)}(\(\))?|"
                rf"py:data:: {name.name}\n   :module: {re.escape(name.package)})$"
            )
            assert re.search(entry, written[name.page], re.MULTILINE), name.path
    assert sum(len(public.names(package)) for package in public.packages()) > 500


def test_a_docstring_is_read_as_it_stands(extensions):
    said = [
        "a * b of `x` is |x_|.",
        "",
        "    x_t = a x0 + σ ε",
        "",
        "Args:",
        "    x: a *star*.",
        "",
        "Source: [chung2023dps] Eq. 11,",
        "    and more; [not2000key].",
    ]
    assert list(extensions["docstrings"].to_rst(said)) == [
        r"a \* b of ``x`` is \|x\_\|.",
        "",
        "::",
        "",
        "    x_t = a x0 + σ ε",
        "",
        "Args:",
        r"    x: a \*star\*.",
        "",
        "",
        ":Source: :cite:p:`chung2023dps` Eq. 11,",
        "    and more; [not2000key].",
    ]


def test_code_is_a_link_only_where_it_names_something(extensions):
    target = extensions["links"].target
    assert target("VP") == target("VP()") == target("jaxir.processes.VP") == "jaxir.processes.VP"
    assert target("motion_blur(shape, 15, 30)") == "jaxir.degradations.motion_blur"
    assert target("jaxir.sample") == "jaxir.samplers.sample"
    assert target("sample") is target("shape") is target("a + VP()") is None


def test_signatures_name_types_as_they_are_written(extensions):
    from jaxir.processes import VP, pin

    signature = extensions["signatures"].signature
    assert signature(pin)[0].startswith("(process: ~jaxir.processes.Process")
    assert "beta_min: float = 0.1" in signature(VP)[0]
    assert signature(VP.marginal)[1] == "~jaxir.gaussian.Gaussian"


def test_degradations_lead_to_their_pictures(extensions):
    shown = extensions["api"].pictured()
    assert shown["motion_blur"] == ("Blur", "blur")
    assert len(shown) > 40


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(DOCS)))
def test_the_links_of_a_page_lead_to_files_of_the_repository(page):
    for target in re.findall(r"\]\((?!https?:|#)([^)#\s]+)", page.read_text(encoding="utf-8")):
        generated = DOCS / "api"  # made when the site is
        path = (page.parent / target).resolve()
        assert path.exists() or path.is_relative_to(generated), f"{page.name}: {target}"


def test_every_command_on_the_pages_has_the_options_that_they_name():
    from jaxir.cli import COMMANDS

    checked = 0
    for page in [*PAGES, ROOT / "README.md", *(ROOT / "notebooks").glob("*.py")]:
        for line in re.findall(r"^(?:# )?(jaxir [^#\n]+)", page.read_text(encoding="utf-8"), re.M):
            name, *rest = line.removeprefix("jaxir ").replace("\\", "").split()
            assert name in COMMANDS, f"{page.name}: {line}"
            if name not in OF_ONE_FUNCTION:
                continue
            command = getattr(importlib.import_module(f"jaxir.cli.{name}"), name)
            known = {*inspect.signature(command).parameters}
            options = {word[2:].replace("-", "_") for word in rest if word.startswith("--")}
            assert options <= known, f"{page.name}: {line}"
            checked += 1
    assert checked > 8
