"""`jaxir serve`: what a page may choose, what is said when it cannot begin, and that it leaves nothing behind."""

import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from PIL import Image
from server.stand_in import picture

import jaxir
from jaxir.cli.degradations import parse_degradation
from jaxir.cli.errors import EXPECTED, UsageError
from jaxir.cli.page_choices import PAINTED, chosen, is_painted, is_word, with_mask
from jaxir.cli.page_restoration import Restoration
from jaxir.cli.replay import replay
from jaxir.cli.serve import serve
from jaxir.cli.settings import Settings
from jaxir.server import Job, own_folder
from jaxir.server.own_folder import OWNER, sweep
from jaxir.server.uploads import Uploads, lend

NOT_FOR_A_PAGE = {
    "a folder of weights": ({"prior": "/etc"}, "unknown setting 'prior'"),
    "a tile": ({"tile": 10**9}, "unknown setting 'tile'"),
    "a word that is none": ({"degradation": "wrong(3)"}, "unknown degradation 'wrong'"),
    "a file as a mask": ({"degradation": "mask(/etc/passwd)|noise(0.1)"}, "names a file"),
    "a file named otherwise": ({"degradation": "mask(path=painted)"}, "names a file"),
    "a file behind a blur": ({"degradation": "gaussian(1)|psf(secret.npy)"}, "names a file"),
    "a method that is none": ({"method": "wrong"}, "unknown method 'wrong'"),
    "steps for ever": ({"steps": 10**9}, "steps is beyond 1000"),
    "samples beyond memory": ({"samples": 10**6}, "samples is beyond 64"),
    "steps in words": ({"steps": "many"}, "steps"),
    "no steps": ({"steps": 0}, "steps"),
    "truth as a number": ({"steps": True}, "steps"),
    "fidelity beyond 1": ({"fidelity": 1.5}, "fidelity"),
    "a seed beyond 32 bits": ({"seed": 2**32}, "seed"),
    "a seed below nothing": ({"seed": -1}, "seed"),
    "a seed of a stage beyond 32 bits": (
        {"degradation": f"random(0.5, {2**32})"},
        "seed of random",
    ),
    "a blur without end": ({"degradation": "motion(1e9, 3)"}, "length of motion"),
    "a blur of no size": ({"degradation": "gaussian(1e999)"}, "width of gaussian"),
    "a number of 400 digits": ({"degradation": f"crop({'9' * 400})"}, "margin of crop"),
    "a scene too large": ({"degradation": "bicubic(21)|noise(0)"}, "would have 1260 × 840"),
    "a margin too large": ({"degradation": "crop(500)|noise(0)"}, "would have 1060 × 1040"),
    "a scene enlarged twice": ({"degradation": "area(5)|nearest(5)"}, "would have 1500 × 1000"),
    "inner steps for ever": ({"method": "daps(langevin=10000000)"}, "langevin is beyond 1000"),
    "inner steps within a method": ({"method": "em(method=daps(flow=1001))"}, "flow is beyond"),
    "inner steps in a power": ({"method": "mmps(steps=3e7)"}, "whole number"),
    "words for ever": ({"degradation": "noise(" + "," * 50_000 + ")"}, "longer than"),
    "a list": ({"degradation": ["noise(0.1)"]}, "degradation"),
}


PHOTO = (40, 60, 3)
"""The shape of one."""


def test_a_number_that_no_float_holds_is_a_line():
    with pytest.raises(EXPECTED):
        chosen({"degradation": f"noise({'9' * 400})"}, PHOTO, prior="natural-prior", pixels=1e6)


@pytest.mark.parametrize("words", ["mask( painted )|noise(0.1)", "gaussian(2)|mask('painted')"])
def test_a_painted_mask_is_found_however_it_is_written(words):
    settings = chosen({"degradation": words}, PHOTO, prior="natural-prior", pixels=1e6)
    assert is_painted(settings)
    read = parse_degradation(with_mask(settings, "/tmp/a b/mask").degradation)
    assert [str(path) for path in read.reads] == ["/tmp/a b/mask"]
    assert not is_painted(Settings(degradation="gaussian(2)"))
    assert str(PAINTED) == "mask(painted)"


