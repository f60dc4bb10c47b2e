"""docs/degradations.md names everything, its two languages mean the same, and its pictures are of its rows."""

import re
import runpy

import equinox as eqx
import jax
import numpy as np
import pytest
from conftest import ROOT
from PIL import Image

from jaxir import degradations
from jaxir.cli.degradations import STAGES, parse_degradation
from jaxir.cli.noises import NOISES
from jaxir.degradations import GaussianNoise, Identity, Linear, Noise, Operator, Spectral

FOLDER = ROOT / "docs"
DRAWER = runpy.run_path(str(FOLDER / "pictures.py"))
ROWS = list(DRAWER["rows"]())
TEXT = (FOLDER / "degradations.md").read_text(encoding="utf-8")
SECTIONS = list(dict.fromkeys(row.section for row in ROWS))


def admits(thing):
    """What a column of the page should say of it."""
    if isinstance(thing, Noise):
        return "Gaussian" if isinstance(thing, GaussianNoise) else "likelihood"
    if not isinstance(thing, Operator):
        return "draws"
    if isinstance(thing, Linear):
        return "Spectral" if isinstance(thing, Spectral) else "Linear"
    return "any" if thing.linear_part is None else "Affine"


def test_every_public_name_is_on_the_page():
    code = " ".join(re.findall(r"`([^`\n]+)`", TEXT))
    missing = [
        name for name in degradations.__all__ if not re.search(rf"(?<!\w){name}(?!\w)", code)
    ]
    assert not missing, f"docs/degradations.md does not name {', '.join(missing)}"


def test_every_name_of_the_shell_is_on_the_page():
    named = {stage.split("(")[0] for row in ROWS for stage in row.shell.split("|")}
    missing = {*STAGES, *NOISES, "noise"} - named
    assert not missing, f"docs/degradations.md does not name {', '.join(missing)}"


@pytest.mark.parametrize("section", SECTIONS)
def test_the_shell_and_python_mean_the_same(section):
    for row in (row for row in ROWS if row.section == section):
        thing = DRAWER["built"](row.python)
        assert row.admits == admits(thing), row
        if not row.shell or ".png" in row.shell:  # a file of one's own
            continue
        if isinstance(thing, Noise):
            expected = degradations.Degradation(Identity((8, 8, 3)), thing)
            found = parse_degradation(row.shell).for_clean((8, 8, 3))
        else:
            expected, found = thing, parse_degradation(row.shell).for_clean(thing.shape).operator
        assert jax.tree.structure(found) == jax.tree.structure(expected), row
        assert eqx.tree_equal(*as_arrays(found, expected), rtol=1e-6, atol=1e-6), row


def as_arrays(*things):
    """Their numbers as arrays, whether Python's or JAX's."""
    return [jax.tree.map(lambda leaf: np.asarray(leaf, np.float32), thing) for thing in things]


def test_every_section_has_a_picture_of_its_rows():
    """Drawn with `python docs/pictures.py`, which keeps the rows in the file."""
    total = 0
    for section in SECTIONS:
        name = DRAWER["name_of"](section)
        assert f"](pictures/{name})" in TEXT
        path = FOLDER / "pictures" / name
        drawn = Image.open(path).text["rows"].splitlines()
        assert drawn == [row.python for row in ROWS if row.section == section], (
            f"{name} is old: run python docs/pictures.py"
        )
        total += path.stat().st_size
    assert total < 400_000
