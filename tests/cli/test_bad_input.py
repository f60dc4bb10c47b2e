"""Bad input: one line that says what came, what was expected and what to do; never a traceback, never half a file."""

import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from jaxir.data import read_image
from jaxir.degradations import Degradation, GaussianNoise, Identity
from jaxir.restoration import restore

pytestmark = pytest.mark.usefixtures("quick_compile")

JAXIR = Path(sys.executable).with_name("jaxir")
GOOD = {
    "degrade": ["--degradation", "noise(0.05)"],
    "restore": ["--degradation", "noise(0.05)", "--steps", 2, "--samples", 1],
}


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def files(tmp_path):
    """The files that are there, by their path from the test's folder."""
    return lambda: {str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file()}


@pytest.fixture
def refused(jaxir, files, tiny_prior):
    """Run a command that must fail; return its line, having checked that it left nothing behind."""

    def run(command, *arguments, code=2, new=()):
        before = files()
        prior = ["--prior", tiny_prior] if command == "restore" else []
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            outcome = jaxir(command, *arguments, *([] if "--prior" in arguments else prior))
        assert outcome.code == code, outcome
        assert outcome.err.startswith("jaxir: "), outcome.err
        assert outcome.err.count("\n") == (2 if code == 1 else 1), outcome.err  # and how many
        assert "Traceback" not in outcome.err + outcome.out
        assert files() - before == set(new)
        return outcome.err.strip()

    return run


both = pytest.mark.parametrize("command", ["degrade", "restore"])


@both
def test_a_missing_input(refused, command):
    line = refused(command, "nowhere.png", "-o", "out.png", *GOOD[command])
    assert "nowhere.png does not exist: give an image file or a folder" in line


@both
def test_an_empty_folder(refused, command, tmp_path):
    (tmp_path / "photos").mkdir()
    line = refused(command, "photos", "-o", "out", *GOOD[command])
    assert "photos holds no image: files are looked for" in line


@both
@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"what is this?", "is not an image"),
        (b"", "is empty"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "cannot be decoded"),
    ],
)
def test_a_file_that_is_no_image(refused, command, tmp_path, content, reason):
    (tmp_path / "in.png").write_bytes(content)
    line = refused(command, "in.png", "-o", "out.png", *GOOD[command])
    assert "in.png" in line
    assert reason in line


@both
def test_a_truncated_image(refused, command, tmp_path, picture):
    path = picture(tmp_path / "in.png", (32, 32, 3))
    path.write_bytes(path.read_bytes()[:-200])
    assert "in.png cannot be decoded" in refused(command, "in.png", "-o", "o.png", *GOOD[command])


@both
def test_an_unreadable_file(refused, command, tmp_path, picture, monkeypatch):
    picture(tmp_path / "in.png")

    def denied(*_, **__):
        raise PermissionError(13, "Permission denied", "in.png")

    monkeypatch.setattr(Image, "open", denied)
    line = refused(command, "in.png", "-o", "out.png", *GOOD[command])
    assert "in.png" in line
    assert "Permission denied" in line


@both
def test_a_mask_of_another_size(refused, command, tmp_path, picture):
    picture(tmp_path / "in.png")
    picture(tmp_path / "mask.png", (8, 8, 1))
    options = [*GOOD[command], "--degradation", "mask(mask.png)|noise(0.1)"]
    line = refused(command, "in.png", "-o", "out.png", *options)
    assert "mask mask.png is 8×8 but the image is 16×16: give a mask of the image's size" in line


@both
@pytest.mark.parametrize(
    ("degradation", "reason"),
    [
        ("noise(-0.1)", "a standard deviation of 0 or more in units of [0, 1], got -0.1"),
        ("noise(nan)", "sigma is 'nan', expected a number"),
        ("moton(5,30)", "unknown degradation 'moton', did you mean 'motion'? known: area, bayer"),
        ("motion(5", "cannot read 'motion(5'"),
        ("", "the degradation is empty"),
        ("noise(0.1)|grey", "noise must be the last stage"),
    ],
)
def test_a_degradation_that_means_nothing(refused, command, tmp_path, picture, degradation, reason):
    picture(tmp_path / "in.png")
    options = [*GOOD[command], "--degradation", degradation]
    assert reason in refused(command, "in.png", "-o", "out.png", *options)


@pytest.mark.parametrize("name", ["--steps", "--samples", "--chunk"])
@pytest.mark.parametrize("value", [0, -3])
def test_counts_below_1(refused, tmp_path, picture, name, value):
    picture(tmp_path / "in.png")
    line = refused("restore", "in.png", "-o", "out.png", *GOOD["restore"], name, value)
    assert f"{name} is {value}, expected at least 1" in line


