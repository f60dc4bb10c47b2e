"""`jaxir serve`: what a page may choose, what is said when it cannot begin, and that it leaves nothing behind."""

import json
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from server.stand_in import picture

from jaxir.cli.errors import UsageError
from jaxir.cli.page_restoration import Restoration, chosen
from jaxir.cli.replay import replay
from jaxir.cli.serve import serve
from jaxir.server import Job
from jaxir.server.uploads import Uploads, lend

NOT_FOR_A_PAGE = {
    "a folder of weights": ({"prior": "/etc"}, "unknown setting 'prior'"),
    "a tile": ({"tile": 10**9}, "unknown setting 'tile'"),
    "a word that is none": ({"degradation": "wrong(3)"}, "unknown degradation 'wrong'"),
    "a file as a mask": ({"degradation": "mask(/etc/passwd)|noise(0.1)"}, "names a file"),
    "a file named otherwise": ({"degradation": "mask(path=painted)"}, "names a file"),
    "a file behind a blur": ({"degradation": "gaussian(1)|psf(secret.npy)"}, "names a file"),
    "a method that is none": ({"method": "wrong"}, "unknown method 'wrong'"),
    "steps for ever": ({"steps": 10**9}, "at most 1000"),
    "samples beyond memory": ({"samples": 10**6}, "at most 64"),
    "steps in words": ({"steps": "many"}, "steps"),
    "no steps": ({"steps": 0}, "steps"),
    "truth as a number": ({"steps": True}, "steps"),
    "fidelity beyond 1": ({"fidelity": 1.5}, "fidelity"),
    "words for ever": ({"degradation": "noise(" + "," * 50_000 + ")"}, "longer than"),
    "a list": ({"degradation": ["noise(0.1)"]}, "degradation"),
}


@pytest.mark.parametrize("kind", NOT_FOR_A_PAGE)
def test_a_page_may_not_choose(kind):
    values, words = NOT_FOR_A_PAGE[kind]
    with pytest.raises(UsageError, match=re.escape(words)) as refused:
        chosen(values, prior="natural-prior")
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
    assert chosen(values, prior="natural-prior").degradation == degradation


def test_every_method_that_the_page_names_is_understood():
    page = Path(sys.modules["jaxir.server"].__file__).with_name("assets") / "page.html"
    names = re.findall(r'<option value="(\w+)">', page.read_text("utf-8"))
    assert len(names) > 1
    for name in names:
        chosen({"method": name}, prior="natural-prior")


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


@pytest.mark.slow
@pytest.mark.usefixtures("quick_compile")
@pytest.mark.parametrize("degradation", ["noise(0.1)", "mask(painted)|noise(0.05)"])
def test_what_the_page_saves_is_replayed_to_the_same_bytes(
    tmp_path, tiny_prior, degradation, monkeypatch, capsys
):
    uploads = Uploads(tmp_path, keep=3, pixels=10_000)
    (job_folder := tmp_path / "job").mkdir()
    settings = {"degradation": degradation, "steps": 2, "samples": 2}
    for name in ("photo", "mask") if "painted" in degradation else ("photo",):
        with uploads.room() as part:
            part.write_bytes(picture(24, 16))
            upload = uploads.admit(part, "holiday.png")
        lend(upload, job_folder, name)
    steps, watched = [], []
    outcome = Restoration(str(tiny_prior))(
        Job("x", upload, settings, job_folder),
        job_folder / "photo",
        callback=lambda *done: steps.append(done),
        watch=watched.append,
    )
    assert steps[-1][0] == steps[-1][1]
    assert watched
    entry = json.loads(outcome.entry)
    assert (entry["title"], entry["width"], entry["height"]) == ("holiday.restored.png", 24, 16)
    assert entry["problem"] is None
    assert len(entry["samples"]) == 2

    saved = tmp_path / "saved"
    saved.mkdir()
    (saved / "holiday.png").write_bytes(picture(24, 16))
    for path, name in outcome.files.values():
        (saved / name).write_bytes(path.read_bytes())
        assert str(tmp_path).encode() not in path.read_bytes()
    monkeypatch.chdir(saved)
    replay(saved / "holiday.restored.png", output=saved / "again.png")
    assert (saved / "again.png").read_bytes() == (saved / "holiday.restored.png").read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_when_asked_and_leaves_no_photograph(tmp_path, tiny_prior, monkeypatch, ending):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    code = "import sys, tyro; from jaxir.cli.serve import serve; tyro.cli(serve, args=sys.argv[1:])"
    command = [sys.executable, "-c", code, "--port", "0", "--prior", str(tiny_prior)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) as it:
        try:
            url = it.stdout.readline().split()[1]
            assert re.fullmatch(r"http://127\.0\.0\.1:\d+/\?token=[\w-]{43}", url)
            with urllib.request.urlopen(url, timeout=20) as answer:
                assert b"Drop a photo" in answer.read()
            origin, token = url.split("/?token=")
            bearer = {"Authorization": f"Bearer {token}"}
            sent = urllib.request.Request(f"{origin}/photos", picture(), bearer)
            with urllib.request.urlopen(sent, timeout=20) as answer:
                assert answer.status == 201
            (folder,) = tmp_path.glob("jaxir-serve-*")
            assert folder.stat().st_mode & 0o777 == 0o700
            it.send_signal(ending)
            _, said = it.communicate(timeout=20)
        finally:
            it.kill()
    assert it.returncode == 0, said
    assert said == ""
    assert not folder.exists()
