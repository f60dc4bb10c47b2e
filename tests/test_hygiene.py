"""What must stay true of the code as a whole: what an import costs, what is cited, how long a file is."""

import ast
import re
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "jaxir"
FILES = sorted(PACKAGE.rglob("*.py"))
HEAVY = {"tensorflow", "tensorflow_datasets", "matplotlib", "PIL", "grain", "orbax"}
KEY = r"\[([a-z]+\d{4}\w*)\]"
VAGUE = {"base", "common", "helper", "helpers", "impl", "misc", "util", "utils"}


def docstrings(source: str) -> Iterator[tuple[str, str]]:
    """(name, docstring) of a module, its classes and functions; an attribute's string counts too."""
    tree = ast.parse(source)
    named = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    for node in ast.walk(tree):
        if isinstance(node, named) and (text := ast.get_docstring(node)):
            yield getattr(node, "name", "module"), text


def cited(source: str) -> tuple[set[str], set[str]]:
    """The [bib keys] in the docstrings of a file, and the names whose `Source:` gives no key.

    A source runs from `Source:` to the end of its paragraph or to the next `Heading:`.
    """
    keys, without = set(), set()
    for name, text in docstrings(source):
        keys |= set(re.findall(KEY, text))
        for found in re.finditer(
            r"\bSources?:(.*?)(?=\n\s*\n|\n\s*[A-Z][\w ]*:|\Z)", text, re.DOTALL
        ):
            if not re.search(KEY, found.group(1)):
                without.add(name)
    return keys, without


def bibliography() -> list[str]:
    text = (ROOT / "docs" / "references.bib").read_text(encoding="utf-8")
    return re.findall(r"^@\w+\{([^,\s]+),", text, flags=re.MULTILINE)


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_import_jaxir_brings_in_nothing_heavy(run_python):
    code = "import sys, jaxir; print(*sorted({m.split('.')[0] for m in sys.modules}))"
    assert not (HEAVY | {"jax"}) & set(run_python(code).split())


def test_all_subpackages_together_bring_in_nothing_heavy(run_python):
    code = """
import importlib.util, sys, jaxir
for name in jaxir._SUBMODULES:
    if importlib.util.find_spec("jaxir." + name):
        getattr(jaxir, name)
print(*sorted({m.split('.')[0] for m in sys.modules}))
"""
    assert not HEAVY & set(run_python(code).split())


@pytest.mark.skipif(find_spec("jaxir.cli") is None, reason="the command line is not there yet")
def test_the_command_line_is_imported_without_jax(run_python):
    assert run_python("import sys, jaxir.cli; print('jax' in sys.modules)").strip() == "False"


def test_every_lazy_name_is_there():
    import jaxir

    for name in jaxir.__all__:
        assert getattr(jaxir, name) is not None


def test_an_unknown_name_is_an_attribute_error():
    import jaxir

    with pytest.raises(AttributeError, match="no attribute 'restorer'"):
        jaxir.restorer  # noqa: B018


def test_the_version_is_the_one_of_the_distribution():
    from importlib.metadata import version

    import jaxir

    assert jaxir.__version__ == version("jaxir")


def test_every_source_is_in_the_bibliography():
    known = set(bibliography())
    wrong = []
    for path in FILES:
        keys, without = cited(path.read_text(encoding="utf-8"))
        wrong += [
            f"{relative(path)}: [{key}] is not in docs/references.bib" for key in keys - known
        ]
        wrong += [f"{relative(path)}: {name} has a Source: without a [key]" for name in without]
    assert not wrong


def test_the_reader_of_sources_finds_keys_and_their_absence():
    text = '''
def f():
    """One step.

    Source: [ho2020ddpm] Eq. 7; [song2021ddim], Eq. 12
        and [karras2022edm] Table 1, in the range [0, 1].
    Differs from the paper: the variance.
    """

def g():
    """Another step. Source: the paper.

    Returns:
        The image of [wang2004ssim].
    """
'''
    keys, without = cited(text)
    assert keys == {"ho2020ddpm", "song2021ddim", "karras2022edm", "wang2004ssim"}
    assert without == {"g"}


def test_every_bibliography_key_is_used_once_and_well_formed():
    keys = bibliography()
    assert len(keys) == len(set(keys))
    assert not [key for key in keys if not re.fullmatch(r"[a-z]+\d{4}[a-z0-9]*", key)]


def test_no_file_is_longer_than_400_lines():
    lengths = {relative(p): len(p.read_text(encoding="utf-8").splitlines()) for p in FILES}
    assert not {name: length for name, length in lengths.items() if length > 400}


def test_no_name_is_vague():
    paths = [*FILES, *(p for p in PACKAGE.rglob("*") if p.is_dir())]
    assert not [relative(p) for p in paths if p.stem.lower() in VAGUE]


def test_the_slow_tests_that_are_listed_exist():
    listed = (ROOT / "tests" / "slow.txt").read_text("utf-8").split("\n")[:-1]
    assert listed == sorted(set(listed))
    for node in listed:
        path, name = node.split("[")[0].split("::")
        assert f"def {name}(" in (ROOT / path).read_text("utf-8"), node
