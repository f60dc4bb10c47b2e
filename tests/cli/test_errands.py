"""Which photographs go where, and what a later run leaves out or leaves alone."""

import json
import os
import time
from pathlib import Path

import pytest

from jaxir.cli.errands import (
    Errand,
    digest,
    errands,
    expect_apart,
    number,
    sweep,
    unfinished,
)
from jaxir.cli.errors import UsageError
from jaxir.cli.sidecar import read_sidecar, write_sidecar

ASKED = {"steps": 20, "seed": 0}
KINDS = ["sample-*.png"]


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def errand():
    Path("in").mkdir()
    Path("out").mkdir()
    Path("in/a.png").write_bytes(b"degraded")
    return Errand(Path("in/a.png"), Path("out/a.png"))


def finish(errand, asked=ASKED, content=b"restored"):
    """What a run leaves when it has restored a photograph."""
    errand.output.write_bytes(content)
    record = {"asked": asked, "settings": {}}
    record |= {name: {"sha256": digest(path)} for name, path in ends(errand).items()}
    write_sidecar(errand.sidecar, record)


def ends(errand):
    return {"input": errand.source, "output": errand.output}


def left(errand, *, resume=False, force=False, asked=ASKED):
    return unfinished([errand], asked, KINDS, resume=resume, force=force)


def test_folders_are_mirrored_and_what_was_written_into_them_is_not_read_again(picture):
    for name in ("b.png", "deep/a.png", "out/b.png"):
        picture(Path("in") / name)
    found = errands(Path("in"), Path("in/out"))
    assert [(str(e.source), str(e.output)) for e in found] == [
        ("in/b.png", "in/out/b.png"),
        ("in/deep/a.png", "in/out/deep/a.png"),
    ]
    assert errands(Path("in"), Path("o"), ending="jpg")[0].output == Path("o/b.jpg")


def test_what_cannot_be_is_said_before_the_work(picture):
    picture(Path("in/a.png"))
    for source, output, options, reason in [
        ("in", "in", {}, "in is the folder that is read: give another one"),
        ("in/a.png", "b.png", {"ending": "png"}, "--format is for a folder"),
        ("in/a.png", "b.xyz", {}, "no known format"),
        ("in", "out", {"ending": "xyz"}, "no known format"),
        ("in/a.png", "b.png", {"page": "0"}, "--page is 0, expected a number from 1, or all"),
        ("in/a.png", "b.png", {"page": "last"}, "--page is last"),
        ("nowhere", "b.png", {}, "nowhere does not exist"),
    ]:
        with pytest.raises(UsageError, match=reason):
            errands(Path(source), Path(output), **options)


def test_photographs_that_differ_in_their_endings_only_are_kept_apart():
    with pytest.raises(UsageError, match=r"in/a.jpg and in/a.png differ in their endings only"):
        expect_apart([Errand(Path("in") / n, Path("out") / n) for n in ("a.jpg", "a.png")])


def test_the_number_is_of_the_content_alone_and_fits_a_key():
    assert number("00000002" + 56 * "f") == 1
    assert number(64 * "f") == 2**31 - 1


def test_what_is_done_is_left_out_only_when_asked(errand):
    assert left(errand) == [errand]
    finish(errand)
    assert left(errand, resume=True) == []
    assert left(errand, force=True) == [errand]
    with pytest.raises(UsageError, match=r"out/a.png exists: pass --force to write over it"):
        left(errand)


def test_a_photograph_that_was_killed_on_the_way_is_done_again(errand):
    finish(errand)
    errand.output.unlink()  # it is moved to its place last
    Path("out/a.sample-1.png").write_bytes(b"half")
    assert left(errand, resume=True) == [errand]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda e: e.sidecar.unlink(), r"without a .jaxir.json file, so it is not known how"),
        (lambda e: e.output.write_bytes(b"edited"), "changed since it was made"),
        (lambda e: e.source.write_bytes(b"another"), "made from another a.png"),
        (lambda e: e.sidecar.write_text("{"), "is no sidecar of jaxir, or a damaged one"),
    ],
)
def test_what_is_not_known_to_be_ours_is_left_alone(errand, change, reason):
    finish(errand)
    change(errand)
    with pytest.raises(UsageError, match=reason):
        left(errand, resume=True)
    assert left(errand, resume=True, force=True) == [errand]


def test_other_settings_are_said_and_not_taken_for_the_same(errand):
    finish(errand)
    with pytest.raises(UsageError, match=r"\(made with steps 20, now 50\): pass --force"):
        left(errand, resume=True, asked=ASKED | {"steps": 50})


def test_a_name_with_the_signs_of_a_pattern_is_a_name(errand):
    odd = Errand(errand.source, Path("out/[ab]*.png"))
    Path("out/a.sample-1.png").touch()
    assert left(odd) == [odd]
    Path("out/[ab]*.sample-1.png").touch()
    with pytest.raises(UsageError, match="exists"):
        left(odd)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", "null", json.dumps({"schema": 9, "settings": {}}), "\0", "{" * 9]
)
def test_a_sidecar_that_is_none(text):
    Path("a.png.jaxir.json").write_text(text)
    with pytest.raises(UsageError):
        read_sidecar(Path("a.png.jaxir.json"))


def test_what_a_killed_run_left_is_swept_up_when_nobody_can_be_writing_it(errand):
    old, new, other = (
        Path("out") / name
        for name in (".a.0123abcd.part.png", ".b.png.0123abcd.part", ".mine.part.png")
    )
    for path in (old, new, other):
        path.touch()
    for path in (old, other):
        os.utime(path, (time.time() - 4000,) * 2)
    sweep([errand])
    assert [path.exists() for path in (old, new, other)] == [False, True, True]
