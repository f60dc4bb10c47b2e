"""`jaxir bench exact`: the table and its files, contenders of one's own, and what is refused."""

import json
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.usefixtures("quick_compile")
QUICK = ["--steps", 4, "--samples", 19, "--problems", 5]
OWN = """
from jaxir.guidance import PiGDM
from jaxir.transitions import DDIM

def bent(denoiser, degradation, *, variance=0.25):
    return PiGDM(denoiser, degradation, variance)

step = DDIM(0.5)
wrong = 3

def nothing(denoiser, degradation):
    return 7
"""


@pytest.fixture(autouse=True)
def in_a_folder_with_a_module(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("own_method.py").write_text(OWN)
    yield
    sys.modules.pop("own_method", None)


@pytest.fixture
def refused(jaxir):
    def run(*arguments):
        outcome = jaxir("bench", "exact", *arguments)
        assert outcome.code == 2, outcome
        assert outcome.err.startswith("jaxir: ")
        assert outcome.err.count("\n") == 1
        return outcome.err.strip()

    return run


def test_the_table_holds_the_floor_the_prior_and_every_contender(jaxir):
    methods = ["own_method:bent(variance=0.5)", "own_method:step"]
    outcome = jaxir(
        *("bench", "exact", "--bed", "gaussian(side=2)", "--process", "vp", "irsde"),
        *("--method", *methods, "--json", "out.json", "--markdown", "out.md", *QUICK),
    )
    assert outcome.code == 0, outcome
    record = json.loads(Path("out.json").read_text("utf-8"))
    found = [(row["process"], row["method"]) for row in record["rows"]]
    assert found == [
        ("-", "exact draws"),
        ("-", "prior"),
        *(("vp", method) for method in methods),
        ("irsde", methods[1]),
    ]
    # guidance has nothing to say where the state holds y
    (reason,) = record["left_out"]
    assert "IRSDE moves towards it" in reason
    assert reason in outcome.out
    assert record["protocol"]["problems"] == 5
    assert record["provenance"]["jaxir"]
    for row in record["rows"]:
        assert 0 <= row["coverage_low"] <= row["coverage"] <= row["coverage_high"] <= 1
        assert row["bed"] == "gaussian(side=2)"
    lines = Path("out.md").read_text("utf-8").splitlines()
    assert len(lines) == 2 + len(found)
    assert "exact draws" in outcome.out
    again = jaxir("bench", "exact", "--json", "out.json")
    assert again.code == 2
    assert "out.json exists: pass --force" in again.err


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--bed", "gausian"], "unknown bed 'gausian', did you mean 'gaussian'?"),
        (["--process", "irsd"], "unknown process 'irsd', did you mean 'irsde'?"),
        (["--method", "mmp"], "unknown method 'mmp', did you mean 'mmps'?"),
        (["--method", "own_method:stepp"], "unknown object of own_method 'stepp', did you mean"),
        (["--method", "nowhere_at_all:x"], "cannot import 'nowhere_at_all'"),
        (["--method", "own_method:wrong"], "own_method:wrong is int, expected a Transition"),
        (["--method", "own_method:bent(size=3)"], "takes (variance=0.25), got (size=3)"),
        (["--bed", "mixture(dimension=0.5)"], "dimension is 0.5, expected a whole number"),
        (["--process", "vp(beta_min=-1)"], "beta_min is -1"),
        (["--steps", 0], "--steps is 0, expected at least 1"),
        (["--samples", 5], "--samples is 5, expected at least 19"),
        (["--problems", 1], "--problems is 1, expected at least 5"),
    ],
    ids=lambda value: str(value[-1]) if isinstance(value, list) else None,
)
def test_what_does_not_exist_or_fit_is_refused(refused, arguments, line):
    assert line in refused(*arguments, *(QUICK if arguments[0] in {"--bed", "--method"} else []))


def test_a_contender_that_returns_something_else_is_refused(refused):
    line = refused(
        "--bed", "gaussian(side=2)", "--process", "vp", "--method", "own_method:nothing", *QUICK
    )
    assert "own_method:nothing returns int, expected a Denoiser or a pair" in line


def test_nothing_left_to_run_is_refused(refused):
    line = refused("--bed", "gaussian(side=2)", "--process", "vp", "--method", "blind", *QUICK)
    assert "no method runs: blind needs a process that starts from y, VP does not" in line


def test_help_needs_no_jax_and_bench_of_a_folder_is_still_there(run_python, jaxir):
    code = """
import sys
from jaxir.cli import main
try:
    main(["bench", "exact", "--help"])
except SystemExit as stop:
    assert not stop.code
print("heavy:", *sorted({"jax", "numpy", "PIL", "optax"} & set(sys.modules)))
"""
    assert run_python(code).splitlines()[-1] == "heavy:"
    outcome = jaxir("bench", "./exact", "-o", "b.json")
    assert outcome.code == 2
    assert "exact" in outcome.err
    assert "does not exist" in outcome.err
