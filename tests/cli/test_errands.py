"""Which photographs go where, and what a later run leaves out or leaves alone."""

import json
import os
import time
from pathlib import Path

import pytest

from jaxir.cli.errands import Errand, digest, errands, expect_apart, number
from jaxir.cli.errors import UsageError
from jaxir.cli.finished import outstanding, sweep
from jaxir.cli.sidecar import read_sidecar, write_sidecar

ENDINGS = (".jpg", ".png")
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


def finish(errand, asked=ASKED, files=("a.sample-1.png",), kept=KINDS, page=None):
    """What a run leaves when it has restored a photograph."""
    errand.output.write_bytes(b"restored")
    for name in files:
        errand.output.with_name(name).write_bytes(b"sample")
    record = {
        "asked": asked,
        "settings": {},
        "degradation": None,
        "weights": {"sha256": ""},
        "reads": {},
        "provenance": {},
        "files": {"samples": list(files)},
        "kept": list(kept),
        "input": {"file": str(errand.source), "sha256": digest(errand.source), "page": page},
        "output": {"file": errand.output.name, "sha256": digest(errand.output)},
    }
    write_sidecar(errand.sidecar, record)
    return record


def sort(errand, *, resume=False, force=False, asked=ASKED):
    return outstanding([errand], asked, KINDS, resume=resume, force=force)


def left(errand, **options):
    return sort(errand, **options).left


def test_folders_are_mirrored_and_what_was_written_into_them_is_not_read_again(picture):
    for name in ("b.png", "deep/a.png", "out/b.png"):
        picture(Path("in") / name)
    found = errands(Path("in"), Path("in/out").absolute(), ENDINGS)
    assert [(str(e.source), str(e.output)) for e in found] == [
        ("in/b.png", str(Path("in/out/b.png").absolute())),
        ("in/deep/a.png", str(Path("in/out/deep/a.png").absolute())),
    ]
    assert errands(Path("in"), Path("o"), ENDINGS, ending="jpg")[0].output == Path("o/b.jpg")


def test_what_cannot_be_is_said_before_the_work(picture):
    picture(Path("in/a.png"))
    for source, output, options, reason in [
        ("in", "in", {}, "in/a.png is a photograph that is read, and it would be lost"),
        ("in/a.png", "./in/../in/a.png", {}, "is a photograph that is read"),
        ("in/a.png", "in", {}, "is a photograph that is read"),
        ("in/a.png", "in/a.png/b.png", {}, "in/a.png is a file, so nothing can be written below"),
        ("in/a.png", "new", {}, "new has no ending, which says the format"),
        ("in/a.png", "b.png", {"page": "²"}, "--page is ², expected a number from 1"),
        ("in/a.png", "b.png", {"ending": "png"}, "--format is for a folder"),
        ("in/a.png", "b.xyz", {}, "no known format"),
        ("in", "out", {"ending": "xyz"}, "no known format"),
        ("in/a.png", "b.png", {"page": "0"}, "--page is 0, expected a number from 1, or all"),
        ("in/a.png", "b.png", {"page": "last"}, "--page is last"),
        ("nowhere", "b.png", {}, "nowhere does not exist"),
    ]:
        with pytest.raises(UsageError, match=reason):
            errands(Path(source), Path(output), ENDINGS, **options)


@pytest.mark.parametrize(
    "names",
    [("a.jpg", "a.png"), ("a.png", "A.png"), ("a.tif", "a.sample-1.png"), ("a.b.png", "a.b.gif")],
)
def test_no_photograph_is_written_over_by_a_file_about_another(names):
    found = [Errand(Path("in") / name, Path("out") / name) for name in names]
    for order in (found, found[::-1]):
        with pytest.raises(UsageError, match=r"would share the files [aA]\..*two folders"):
            expect_apart(order, ["sample-*.png", "gif"])


def test_photographs_that_only_begin_alike_are_apart():
    names = ("a.png", "a.b.png", "a.samples.png", "b/a.png", "sample-1.png")
    expect_apart([Errand(Path("in") / n, Path("out") / n) for n in names], ["sample-*.png"])


def test_the_number_is_of_the_content_alone_and_fits_a_key():
    assert number("00000002" + 56 * "f") == 1
    assert number(64 * "f") == 2**31 - 1


def test_what_is_done_is_left_out_only_when_asked(errand):
    assert left(errand) == [errand]
    finish(errand)
    assert sort(errand, resume=True) == ([], [errand], [])
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
        (lambda e: e.sidecar.unlink(), "it has no .jaxir.json file, so it is not known how"),
        (lambda e: e.output.write_bytes(b"edited"), "it was changed since it was made"),
        (lambda e: e.source.write_bytes(b"another"), "it was made from another a.png"),
        (lambda e: e.sidecar.write_text("{"), "is no sidecar of jaxir, or a damaged one"),
        (lambda e: finish(e, asked=ASKED | {"steps": 50}), "it was made with steps 50, now 20"),
        (lambda e: finish(e, page=2), "it was made with page 2, now None"),
    ],
)
def test_what_is_not_known_to_be_the_same_is_left_alone_and_the_rest_goes_on(
    errand, change, reason
):
    finish(errand)
    change(errand)
    other = Errand(errand.source, Path("out/other.png"))
    found = outstanding([errand, other], ASKED, KINDS, resume=True, force=False)
    assert found.left == [other]
    [(alone, path, why)] = found.alone
    assert (alone, path) == (errand, errand.output)
    assert reason in why
    assert left(errand, resume=True, force=True) == [errand]


@pytest.mark.parametrize(
    "change",
    [
        lambda e: finish(e, files=(), kept=[]),  # made without samples
        lambda e: Path("out/a.sample-1.png").unlink(),
    ],
)
def test_what_is_asked_for_now_and_was_not_written_then_is_written(errand, change):
    finish(errand)
    change(errand)
    assert left(errand, resume=True) == [errand]


def test_a_name_with_the_signs_of_a_pattern_is_a_name(errand):
    odd = Errand(errand.source, Path("out/[ab]*.png"))
    Path("out/a.sample-1.png").touch()
    assert left(odd) == [odd]
    Path("out/[ab]*.sample-1.png").touch()
    with pytest.raises(UsageError, match="exists"):
        left(odd)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", "null", json.dumps({"schema": 9, "settings": {}}), "\0", "[" * 99999]
)
def test_a_sidecar_that_is_none(text):
    Path("a.png.jaxir.json").write_text(text)
    with pytest.raises(UsageError):
        read_sidecar(Path("a.png.jaxir.json"))


def test_what_a_killed_run_left_is_swept_up_when_nobody_can_be_writing_it(errand):
    old, new, other = (
        Path("out") / name
        for name in (".a.png.0123abcd.part", ".b.png.0123abcd.part", ".mine.part")
    )
    for path in (old, new, other):
        path.touch()
    for path in (old, other):
        os.utime(path, (time.time() - 4000,) * 2)
    sweep([errand])
    assert [path.exists() for path in (old, new, other)] == [False, True, True]


def test_a_sidecar_without_one_of_its_parts_is_damaged(errand):
    record = finish(errand)
    for part in record:
        write_sidecar(errand.sidecar, record | {part: None} if part != "degradation" else {})
        with pytest.raises(UsageError, match="is no sidecar of jaxir, or a damaged one"):
            read_sidecar(errand.sidecar)
    write_sidecar(errand.sidecar, record)
    read_sidecar(errand.sidecar)