def test_a_path_that_would_end_a_word_is_told_from_one_that_does_not():
    assert is_word("/tmp/jaxir-serve-x1_y")
    for path in ("/tmp/a,b", "/tmp/a(b", "/tmp/a|b", "/tmp/a=b"):
        assert not is_word(path)


def test_a_folder_of_temporary_files_that_no_mask_can_be_named_in_is_refused(
    tmp_path, tiny_prior, monkeypatch
):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "a,b"))
    monkeypatch.setattr("signal.signal", lambda *_: None)
    (tmp_path / "a,b").mkdir()
    with pytest.raises(UsageError, match="set TMPDIR"):
        serve(port=0, prior=str(tiny_prior))
    assert list((tmp_path / "a,b").iterdir()) == []


@pytest.mark.parametrize("kind", NOT_FOR_A_PAGE)
def test_a_page_may_not_choose(kind):
    values, words = NOT_FOR_A_PAGE[kind]
    with pytest.raises(UsageError, match=re.escape(words)) as refused:
        chosen(values, PHOTO, prior="natural-prior", pixels=1e6)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "degradation",
    [
        "auto",
        "noise(0.1)",
        "motion(15,30)|crop(8)|noise(0.02)",
        "defocus(3)|crop(3)|noise(0.02)",
        "gaussian(1.6)|crop(4)|noise(0.02)",
        "jpeg(20)|noise(0.01)",
        "bicubic(2)|noise(0.01)",
        "mask(painted)|noise(0.01)",
    ],
)
def test_every_choice_of_the_page_is_understood(degradation):
    values = {"degradation": degradation, "method": "diffpir", "steps": 50, "fidelity": 1}
    settings = chosen(values, PHOTO, prior="natural-prior", pixels=1e6)
    assert settings.degradation == degradation


def test_every_method_that_the_page_names_is_understood():
    page = Path(sys.modules["jaxir.server"].__file__).with_name("assets") / "page.html"
    names = re.findall(r'<option value="(\w+)">', page.read_text("utf-8"))
    assert len(names) > 1
    for name in names:
        chosen({"method": name}, PHOTO, prior="natural-prior", pixels=1e6)


def test_without_the_extra_it_says_what_to_install(monkeypatch):
    for name in [name for name in sys.modules if name.split(".")[0] == "starlette"]:
        monkeypatch.delitem(sys.modules, name)
    for name in [name for name in sys.modules if name.startswith("jaxir.server")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "starlette", None)
    with pytest.raises(UsageError, match=re.escape("pip install 'jaxir[web]'")):
        serve()


@pytest.mark.parametrize(
    "values",
    [
        {"port": -1},
        {"port": 70000},
        {"keep": 0},
        {"limit_megabytes": 0},
        {"limit_megapixels": -1.0},
    ],
)
def test_what_cannot_be_is_refused_in_a_line(values):
    with pytest.raises(UsageError, match=r"--[\w-]+ is .*, expected"):
        serve(**values)


def test_a_port_that_is_taken_is_said(bound, tiny_prior):
    port = bound.getsockname()[1]
    with pytest.raises(UsageError, match=f"cannot listen at 127.0.0.1:{port}.*--port 0"):
        serve(port=port, prior=str(tiny_prior))