@pytest.mark.parametrize(
    ("method", "reason"),
    [
        ("difpir", "unknown method 'difpir', did you mean 'diffpir'? known: admm, "),
        ("mmps(depth=3)", "takes (steps=3, eta=1.0), got (depth=3): got an unexpected keyword"),
        ("mmps(5)", "takes (steps=3, eta=1.0), got (5): too many positional"),
        ("mmps(steps=many)", "steps is 'many', expected a whole number"),
        ("mmps(steps=0)", "steps is 0, expected at least 1"),
        ("diffpir(zeta=2.0)", "2.0"),
        ("diffpir(weight=-1.0)", "-1.0"),
        ("dps(", "cannot read 'dps('"),
    ],
)
def test_a_method_that_means_nothing(refused, tmp_path, picture, method, reason):
    picture(tmp_path / "in.png")
    line = refused("restore", "in.png", "-o", "out.png", *GOOD["restore"], "--method", method)
    assert reason in line


def test_missing_weights(refused, tmp_path, picture):
    picture(tmp_path / "in.png")
    (tmp_path / "weights").mkdir()
    options = ["in.png", "-o", "out.png", *GOOD["restore"], "--prior"]
    assert "no weights called 'nothing': give a folder" in refused("restore", *options, "nothing")
    assert "config.json is missing" in refused("restore", *options, "weights")
    assert "no weights called 'nothing'" in refused("models", "nothing")
    assert "config.json is missing" in refused("models", "weights")


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_corrupted_weights(refused, tmp_path, picture, tiny_prior, name):
    picture(tmp_path / "in.png")
    shutil.copytree(tiny_prior, tmp_path / "weights")
    path = tmp_path / "weights" / name
    path.write_bytes(path.read_bytes()[:-20])
    options = ["in.png", "-o", "out.png", *GOOD["restore"], "--prior", "weights"]
    assert name in refused("restore", *options)


@both
def test_an_output_that_exists_is_left_alone_without_force(
    refused, jaxir, tmp_path, picture, command, tiny_prior
):
    picture(tmp_path / "in.png")
    (tmp_path / "out.png").write_bytes(b"mine")
    line = refused(command, "in.png", "-o", "out.png", *GOOD[command])
    assert "out.png exists: pass --force to write over it" in line
    assert (tmp_path / "out.png").read_bytes() == b"mine"
    prior = ["--prior", tiny_prior] if command == "restore" else []
    assert jaxir(command, "in.png", "-o", "out.png", *GOOD[command], *prior, "--force").code == 0
    assert read_image("out.png").shape == (16, 16, 3)


@pytest.mark.parametrize("extra", ["out.sample-2.png", "out.std.png", "out.png.jaxir.json"])
def test_files_beside_the_output_are_left_alone_as_well(refused, tmp_path, picture, extra):
    picture(tmp_path / "in.png")
    (tmp_path / extra).write_bytes(b"mine")
    options = [*GOOD["restore"], "--samples", 2, "--uncertainty", "--save-samples"]
    line = refused("restore", "in.png", "-o", "out.png", *options)
    assert f"{extra} exists: pass --force" in line


def test_a_deviation_needs_two_samples(refused, tmp_path, picture):
    picture(tmp_path / "in.png")
    line = refused("restore", "in.png", "-o", "out.png", *GOOD["restore"], "--uncertainty")
    assert "--uncertainty needs --samples 2 or more" in line


@both
def test_an_unknown_format_is_refused_before_the_work(refused, tmp_path, picture, command):
    picture(tmp_path / "in.png")
    for name in ("out.xyz", "out"):
        line = refused(command, "in.png", "-o", name, *GOOD[command])
        assert ("no known format" if "." in name else "no ending, which says the format") in line
        assert ", .jpeg, .jpg, .png, .tif" in line


@both
def test_a_folder_into_a_file(refused, tmp_path, picture, command):
    picture(tmp_path / "photos" / "in.png")
    (tmp_path / "out").write_bytes(b"mine")
    line = refused(command, "photos", "-o", "out", *GOOD[command])
    assert "out is a file but photos is a folder: give a folder to write to" in line


@both
def test_some_images_of_a_folder_fail_and_the_others_are_written(
    refused, tmp_path, picture, command
):
    for name in ("a", "c", "sub/d"):
        picture(tmp_path / "photos" / f"{name}.png")
    (tmp_path / "photos" / "b.png").write_bytes(b"no image")
    new = {"out/a.png", "out/c.png", "out/sub/d.png"}
    if command == "restore":
        new |= {f"{name}.jaxir.json" for name in new}
    line = refused(command, "photos", "-o", "out", *GOOD[command], code=1, new=new)
    assert "jaxir: photos/b.png is not an image" in line
    assert line.endswith("jaxir: 1 of 4 images failed")


@both
def test_a_file_where_a_folder_should_be(refused, tmp_path, picture, command):
    picture(tmp_path / "in.png")
    line = refused(command, "in.png", "-o", "in.png/out.png", *GOOD[command])
    assert "in.png" in line


