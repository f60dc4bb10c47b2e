"""What the commands do when all is well: files in, files out, the same seed the same bytes, help at once."""

import importlib
import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import jaxir.pretrained
from jaxir import methods
from jaxir.cli import COMMANDS
from jaxir.cli.errors import UsageError
from jaxir.cli.methods import parse_method
from jaxir.data import read_image

pytestmark = pytest.mark.usefixtures("quick_compile")

ROOT = Path(__file__).resolve().parents[2]
JAXIR = Path(sys.executable).with_name("jaxir")


@pytest.fixture
def done(jaxir, tiny_prior):
    """Run a command that must succeed; `restore` with the tiny prior, in 2 steps unless said otherwise."""

    def run(command, *arguments):
        short = ["--prior", tiny_prior, "--steps", 2, "--samples", 2]
        outcome = jaxir(command, *(short if command == "restore" else []), *arguments)
        assert outcome.code == 0, outcome.err
        return outcome.out

    return run


@pytest.fixture(autouse=True)
def in_a_folder_with_a_photo(tmp_path, monkeypatch, picture):
    monkeypatch.chdir(tmp_path)
    picture(Path("photo.png"))


def test_there_and_back_for_a_file(done):
    done("degrade", "photo.png", "-o", "small.png", "--degradation", "bicubic(2)|noise(0.05)")
    assert read_image("small.png").shape == (8, 8, 3)
    out = done("restore", "small.png", "-o", "big.png", "--degradation", "bicubic(2)|noise(0.05)")
    assert read_image("big.png").shape == (16, 16, 3)
    assert out.startswith("big.png: ")
    assert "residual" in out
    assert "for a noise of 0.0500" in out


def test_the_noise_of_a_file_has_the_deviation_that_was_asked_for(done, picture):
    picture(Path("large.png"), (128, 128, 3))
    done("degrade", "large.png", "-o", "noisy.png", "--degradation", "noise(0.05)")
    clean, noisy = (np.asarray(read_image(name)) / 2 for name in ("large.png", "noisy.png"))
    inside = np.abs(clean) < 0.25  # where nothing is clipped
    # 8-bit rounding adds 1/12 levels² = 1.3e-6
    np.testing.assert_allclose(np.std((noisy - clean)[inside]), 0.05, rtol=0.03)


def test_there_and_back_for_a_folder(done, picture):
    picture(Path("photos/a.png"), seed=1)
    picture(Path("photos/deep/b.png"), seed=2)
    picture(Path("photos/.hidden.png"))
    done("degrade", "photos", "-o", "spoilt", "--degradation", "noise(0.05)")
    out = done("restore", "spoilt", "-o", "restored", "--degradation", "noise(0.05)")
    assert len(out.splitlines()) == 2
    for folder in ("spoilt", "restored"):
        found = sorted(p.relative_to(folder).as_posix() for p in Path(folder).rglob("*.png"))
        assert found == ["a.png", "deep/b.png"]


def test_a_file_into_a_folder_that_exists_keeps_its_name(done):
    Path("out").mkdir()
    done("degrade", "photo.png", "-o", "out", "--degradation", "grey")
    assert read_image("out/photo.png").shape == (16, 16, 1)


def test_a_folder_that_is_missing_is_made(done):
    done("degrade", "photo.png", "-o", "a/b/c.png", "--degradation", "grey")
    assert Path("a/b/c.png").is_file()


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(done):
    options = ["--degradation", "noise(0.05)"]
    for name, seed in (("1", 7), ("2", 7), ("3", 8)):
        done("degrade", "photo.png", "-o", f"y{name}.png", *options, "--seed", seed)
        done("restore", "photo.png", "-o", f"x{name}.png", *options, "--seed", seed)
    for kind in "xy":
        first, second, third = (Path(f"{kind}{i}.png").read_bytes() for i in (1, 2, 3))
        assert first == second
        assert first != third


def test_images_of_a_folder_have_noise_of_their_own(done, picture):
    for name in ("a", "b"):
        picture(Path(f"photos/{name}.png"), seed=1)
    done("degrade", "photos", "-o", "spoilt", "--degradation", "noise(0.05)")
    assert Path("spoilt/a.png").read_bytes() != Path("spoilt/b.png").read_bytes()


def test_samples_and_deviation_on_request(done):
    options = ["--degradation", "noise(0.05)", "--save-samples", "--uncertainty"]
    out = done("restore", "photo.png", "-o", "x.png", *options)
    assert sorted(p.name for p in Path.cwd().glob("x*")) == [
        "x.png",
        "x.png.jaxir.json",
        "x.sample-1.png",
        "x.sample-2.png",
        "x.std.png",
        "x.uncertainty.png",
    ]
    samples = [np.asarray(read_image(f"x.sample-{i}.png")) for i in (1, 2)]
    mean = np.mean(samples, axis=0)
    inside = np.max(np.abs(samples), axis=0) < 1  # samples are clipped one by one
    level = 2 / 255
    assert np.abs(mean - read_image("x.png"))[inside].max() < 1.01 * level
    deviation = read_image("x.std.png")
    assert deviation.shape == (16, 16, 1)
    assert deviation.max() == 1
    assert "deviation up to" in out


def test_every_particle_of_every_run_is_saved(done):
    options = ["--degradation", "box(4)|noise(0.05)", "--method", "tds(particles=3)"]
    done("restore", "photo.png", "-o", "x.png", *options, "--save-samples")
    names = [f"x.sample-{run}-{particle}.png" for run in (1, 2) for particle in (1, 2, 3)]
    assert sorted(p.name for p in Path.cwd().glob("x.*.png")) == names
    samples = np.stack([np.asarray(read_image(name)) for name in names])
    inside = np.max(np.abs(samples), axis=0) < 1  # samples are clipped one by one
    assert np.abs(samples.mean(axis=0) - read_image("x.png"))[inside].max() < 1.01 * 2 / 255


