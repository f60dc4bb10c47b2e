"""`jaxir models`: what is there, what brings more, and one line where something is wrong."""

import json
import shutil

import pytest
from conftest import ROOT
from pretrained.hub_server import serving

import jaxir.pretrained
from jaxir.pretrained import families

pytestmark = pytest.mark.usefixtures("quick_compile")

FIXTURES = ROOT / "tests" / "parity" / "fixtures" / "torch_files"
NAME = "someone/tiny"


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch, tiny_prior):
    for name in ("HF_HUB_OFFLINE", "HF_HOME", "HF_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(jaxir.pretrained.store, "SHIPPED", tiny_prior.parent)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")


@pytest.fixture
def hub(monkeypatch, tiny_prior):
    with serving() as (found, address):
        monkeypatch.setenv("HF_ENDPOINT", address)
        found.files[NAME] = {p.name: p.read_bytes() for p in tiny_prior.iterdir()}
        found.files[NAME]["README.md"] = b"---\nlicense: cc-by-4.0\n---\n# Tiny\n"
        yield found


@pytest.fixture
def models(jaxir):
    """`models("pull", NAME, code=1)` runs a command, expects the code, and gives what it printed."""

    def run(*arguments, code=0):
        outcome = jaxir("models", *arguments)
        assert outcome.code == code, outcome
        assert "Traceback" not in outcome.out + outcome.err
        if not code:
            return outcome.out
        assert outcome.err.startswith("jaxir: ")
        assert outcome.err.count("\n") == 1
        return outcome.err.removeprefix("jaxir: ").strip()

    return run


def test_pulled_weights_are_listed_shown_and_verified(models, hub, tmp_path):
    assert models() == models("list") == "tiny\n"
    folder = models("pull", NAME).strip()
    assert models() == models("list") == f"tiny\n{NAME}\n"
    shown = models("show", NAME)
    assert "# Tiny" in shown
    assert "licence of the weights: cc-by-4.0" in shown
    assert '"class": "UNet"' in shown
    assert models(NAME) == models(folder) == "---\nlicense: cc-by-4.0\n---\n# Tiny\n\n"
    said = models("verify", NAME)
    assert "PASS  model.safetensors: SHA-256 as in config.json" in said
    assert "outputs: none are recorded" in said
    assert "tiny has no card." in (shown := models("show", "tiny"))
    assert "licence of the weights: not stated; ask their author" in shown


def test_what_is_wrong_on_the_way_is_a_failure_and_what_is_asked_wrongly_a_mistake(models, hub):
    assert f"not here: run `jaxir models pull {NAME}`" in models("show", NAME, code=2)
    assert "shows no someone/else" in models("pull", "someone/else", code=2)
    assert "'tiny' is not on the hub" in models("pull", "tiny", code=2)
    hub.sent["model.safetensors"] = b"x" * len(hub.files[NAME]["model.safetensors"])
    assert "is not what the hub promised" in models("pull", NAME, code=1)
    hub.sent.clear()
    hub.cut = [100, 0]
    assert "run the same again to go on" in models("pull", NAME, code=1)
    models("pull", NAME)


def test_without_a_network_there_is_one_line(models, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert "cannot be reached" in models("pull", NAME, code=1)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert "HF_HUB_OFFLINE is set" in models("pull", NAME, code=1)


def test_what_is_published_has_a_card(models, hub, tiny_prior, monkeypatch):
    assert "README.md is missing" in models("push", tiny_prior, NAME, code=2)
    assert "config.json is missing" in models("push", ".", NAME, code=2)
    folder = shutil.copytree(tiny_prior, "mine")
    (jaxir.pretrained.store.Path(folder) / "README.md").write_text("# mine\n")
    assert "HF_TOKEN is not set" in models("push", folder, NAME, code=2)


def test_verification_that_fails(models, tiny_prior, tmp_path):
    shutil.copytree(tiny_prior, "mine")
    path = jaxir.pretrained.store.Path("mine/model.safetensors")
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    assert models("verify", "mine", code=1).startswith("FAIL  mine/model.safetensors is damaged")
    assert "no weights called 'nothing'" in models("verify", "nothing", code=2)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ([FIXTURES / "zip.pt", "new"], "does not say what network it is of"),
        (
            [FIXTURES / "zip.pt", "new", "--family", "amd"],
            "unknown family 'amd', did you mean 'adm'",
        ),
        ([FIXTURES / "zip.pt", "new", "--config", "no.json"], "--config no.json cannot be read"),
        ([FIXTURES / "malicious.pt", "new", "--config", "adm.json"], "asks for __builtin__.eval"),
        ([FIXTURES / "zip.pt", "new", "--config", "adm.json"], "missing"),
        ([FIXTURES / "two.pt", "new", "--config", "adm.json"], "several dicts of tensors"),
        ([FIXTURES / "zip.pt", "here", "--config", "adm.json"], "here exists: give a new folder"),
        (["nowhere.pt", "new"], "nowhere.pt does not exist: give a file or a folder"),
        ([NAME, "new"], f"run `jaxir models pull {NAME}`"),
        (["here", "new"], "config.json is missing"),
    ],
)
def test_what_cannot_be_converted(models, arguments, reason, tmp_path):
    here = tmp_path / "here"
    (here / "here").mkdir()
    (here / "here" / "x.pt").write_bytes((FIXTURES / "zip.pt").read_bytes())
    (here / "adm.json").write_text(
        json.dumps(families.adm.FFHQ | {"num_channels": 64, "channel_mult": "1"})
    )
    before = set(here.rglob("*"))
    assert reason in models("convert", *arguments, code=2)
    assert set(here.rglob("*")) == before


def test_every_command_has_help(jaxir):
    for command in ([], ["list"], ["show"], ["pull"], ["push"], ["convert"], ["verify"]):
        outcome = jaxir("models", *command, "--help")
        assert outcome.code == 0
        assert "usage: jaxir models" in outcome.out


def test_a_folder_of_another_library_is_converted_before_it_is_verified(models, tmp_path):
    (tmp_path / "here" / "ddpm").mkdir()
    (tmp_path / "here" / "ddpm" / "config.json").write_text('{"_class_name": "UNet2DModel"}')
    line = models("verify", "ddpm", code=2)
    assert "ddpm is of another library: `jaxir models convert` it" in line
    assert "ddpm holds no weights" in models("convert", "ddpm", "new", code=2)
