"""`jaxir report`: what is beside the photos comes into the page, and what is wrong with it is said."""

import base64
import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from jaxir.cli.errands import digest
from jaxir.cli.sidecar import sidecar_of, write_sidecar


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def restored(picture):
    """`restored("out/a.png")` writes a restoration with its sidecar and, beside it, all that a report shows."""

    def write(name, shape=(24, 32, 3), seed=0, **changes):
        out = Path(name)
        came = Path("photos") / out.name
        picture(came, shape, seed)
        picture(out, shape, seed + 1)
        kinds = [
            "kernel",
            "sample-1",
            "sample-2",
            "uncertainty",
            "std",
            "residual",
            "trajectory-01",
        ]
        beside = {kind: out.with_name(f"{out.stem}.{kind}.png") for kind in kinds}
        for i, path in enumerate(beside.values()):
            picture(path, shape, seed + 2 + i)
        names = {kind: path.name for kind, path in beside.items()}
        record = {
            "jaxir": "0.1.0",
            "input": {"file": "../" * len(out.parts[:-1]) + str(came), "sha256": digest(came)},
            "output": {"file": out.name, "sha256": digest(out)},
            "asked": {},
            "settings": {"method": "diffpir", "steps": 20, "tile": None},
            "degradation": "gaussian(1.6)|noise(0.02)",
            "noise": {"sigma": 0.02, "units": "[0, 1]"},
            "weights": {"name": "natural-prior", "sha256": "ab" * 32},
            "residual": {"measured": 0.021, "expected": 0.02, "units": "[0, 1]"},
            "evaluations": 80,
            "seconds": 3.25,
            "reads": {},
            "kept": [],
            "provenance": {"jax": "0.10.2"},
            "citations": ["zhu2023diffpir"],
            "files": {
                "samples": [names["sample-1"], names["sample-2"]],
                "uncertainty": names["uncertainty"],
                "std": names["std"],
                "residual": names["residual"],
                "kernel": names["kernel"],
                "trajectory": [names["trajectory-01"]],
            },
            "scales": {"uncertainty": 25.5, "residual": 10.25},
        }
        write_sidecar(sidecar_of(out), {**record, **changes})
        return out

    return write


def entries(path="report.html"):
    text = Path(path).read_text("utf-8")
    return [
        json.loads(each)
        for each in re.findall(
            r'<script type="application/json" id="entry-\d+">(.*?)</script>', text, re.DOTALL
        )
    ]


def pixels(source):
    data = base64.b64decode(source.split(",", 1)[1]) if source.startswith("data:") else source
    return np.asarray(Image.open(io.BytesIO(data) if isinstance(data, bytes) else data))


def test_one_photo_with_all_that_is_beside_it(jaxir, restored):
    out = restored("out/a.png")
    outcome = jaxir("report", out)
    assert outcome.code == 0, outcome.err
    size = Path("report.html").stat().st_size / 1e6
    assert outcome.out == f"report.html: 1 photo, {size:.1f} MB\n"
    (entry,) = entries()
    assert (entry["title"], entry["width"], entry["height"]) == ("a.png", 32, 24)
    np.testing.assert_array_equal(pixels(entry["after"]), pixels("out/a.png"))
    np.testing.assert_array_equal(pixels(entry["before"]), pixels("photos/a.png"))
    for i, url in enumerate(entry["samples"], 1):
        np.testing.assert_array_equal(pixels(url), pixels(f"out/a.sample-{i}.png"))
    assert entry["uncertainty"]["largest"] == 25.5
    assert entry["residual"]["largest"] == 10.25
    assert len(entry["trajectory"]) == 1
    (kernel,) = entry["details"]
    np.testing.assert_array_equal(pixels(kernel["after"])[::8, ::8], pixels("out/a.kernel.png"))
    metrics, settings = dict(entry["metrics"]), dict(entry["settings"])
    assert metrics["Residual, in levels of 255"] == "5.36, noise 5.10"
    assert metrics["Network evaluations"] == "80"
    assert settings["Degradation"] == "gaussian(1.6)|noise(0.02)"
    assert settings["SHA-256 of the weights"] == "ab" * 32
    assert settings["Papers"] == "zhu2023diffpir"
    assert "Tile" not in settings  # None is not said
    assert entry["replay"] == "jaxir replay a.png.jaxir.json"
    assert entry["problem"] is None


def test_a_folder_keeps_its_order_and_the_names_of_its_folders(jaxir, restored):
    for name in ("out/b.png", "out/deep/a.png", "out/a b.png"):
        restored(name)
    assert jaxir("report", "out", "-o", "all.html").code == 0
    assert [entry["title"] for entry in entries("all.html")] == ["a b.png", "b.png", "deep/a.png"]
    assert entries("all.html")[0]["replay"] == "jaxir replay 'a b.png.jaxir.json'"