def test_what_a_killed_run_left_is_swept_and_what_lives_or_is_not_ours_stays(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        pass
    owners = {"dead": str(ended.pid), "alive": str(os.getppid()), "odd": "x", "large": "9" * 99}
    for name, owner in owners.items():
        (tmp_path / f"jaxir-serve-{name}").mkdir()
        (tmp_path / f"jaxir-serve-{name}" / OWNER).write_text(owner)
        (tmp_path / f"jaxir-serve-{name}" / "photo").write_text("")
    (tmp_path / "jaxir-serve-link").symlink_to(tmp_path / "jaxir-serve-alive")
    with own_folder() as folder:
        left = {path.name.removeprefix("jaxir-serve-") for path in tmp_path.iterdir()}
        assert left - {folder.name.removeprefix("jaxir-serve-")} == {
            "alive",
            "odd",
            "large",
            "link",
        }
        sweep(tmp_path)
        assert (folder / OWNER).read_text() == str(os.getpid())
        assert folder.stat().st_mode & 0o777 == 0o700
    assert not folder.exists()


def handed_in(folder, settings, *, body, mask=None, name="holiday.png"):
    """A job whose photo, and mask, have been handed in."""
    uploads = Uploads(folder, keep=3, pixels=10_000)
    (own := folder / "job").mkdir()
    for what, given in (("mask", mask), ("photo", body)):
        if given is not None:
            with uploads.room() as part:
                part.write_bytes(given)
                upload = uploads.admit(part, name)
            lend(upload.path, own / what)
    return Job("x", upload, settings, own)


def restored(prior, job):
    """The outcome, and how many lines, steps and estimates were told on the way."""
    told = {"callback": [], "watch": [], "say": []}
    outcome = Restoration(str(prior), 10_000)(
        job,
        callback=lambda *done: told["callback"].append(done),
        watch=told["watch"].append,
        say=told["say"].append,
    )
    return outcome, told


def saved(outcome, folder):
    """The files as somebody saves them."""
    folder.mkdir()
    for path, name in outcome.files.values():
        (folder / name).write_bytes(path.read_bytes())
    return folder


@pytest.fixture
def secret_prior(tmp_path, tiny_prior):
    """Weights in a place that nobody is told."""
    return shutil.copytree(tiny_prior, tmp_path / "secret" / "prior")


@pytest.mark.slow
@pytest.mark.usefixtures("quick_compile")
@pytest.mark.parametrize("degradation", ["noise(0.1)", "mask( painted )|noise(0.05)"])
def test_what_the_page_saves_is_replayed_to_the_same_bytes_and_names_no_place(
    tmp_path, secret_prior, degradation, monkeypatch
):
    mask = picture(24, 16) if "painted" in degradation else None
    settings = {"degradation": degradation, "steps": 2, "samples": 2}
    job = handed_in(tmp_path, settings, body=picture(24, 16), mask=mask)
    outcome, told = restored(secret_prior, job)
    assert told["callback"][-1][0] == told["callback"][-1][1]
    assert told["watch"]
    entry = json.loads(outcome.entry.read_text("utf-8"))
    assert (entry["title"], entry["width"], entry["height"]) == ("holiday.restored.png", 24, 16)
    assert entry["problem"] is None
    assert len(entry["samples"]) == 2
    assert ["Prior", "prior"] in entry["settings"]
    assert ["Input", "holiday.png"] in entry["settings"]
    served = {job.photo.path, outcome.entry, *(path for path, _ in outcome.files.values())}
    assert set(job.folder.iterdir()) == served  # and nothing else is left
    for path in (outcome.entry, *(path for path, _ in outcome.files.values())):
        assert str(tmp_path).encode() not in path.read_bytes()
        assert b"secret" not in path.read_bytes()

    folder = saved(outcome, tmp_path / "saved")
    (folder / "holiday.png").write_bytes(picture(24, 16))
    shutil.copytree(secret_prior, folder / "prior")
    monkeypatch.chdir(folder)
    replay(folder / "holiday.restored.png", output=folder / "again.png")
    assert (folder / "again.png").read_bytes() == (folder / "holiday.restored.png").read_bytes()


@pytest.mark.slow
@pytest.mark.usefixtures("quick_compile")
def test_the_first_of_several_pages_is_restored_shown_and_replayed(
    tmp_path, tiny_prior, monkeypatch
):
    file, pages = io.BytesIO(), [Image.new("L", (24, 16), level) for level in (100, 200)]
    pages[0].save(file, "TIFF", save_all=True, append_images=pages[1:])
    job = handed_in(tmp_path, {"steps": 2}, body=file.getvalue(), name="scan.tif")
    outcome, told = restored(tiny_prior, job)
    assert told["say"][0].startswith("auto: ")
    assert json.loads(outcome.entry.read_text("utf-8"))["problem"] is None
    folder = saved(outcome, tmp_path / "saved")
    assert json.loads((folder / "scan.restored.tif.jaxir.json").read_text())["input"]["page"] == 1
    (folder / "scan.tif").write_bytes(file.getvalue())
    monkeypatch.chdir(tiny_prior.parent)
    replay(folder / "scan.restored.tif")


@pytest.mark.slow
@pytest.mark.usefixtures("quick_compile")
def test_weights_are_loaded_once_whatever_the_settings(tmp_path, tiny_prior, monkeypatch):
    loaded = []
    load = jaxir.load
    monkeypatch.setattr("jaxir.load", lambda *names: loaded.append(names) or load(*names))
    restoration = Restoration(str(tiny_prior), 10_000)
    job = handed_in(tmp_path, {"degradation": "noise(0.1)", "steps": 1}, body=picture(24, 16))
    for samples in (1, 2):
        job.settings = {**job.settings, "samples": samples}
        restoration(job, callback=lambda *_: None, watch=lambda _: None, say=lambda _: None)
    assert len(loaded) == 1
    assert not restoration.busy


def test_what_a_failed_photo_leaves_is_the_photo(tmp_path, tiny_prior):
    settings = {"degradation": "mask(painted)"}
    job = handed_in(tmp_path, settings, body=picture(24, 16))
    (job.folder / "half written").write_text("")
    with pytest.raises(UsageError, match="nothing is painted"):
        restored(tiny_prior, job)
    assert list(job.folder.iterdir()) == [job.photo.path]


RUN = """
import sys, time, tyro
from jaxir.cli import page_restoration, serve
if sys.argv.pop(1) == "busy":
    def forever(self, *_):
        while True:
            time.sleep(1)
    page_restoration.Restoration._restored = forever
tyro.cli(serve.serve, args=sys.argv[1:])
"""


@pytest.mark.slow
@pytest.mark.parametrize("work", ["idle", "busy"])
@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_it_ends_when_asked_and_leaves_no_photograph(
    tmp_path, tiny_prior, monkeypatch, ending, work
):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    command = [sys.executable, "-c", RUN, work, "--port", "0", "--prior", str(tiny_prior)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) as it:
        try:
            url = it.stdout.readline().split()[1]
            assert re.fullmatch(r"http://127\.0\.0\.1:\d+/\?token=[\w-]{43}", url)
            with urllib.request.urlopen(url, timeout=20) as answer:
                assert b"Drop a photo" in answer.read()
            origin, token = url.split("/?token=")
            bearer = {"Authorization": f"Bearer {token}"}

            def post(path, body, **headers):
                request = urllib.request.Request(f"{origin}{path}", body, bearer | headers)
                with urllib.request.urlopen(request, timeout=20) as answer:
                    return json.loads(answer.read())["id"]

            photo = post("/photos", picture())
            if work == "busy":
                asked = json.dumps({"photo": photo, "settings": {}}).encode()
                post("/jobs", asked, **{"Content-Type": "application/json"})
            (folder,) = tmp_path.glob("jaxir-serve-*")
            assert folder.stat().st_mode & 0o777 == 0o700
            it.send_signal(ending)
            _, said = it.communicate(timeout=20)
        finally:
            it.kill()
    assert it.returncode == 0, said
    assert said == ""
    assert not folder.exists()


def test_weights_that_need_no_degradation_are_refused_before_a_page_asks_for_one(tiny_restorer):
    with pytest.raises(UsageError, match="was trained on pairs and knows what spoiled a photo"):
        serve(port=0, prior=str(tiny_restorer))
