"""What `jaxir restore` promises an owner of photographs, on small ones and a tiny network."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jaxir.cli.degradations import parse_degradation
from jaxir.data import read_image

pytestmark = pytest.mark.usefixtures("quick_compile")


@pytest.fixture(autouse=True)
def in_a_folder_with_a_photo(tmp_path, monkeypatch, picture):
    monkeypatch.chdir(tmp_path)
    picture(Path("photo.png"))


@pytest.fixture
def restore(jaxir, tiny_prior):
    """Run `jaxir restore` with little work."""

    def run(*arguments, degradation="noise(0.05)", code=0):
        options = ["--prior", tiny_prior, "--steps", 2, "--samples", 2]
        outcome = jaxir("restore", *options, "--degradation", degradation, *arguments)
        assert outcome.code == code, outcome.err
        return outcome

    return run


def sidecar(name):
    return json.loads(Path(f"{name}.jaxir.json").read_text("utf-8"))


def test_the_sidecar_says_how_it_was_made(restore):
    restore("photo.png", "-o", "x.png", "--seed", 3)
    record = sidecar("x.png")
    assert record["schema"] == 1
    assert record["input"] | {"sha256": ""} == {
        "file": "photo.png",
        "sha256": "",
        "page": None,
        "height": 16,
        "width": 16,
        "format": "PNG",
        "depth": 8,
    }
    assert record["degradation"] == "noise(0.05)"
    assert record["noise"] == {"sigma": 0.05, "units": "[0, 1]"}
    assert record["settings"]["seed"] == 3
    assert record["evaluations"] == 4
    assert record["citations"] == ["zhu2023diffpir"]
    assert len(record["weights"]["sha256"]) == 64
    assert record["residual"]["expected"] == 0.05


def test_a_replay_gives_the_same_bytes(restore, jaxir):
    restore("photo.png", "-o", "x.png")
    said = jaxir("replay", "x.png", "-o", "y.png")
    assert said.code == 0, said.err
    assert said.out.splitlines()[-1] == "x.png is the same, byte for byte"
    assert Path("y.png").read_bytes() == Path("x.png").read_bytes()
    before = sorted(path.name for path in Path.cwd().iterdir())
    assert jaxir("replay", "x.png.jaxir.json").code == 0  # only compares
    assert sorted(path.name for path in Path.cwd().iterdir()) == before


def test_a_replay_says_what_is_not_the_same(restore, jaxir, picture, tiny_prior):
    restore("photo.png", "-o", "x.png")
    record = sidecar("x.png")
    for name, value, reason in [
        ("output", {"sha256": 64 * "0", "file": "x.png"}, "x.png is not the same as it was"),
        ("weights", {"sha256": 64 * "0"}, "holds other weights than x.png.jaxir.json was made"),
        ("settings", {"steps": "many"}, "the setting steps is 'many', expected int"),
        ("input", {"sha256": 64 * "0", "file": "photo.png"}, "photo.png is not the file that"),
        ("input", {"sha256": "", "file": "gone.png"}, "gone.png, which x.png.jaxir.json was made"),
    ]:
        Path("x.png.jaxir.json").write_text(json.dumps(record | {name: value}))
        said = jaxir("replay", "x.png", "-o", "y.png")
        assert said.code in (1, 2)
        assert reason in said.err
        assert not Path("y.png").exists()


def test_the_same_photograph_is_restored_the_same_under_any_name(restore):
    Path("in/deep").mkdir(parents=True)
    for name in ("in/a.png", "in/deep/other.png"):
        shutil.copy("photo.png", name)
    restore("photo.png", "-o", "x.png")
    restore("in", "-o", "out")
    for name in ("out/a.png", "out/deep/other.png"):
        assert Path(name).read_bytes() == Path("x.png").read_bytes()


def test_lines_of_json_are_alone_on_stdout(restore, picture):
    picture(Path("in/a.png"))
    Path("in/b.png").write_bytes(b"no image")
    said = restore("in", "-o", "out", "--json", code=1)
    good, bad = map(json.loads, said.out.splitlines())
    assert good["written"] == "out/a.png"
    assert good["residual"]["measured"] > 0
    assert (bad["source"], bad["status"]) == ("in/b.png", "failed")
    assert "is not an image" in bad["error"]
    assert "out/a.png" in said.err
    assert said.err.splitlines()[-1] == "jaxir: 1 of 2 images failed"
    again = restore("in", "-o", "out", "--json", "--resume", code=1)
    assert [json.loads(line)["status"] for line in again.out.splitlines()] == [
        "done before",
        "failed",
    ]


def test_a_dry_run_writes_nothing_and_says_what_it_would_take(restore, picture):
    picture(Path("in/a.png"))
    picture(Path("in/b.png"), (24, 16, 3))
    said = restore("in", "-o", "out", "--dry-run")
    assert not Path("out").exists()
    rows = [line.split() for line in said.out.splitlines()[2:]]
    assert [row[0] for row in rows] == ["in/a.png", "in/b.png", "all"]
    assert "16 × 24" in said.out
    assert rows[-1][:4] == ["all", "2", "-", "8"]  # evaluations of both
    Path("in/c.png").write_bytes(b"no image")
    said = restore("in", "-o", "out", "--dry-run", "--json")
    assert [json.loads(line)["evaluations"] for line in said.out.splitlines()] == [4, 4, None, 8]
    assert "in/c.png is not an image" in said.err


def test_a_budget_lowers_the_work_and_the_sidecar_says_to_what(restore, jaxir):
    restore("photo.png", "-o", "x.png", "--budget", "0.000001s")
    record = sidecar("x.png")
    assert (record["settings"]["steps"], record["settings"]["samples"]) == (1, 1)
    assert (record["asked"]["steps"], record["asked"]["samples"]) == (2, 2)
    assert jaxir("replay", "x.png").code == 0
    restore("photo.png", "-o", "y.png", "--budget", "1h")
    assert sidecar("y.png")["settings"]["steps"] == 2


def test_what_was_given_is_what_is_written(restore):
    pixels = np.random.default_rng(0).integers(0, 256, (12, 16, 4), np.uint8)
    Image.fromarray(pixels).save("rgba.png")
    restore("rgba.png", "-o", "out.png")
    with Image.open("out.png") as out:
        np.testing.assert_array_equal(np.asarray(out)[..., 3], pixels[..., 3])
    restore("rgba.png", "-o", "both.png", "--alpha", "restore")
    with Image.open("both.png") as out:
        assert np.any(np.asarray(out)[..., 3] != pixels[..., 3])


def test_pages_are_refused_or_taken_as_asked(restore):
    frames = [Image.fromarray(np.full((16, 16, 3), level, np.uint8)) for level in (60, 120, 180)]
    frames[0].save("scan.tif", save_all=True, append_images=frames[1:])
    assert "3" in restore("scan.tif", "-o", "x.tif", code=2).err
    restore("scan.tif", "-o", "second.tif", "--page", 2)
    restore("scan.tif", "-o", "x.tif", "--page", "all")
    assert Path("x.page-2.tif").read_bytes() == Path("second.tif").read_bytes()
    assert len(list(Path().glob("x.page-*.tif"))) == 3
    assert sidecar("x.page-3.tif")["input"]["page"] == 3
    said = restore("scan.tif", "-o", "x.tif", "--page", "all", "--report", "--resume")
    assert "x.report.html: 3 photos" in said.out


def test_a_report_and_an_animation_come_with_it(restore):
    restore("photo.png", "-o", "x.png", "--report", "--gif")
    assert Path("x.report.html").read_text("utf-8").startswith("<!DOCTYPE html>")
    with Image.open("x.gif") as film:
        assert film.n_frames > 3
    record = sidecar("x.png")
    for names in record["files"].values():
        assert all(Path(name).is_file() for name in names)
    assert {"samples", "std", "uncertainty", "residual", "trajectory"} <= set(record["files"])


@pytest.mark.parametrize(("height", "width"), [(1, 1), (17, 31), (61, 53)])
def test_any_size(restore, picture, height, width):
    picture(Path("odd.png"), (height, width, 3))
    restore("odd.png", "-o", "x.png", "--tile", 16)
    assert read_image("x.png").shape == (height, width, 3)


def test_16_bits_stay_16_bits_and_a_profile_stays(restore):
    tifffile = pytest.importorskip("tifffile", reason="needs jaxir[photo]")
    levels = np.random.default_rng(0).integers(0, 65536, (16, 16, 3), np.uint16)
    tifffile.imwrite("deep.tif", levels)
    restore("deep.tif", "-o", "x.tif", "--method", "ddnm", degradation="noise(0)")
    np.testing.assert_array_equal(
        tifffile.imread("x.tif"), levels
    )  # DDNM returns what it was given
    assert sidecar("x.tif")["input"]["depth"] == 16
    restore("deep.tif", "-o", "x.png", "--method", "ddnm", degradation="noise(0)")
    imagecodecs = pytest.importorskip("imagecodecs", reason="needs jaxir[photo]")
    np.testing.assert_array_equal(imagecodecs.png_decode(Path("x.png").read_bytes()), levels)


def test_what_a_crop_hides_is_not_written(restore):
    assert parse_degradation("area(2)|gaussian(1)|crop(2)|bicubic(2)|crop(1)").margin == 8
    restore("photo.png", "-o", "x.png", degradation="crop(2)|noise(0.05)")
    assert read_image("x.png").shape == (16, 16, 3)


def test_fidelity_goes_from_a_sample_to_the_mean(restore):
    for dial in (0, 1):
        restore("photo.png", "-o", f"x{dial}.png", "--fidelity", dial, "--save-samples")
    samples = [read_image(f"x1.sample-{i}.png") for i in (1, 2)]
    np.testing.assert_array_equal(read_image("x0.png"), samples[0])
    inside = np.max(np.abs(samples), axis=0) < 1
    assert np.abs(np.mean(samples, axis=0) - read_image("x1.png"))[inside].max() < 1.01 * 2 / 255


def test_a_later_run_adds_what_is_asked_for_and_takes_away_what_is_not_its_own(restore):
    restore("photo.png", "-o", "x.png")
    before = Path("x.png").read_bytes()
    said = restore("photo.png", "-o", "x.png", "--resume", "--uncertainty", "--save-samples")
    assert "before" not in said.out
    assert Path("x.png").read_bytes() == before
    assert Path("x.uncertainty.png").is_file()
    restore("photo.png", "-o", "x.png", "--force", "--seed", 1)
    assert sorted(path.name for path in Path().glob("x*")) == ["x.png", "x.png.jaxir.json"]


def test_a_run_goes_on_past_what_was_edited_and_says_so(restore, picture):
    for name in ("a", "b"):
        picture(Path(f"in/{name}.png"), seed=ord(name))
    restore("in", "-o", "out")
    Path("out/a.png").write_bytes(b"edited")
    Path("out/b.png").unlink()
    said = restore("in", "-o", "out", "--resume", code=1)
    assert "out/a.png is left alone, for it was changed since it was made" in said.err
    assert Path("out/a.png").read_bytes() == b"edited"
    assert Path("out/b.png").is_file()


def test_a_replay_needs_neither_the_folder_nor_the_names_of_then(
    restore, jaxir, picture, tiny_prior, tmp_path, monkeypatch
):
    mask = picture(Path("mask.png"), (16, 16, 1))
    mask.write_bytes(picture(Path("other.png"), (16, 16, 1), seed=3).read_bytes())
    shutil.copytree(tiny_prior, "weights")
    options = ["--prior", "weights", "--steps", 2, "--samples", 1]
    Path("real").mkdir()
    Path("link").symlink_to("real")
    words = ["--degradation", "mask(mask.png)|noise(0.05)"]
    assert jaxir("restore", "photo.png", "-o", "link/x.png", *options, *words).code == 0
    monkeypatch.chdir("/")
    assert jaxir("replay", tmp_path / "real" / "x.png").code == 0
    picture(tmp_path / "mask.png", (16, 16, 1), seed=5)
    said = jaxir("replay", tmp_path / "link" / "x.png")
    assert "mask.png is another file than x.png.jaxir.json was made with" in said.err


def test_a_budget_leaves_what_a_map_of_the_deviation_needs(restore):
    said = restore("photo.png", "-o", "x.png", "--budget", "0.000001s", "--uncertainty")
    assert Path("x.uncertainty.png").is_file()
    assert ", 1 steps and 2 samples to stay within 0.000001s" in said.out


def test_the_work_on_transparency_is_counted(restore):
    pixels = np.random.default_rng(0).integers(0, 256, (16, 16, 4), np.uint8)
    Image.fromarray(pixels).save("rgba.png")
    restore("rgba.png", "-o", "x.png", "--alpha", "restore")
    assert sidecar("x.png")["evaluations"] == 8


def test_why_each_failed_is_said_whatever_the_page_is(restore):
    Path("in").mkdir()
    Path("in/a.png").write_bytes(b"no image")
    said = restore("in", "-o", "out", "--report", code=1)
    assert "in/a.png is not an image" in said.err
    assert said.err.splitlines()[-1] == "jaxir: 1 of 1 images failed"


def test_a_name_that_is_no_text_is_a_name(restore, picture):
    name = "caf\udce9 [bold]\n.png"  # of an old archive
    picture(Path("in") / name)
    said = restore("in", "-o", "out", "--json")
    record = json.loads(said.out)
    assert record["written"] == f"out/{name}"
    assert (Path("out") / name).is_file()


def test_weights_that_were_trained_on_pairs_are_told_nothing(jaxir, tiny_restorer):
    options = ["photo.png", "-o", "x.png", "--prior", tiny_restorer, "--steps", 2, "--samples", 1]
    for more, reason in [
        (["--degradation", "noise(0.05)"], "knows what spoiled a photograph: leave out"),
        (["--method", "mmps"], "draws by itself: leave out --method mmps"),
    ]:
        said = jaxir("restore", *options, *more)
        assert said.code == 2
        assert reason in said.err
    assert jaxir("restore", *options).code == 0
    record = sidecar("x.png")
    assert (record["degradation"], record["residual"]) == (None, None)
    assert record["citations"] == ["song2021ddim"]
    assert jaxir("replay", "x.png").code == 0