def test_side_files_that_are_gone_leave_their_part_out(jaxir, restored):
    out = restored("out/a.png")
    for kind in ("kernel", "sample-1", "uncertainty", "residual", "trajectory-01"):
        out.with_name(f"a.{kind}.png").unlink()
    assert jaxir("report", "out").code == 0
    (entry,) = entries()
    assert len(entry["samples"]) == 1
    assert entry["uncertainty"] is entry["residual"] is None
    assert entry["trajectory"] == []


def test_what_is_wrong_is_said_in_a_line_and_in_the_page(jaxir, restored, picture):
    restored("out/good.png")
    picture(restored("out/changed.png"), (24, 32, 3), 9)
    restored("out/gone.png").unlink()
    Path(restored("out/alone.png").parent.parent / "photos/alone.png").unlink()
    sidecar_of(restored("out/torn.png")).write_text('{"schema": 1, "inp')
    sidecar_of(restored("out/nest.png")).write_text("[" * 100_000)
    restored(
        "out/odd.png",
        files={"samples": 3},
        residual="much",
        noise=[],
        seconds=[1],
        evaluations=10**400,
    )
    restored("out/later.png", schema=9)
    outcome = jaxir("report", "out")
    assert outcome.code == 1
    problems = {entry["title"]: entry["problem"] for entry in entries()}
    assert problems["good.png"] is None
    assert "changed.png is not the output that the sidecar describes" in problems["changed.png"]
    assert "the restoration is not there: out/gone.png" in problems["gone.png"]
    assert "the photo before it is not there" in problems["alone.png"]
    assert "damaged" in problems["torn.png"]
    assert "nest.png.jaxir.json" in problems["nest.png"]
    assert "schema 9, expected 1" in problems["later.png"]
    assert problems["odd.png"] is None
    lines = outcome.err.splitlines()
    for title, problem in problems.items():
        assert problem is None or f"jaxir: {title}: {problem}" in lines
    assert lines[-1] == "jaxir: problems with 6 of 8 photos, which the page shows"
    assert all(
        entry["after"] for entry in entries() if entry["title"] in ("alone.png", "changed.png")
    )


@pytest.fixture
def secret(picture, tmp_path):
    """An image that is nobody's business."""
    path = tmp_path / "secret/a.png"
    picture(path, (24, 32, 3), 99)
    return path


def rewrite(out, **parts):
    record = json.loads(sidecar_of(out).read_text())
    for part, values in parts.items():
        record[part] |= values
    sidecar_of(out).write_text(json.dumps(record))


def test_a_sidecar_brings_no_picture_from_elsewhere_into_a_page(jaxir, restored, secret):
    out = restored("out/a.png")
    names = [str(secret), "../secret/a.png", "sub/../../secret/a.png"]
    kinds = ("samples", "uncertainty", "std", "residual", "kernel", "trajectory")
    rewrite(out, input={"file": str(secret)}, files=dict.fromkeys(kinds, names))
    assert jaxir("report", out).code == 1
    (entry,) = entries()
    assert (entry["samples"], entry["trajectory"], entry["details"]) == ([], [], [])
    assert entry["before"] is entry["uncertainty"] is entry["residual"] is None
    assert "a.png is not the input that the sidecar describes" in entry["problem"]
    rewrite(out, output={"file": "../secret/a.png", "sha256": digest(secret)})
    assert jaxir("report", out, "--force").code == 1
    (entry,) = entries()
    assert entry["after"] is None
    assert "the restoration is not there" in entry["problem"]


def test_a_photo_from_elsewhere_is_shown_if_it_is_the_one_that_was_restored(
    jaxir, restored, secret
):
    out = restored("out/a.png")
    rewrite(out, input={"file": "../secret/a.png", "sha256": digest(secret)})
    assert jaxir("report", out).code == 0
    np.testing.assert_array_equal(pixels(entries()[0]["before"]), pixels(str(secret)))


def test_a_sidecar_cannot_make_a_page_endless(jaxir, restored):
    out = restored("out/a.png")
    rewrite(out, files={"samples": ["a.sample-1.png"] * 3000})
    assert jaxir("report", out).code == 0
    (entry,) = entries()
    assert len(entry["samples"]) == 64
    assert entry["note"] == "Only the first 64 are shown of: samples."


@pytest.mark.parametrize("name", ["/dev/zero", "..", "\0", "a" * 5000, 7, "pipe"])
def test_a_sidecar_that_names_no_file_of_an_image_is_no_trap(jaxir, restored, name):
    import os

    Path("out").mkdir()
    os.mkfifo("out/pipe")
    out = restored("out/a.png", files={"samples": [name], "std": name})
    record = json.loads(sidecar_of(out).read_text())
    record["input"]["file"] = name
    sidecar_of(out).write_text(json.dumps(record))
    assert jaxir("report", out).code == 1
    (entry,) = entries()
    assert entry["before"] is None
    assert entry["samples"] == []