@pytest.mark.parametrize("noise", ["poisson(50)", "speckle(strength=0.2)"])
def test_a_noise_without_a_sigma_is_told_in_its_own_words(done, noise):
    """And by the deviation that it has where the image is."""
    options = ["--degradation", f"area(2)|{noise}", "--method", "dps(scale=0.1)"]
    out = done("restore", "photo.png", "-o", "x.png", *options)
    level, words = out.partition("for a noise of ")[2].strip().split(", ")
    assert words == noise
    u = (1 + np.asarray(read_image("x.png")).reshape(16, 2, 16, 2, 3).mean(axis=(1, 3))) / 2
    expected = np.sqrt(np.mean(u / 50 if "poisson" in noise else (0.2 * u) ** 2))
    np.testing.assert_allclose(float(level), expected, rtol=0.02)  # what is written is clipped


def test_a_deviation_of_nothing_is_black(done):
    """Without noise and with nothing missing, DDNM returns the measurement itself, whatever the draw."""
    options = ["--degradation", "noise(0)", "--method", "ddnm", "--uncertainty"]
    done("restore", "photo.png", "-o", "x.png", *options)
    np.testing.assert_array_equal(read_image("x.png"), read_image("photo.png"))
    assert read_image("x.std.png").max() <= 1
    assert np.all(np.isfinite(read_image("x.std.png")))


def test_grey_in_grey_out_and_colour_out_where_grey_is_the_degradation(done, picture):
    picture(Path("grey.png"), (16, 16, 1))
    done("restore", "grey.png", "-o", "same.png", "--degradation", "noise(0.05)")
    assert read_image("same.png").shape == (16, 16, 1)
    done("restore", "grey.png", "-o", "colour.png", "--degradation", "grey|noise(0.05)")
    assert read_image("colour.png").shape == (16, 16, 3)


@pytest.mark.parametrize(
    "method", ["diffpir(zeta=1.0)", "mmps(steps=1)", "ddrm", "tds(particles=2)"]
)
def test_methods_run_from_the_shell(done, method):
    done("restore", "photo.png", "-o", "x.png", "--degradation", "box(4)", "--method", method)
    assert read_image("x.png").shape == (16, 16, 3)


def test_a_method_of_a_method_is_written_as_it_is():
    found = parse_method("em(rounds=2, method=mmps(steps=5))")
    assert found.func is methods.em
    assert found.keywords["rounds"] == 2
    assert found.keywords["method"].func is methods.mmps
    assert found.keywords["method"].keywords == {"steps": 5}
    found = parse_method("em(method=mmps(steps=5, eta=0.5), rounds=2)")
    assert found.keywords["method"].keywords == {"steps": 5, "eta": 0.5}
    assert found.keywords["rounds"] == 2
    with pytest.raises(UsageError, match="unknown method 'mmmps', did you mean 'mmps'"):
        parse_method("em(method=mmmps)")


def test_a_method_that_no_command_line_can_hold_says_where_it_runs():
    with pytest.raises(UsageError, match="blind_dps needs a prior of kernels: in Python"):
        parse_method("blind_dps")


def test_a_blind_method_writes_its_kernel_and_is_judged_by_it(done):
    command = "restore photo.png -o x.png --degradation gaussian(1.0) --steps 2"
    method = "em(method=diffpir(zeta=1.0), draws=2, rounds=1)"
    assert "residual" in done(*command.split(), "--method", method)
    assert read_image("x.kernel.png").max() == 1


def test_models_lists_and_shows(done, tiny_prior, monkeypatch):
    monkeypatch.setattr(jaxir.pretrained.store, "SHIPPED", tiny_prior.parent)
    assert done("models") == "tiny\n"
    assert json.loads(done("models", "tiny"))["network"]["class"] == "UNet"
    assert done("models", tiny_prior) == done("models", "tiny")


def cpu_seconds(*arguments: str) -> float:
    # the least of several, user and system: another load on the machine only adds

    def once() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([JAXIR, *arguments], check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    return min(once() for _ in range(8))


def test_help_answers_at_once():
    assert cpu_seconds("--help") < 0.3


def test_help_says_of_each_command_what_its_own_help_begins_with():
    for name, summary in COMMANDS.items():
        module = importlib.import_module(f"jaxir.cli.{name}")
        described = module.Options if name == "train" else getattr(module, name)
        assert " ".join(described.__doc__.strip().split("\n\n")[0].split()) == summary


def test_help_imports_no_jax(run_python):
    code = """
import sys
from jaxir.cli import main
from jaxir.cli import COMMANDS
for command in [[], *([name] for name in COMMANDS)]:
    try:
        main([*command, "--help"])
    except SystemExit as stop:
        assert not stop.code
print("heavy:", *sorted({"jax", "numpy", "PIL", "optax"} & set(sys.modules)))
"""
    assert run_python(code).splitlines()[-1] == "heavy:"


@pytest.mark.slow
def test_the_shipped_experiment_trains_without_data(tmp_path):
    done = subprocess.run(
        [JAXIR, "train", ROOT / "experiments" / "natural_prior.py", "--smoke", "--workdir", "run"],
        env=os.environ | {"JAXIR_DATA": str(tmp_path / "nowhere")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "run: step 4 of 4; weights in run/model" in done.stdout
    assert json.loads(Path("run/metrics.jsonl").read_text().splitlines()[-1])["step"] == 4
    jaxir.pretrained.load("run/model")