def test_a_size_that_is_no_multiple_of_the_factor(refused, tmp_path, picture):
    picture(tmp_path / "in.png", (18, 16, 3))
    line = refused("degrade", "in.png", "-o", "out.png", "--degradation", "bicubic(4)")
    assert "multiple" in line
    assert "18" in line


@both
def test_one_pixel_is_an_image(jaxir, tmp_path, picture, tiny_prior, command):
    picture(tmp_path / "in.png", (1, 1, 3))
    prior = ["--prior", tiny_prior] if command == "restore" else []
    outcome = jaxir(command, "in.png", "-o", "out.png", *GOOD[command], *prior)
    assert outcome.code == 0, outcome.err
    assert read_image("out.png").shape == (1, 1, 3)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_not_finite_in_the_image(tiny_prior, value):
    y = jnp.zeros((8, 8, 3)).at[1, 2].set(value)
    degradation = Degradation(Identity(y.shape), GaussianNoise(0.1))
    with pytest.raises(ValueError, match="y holds 3 values that are not finite: fill") as error:
        restore(y, degradation, prior=tiny_prior)
    assert "\n" not in str(error.value)


def test_training_without_its_experiment(refused, tmp_path):
    assert "nothing.py does not exist: give a Python file" in refused("train", "nothing.py")
    (tmp_path / "other.py").write_text("x = 1\n")
    assert "other.py has no function experiment()" in refused("train", "other.py")
    (tmp_path / "broken.py").write_text("def experiment(:\n")
    assert "broken.py cannot be run (SyntaxError" in refused("train", "broken.py")
    (tmp_path / "needy.py").write_text("import no_such_module\n")
    assert "needy.py cannot be run (ModuleNotFoundError" in refused("train", "needy.py")
    (tmp_path / "empty.py").write_text("def experiment():\n    return None\n")
    assert "returns NoneType, expected a jaxir.training.Exp" in refused("train", "empty.py")
    (tmp_path / "notes.txt").write_text("hello\n")
    assert "notes.txt is not a Python file" in refused("train", "notes.txt")
    line = refused("train", "other.py", "--steps", 0)
    assert "--steps is 0, expected at least 1" in line


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--batc", "8"], "unknown field of Experiment '--batc', did you mean '--batch'?"),
        (
            ["--network.width", "8"],
            "unknown field of UNet '--network.width', did you mean '--network.widths'?",
        ),
        (["--batch", "many"], "--batch is 'many', expected int"),
        (["--batch", "0"], "--batch 0: batch is 0, expected at least 1"),
        (["--batch"], "--batch has no value: write --batch VALUE"),
        (["--source", "here"], "--source is 'here', expected"),
        (
            ["--process", "VE"],
            "--process is an object, VP: change it in the experiment's file, or one of its fields by",
        ),
        (["--network.widths", "8,8.5"], "--network.widths is '8,8.5', expected tuple[int, ...]"),
        (["--profile", "5"], "--profile is '5', expected the first and last step, as in 100:110"),
        (["--devices", "0"], "--devices is 0, expected at least 1"),
        (["--batch=3", "--parts=2"], "batch is 3, expected a multiple of the 2 parts"),
        (["--crop", "512"], "smaller than the crop of 512"),
    ],
)
def test_a_field_that_cannot_be_changed_so(refused, tmp_path, options, text):
    (tmp_path / "mine.py").write_text(
        "from tiny_training import tiny\n\n\ndef experiment():\n    return tiny(steps=2)\n"
    )
    assert text in refused("train", "mine.py", "--workdir", "run", *options)
    assert not (tmp_path / "run").exists()


def test_training_without_its_data(refused, tmp_path, monkeypatch):
    monkeypatch.setenv("JAXIR_DATA", str(tmp_path / "nowhere"))
    experiment = Path(__file__).parents[2] / "experiments" / "natural_prior.py"
    line = refused("train", experiment, "--workdir", "run")
    assert "nowhere/natural/bsds500/train does not exist: give a folder of images" in line


def test_a_corrupted_checkpoint(refused, jaxir, tmp_path):
    (tmp_path / "mine.py").write_text(
        "from tiny_training import tiny\n\n\ndef experiment():\n    return tiny(steps=2)\n"
    )
    options = ["mine.py", "--workdir", "run"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert jaxir("train", *options).code == 0
    largest = max(
        (p for p in (tmp_path / "run" / "checkpoints" / "2").rglob("*") if p.is_file()),
        key=lambda p: p.stat().st_size,
    )
    largest.write_bytes(largest.read_bytes()[:-1] + b"?")
    line = refused("train", *options, "--steps", 4)
    assert "is damaged" in line
    assert "choose another --workdir" in line
    assert not list(tmp_path.rglob("*.partial"))


def test_a_process_of_its_own_says_the_same(tmp_path):
    done = subprocess.run(
        [JAXIR, "degrade", "no.png", "-o", "o.png", "--degradation", "gray"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("jaxir: unknown degradation 'gray', did you mean 'grey'?")
    assert done.stderr.count("\n") == 1