def test_names_move_no_cursor_and_are_no_options(jaxir, restored):
    restored("out/\x1b[2J\u202ered.png").unlink()
    restored("out/-rf.png")
    outcome = jaxir("report", "out")
    assert outcome.code == 1
    assert "[2Jred.png: the restoration is not there" in outcome.err
    assert "\x1b" not in outcome.err + outcome.out
    assert "\u202e" not in outcome.err + outcome.out
    assert entries()[1]["replay"] == "jaxir replay ./-rf.png.jaxir.json"


@pytest.mark.parametrize(
    ("measured", "expected", "said"),
    [(0.07, 0.02, True), (0.05, 0.02, False), (0.004, 0.0, False), (0.03, 0.0, True)],
)
def test_a_residual_that_is_no_noise_is_said_plainly(jaxir, restored, measured, expected, said):
    residual = {"measured": measured, "expected": expected, "units": "[0, 1]"}
    assert jaxir("report", restored("out/a.png", residual=residual)).code == 0
    note = entries()[0]["note"] or ""
    assert ("The restoration does not explain the photo" in note) == said
    assert ("The degradation is probably another one." in note) == said


def test_hidden_folders_are_left_out(jaxir, restored):
    restored("out/a.png")
    restored("out/.trash/b.png")
    assert jaxir("report", "out").code == 0
    assert [entry["title"] for entry in entries()] == ["a.png"]


def test_the_truth_gives_psnr_and_ssim_before_and_after(jaxir, restored, picture):
    restored("out/deep/a.png")
    picture(Path("truth/deep/a.bmp"), (24, 32, 3), 5)
    outcome = jaxir("report", "out", "--truth", "truth")
    assert outcome.code == 0, outcome.err
    metrics = dict(entries()[0]["metrics"])
    clean = pixels("truth/deep/a.bmp") / 255
    both = [pixels(name) / 255 for name in ("photos/a.png", "out/deep/a.png")]
    expected = [peak_signal_noise_ratio(clean, each, data_range=1) for each in both]
    assert metrics["PSNR, dB"] == " → ".join(f"{value:.2f}" for value in expected)
    similar = [
        structural_similarity(
            clean,
            each,
            data_range=1,
            channel_axis=-1,
            gaussian_weights=True,
            use_sample_covariance=False,
        )
        for each in both
    ]
    found = [float(value) for value in metrics["SSIM"].split(" → ")]
    np.testing.assert_allclose(found, similar, atol=6e-4)  # three decimals


def test_a_large_photo_is_reduced_and_has_pieces_of_true_pixels_where_samples_differ(
    jaxir, restored
):
    out = restored("out/a.png", (300, 700, 3))
    std = np.zeros((300, 700), np.uint8)
    std[200:220, 600:640] = 255
    Image.fromarray(std).save("out/a.std.png")
    assert jaxir("report", out, "--side", 350).code == 0
    (entry,) = entries()
    assert pixels(entry["after"]).shape == (150, 350, 3)
    assert (entry["width"], entry["height"]) == (700, 300)
    assert entry["note"].startswith("Shown at 350 of 700 pixels")
    piece, _kernel = entry["details"]
    left, top = map(int, re.findall(r"\d+", piece["label"]))
    cut = slice(top, top + 256), slice(left, left + 256)
    assert std[cut].sum() == std.sum()
    np.testing.assert_array_equal(pixels(piece["after"]), pixels("out/a.png")[cut])
    np.testing.assert_array_equal(pixels(piece["before"]), pixels("photos/a.png")[cut])


def test_a_page_that_is_there_stays_unless_told(jaxir, restored):
    restored("out/a.png")
    Path("report.html").write_text("mine")
    outcome = jaxir("report", "out")
    assert (outcome.code, Path("report.html").read_text()) == (2, "mine")
    assert "report.html exists: pass --force" in outcome.err
    assert jaxir("report", "out", "--force").code == 0
    assert [path.name for path in Path().glob("*report*")] == ["report.html"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere"], "nowhere does not exist"),
        (["photos"], "photos holds no *.jaxir.json"),
        (["photos/a.png"], "a.png.jaxir.json does not exist"),
        (["out", "-o", "out/a.png"], "out/a.png is no name of a page"),
        (["out", "-o", "no/report.html"], "no is not a folder"),
        (["out", "--side", 3], "--side is 3"),
        (["out", "--truth", "no"], "no does not exist"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(jaxir, restored, arguments, words):
    restored("out/a.png")
    outcome = jaxir("report", *arguments)
    assert outcome.code == 2
    assert words in outcome.err
    assert outcome.err.count("\n") == 1
    assert not Path("report.html").exists()
