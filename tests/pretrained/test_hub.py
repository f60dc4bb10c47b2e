"""What is pulled is what the hub has, whatever happens on the way; nothing is downloaded that was not asked for."""

import chex
import pytest
from pretrained.hub_server import COMMIT, serving

from jaxir.pretrained import HubError, WeightsError, load, pull, push, save_denoiser
from jaxir.pretrained.hub import find, pulled
from jaxir.pretrained.store import check

pytestmark = pytest.mark.usefixtures("quick_compile")

NAME = "someone/tiny"
MODEL = "model.safetensors"


@pytest.fixture
def cache(tmp_path, monkeypatch):
    for name in ("HF_HUB_OFFLINE", "HF_HOME", "HF_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def hub(cache, monkeypatch, tiny_prior):
    with serving() as (found, address):
        monkeypatch.setenv("HF_ENDPOINT", address)
        found.files[NAME] = {p.name: p.read_bytes() for p in tiny_prior.iterdir()}
        found.files[NAME] |= {"README.md": b"# tiny\n", "photo.png": b"not asked for"}
        yield found


def files(folder):
    return {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}


def fails(kind, text=NAME):
    with pytest.raises(kind) as error:
        pull(text)
    line = str(error.value)
    assert "\n" not in line
    return line


def test_what_was_pulled_loads_and_is_not_pulled_again(hub, cache, tiny_prior):
    with pytest.raises(WeightsError, match=f"run `jaxir models pull {NAME}`"):
        load(NAME)
    assert not hub.requests
    assert find(NAME) is None
    moved = []
    folder = pull(NAME, progress=lambda done, total, name: moved.append((done, total, name)))
    assert files(folder) == {"config.json", MODEL, "README.md"}
    assert folder == find(NAME) == find(f"{NAME}@main") == find(f"{NAME}@{COMMIT}")
    size = (tiny_prior / MODEL).stat().st_size
    assert (size, size, f"{NAME}/{MODEL}") in moved
    assert pulled() == [NAME]
    count = len(hub.asked("/resolve/"))
    assert pull(NAME) == folder
    assert len(hub.asked("/resolve/")) == count
    (folder / MODEL).resolve().write_bytes(b"damaged since")
    assert pull(NAME) == folder
    chex.assert_trees_all_equal(load(NAME).params, load(tiny_prior).params)


def test_the_cache_is_that_of_the_hubs_own_library(hub, cache):
    own = pytest.importorskip("huggingface_hub")
    folder = pull(NAME)
    assert own.try_to_load_from_cache(NAME, MODEL, cache_dir=cache) == str(folder / MODEL)
    found = own.snapshot_download(NAME, cache_dir=cache, local_files_only=True)
    assert found == str(folder)
    assert {repo.repo_id for repo in own.scan_cache_dir(cache).repos} == {NAME}


def test_a_place_has_many_names(hub):
    folder = pull(NAME)
    address = f"{hub_address()}/{NAME}"
    for text in (address, f"{address}/tree/main", f"https://huggingface.co/{NAME}/"):
        assert pull(text) == folder
    for text in (f"{NAME}/{MODEL}", f"{address}/blob/main/{MODEL}?download=true"):
        assert pull(text) == folder / MODEL
    for text in ("tiny", "https://elsewhere.org/x.pt", "../tiny/x", "a/../b", ""):
        assert "is not on the hub: give owner/name" in fails(WeightsError, text)
    assert f"{NAME} has no file nothing.pt" in fails(WeightsError, f"{NAME}/nothing.pt")


def hub_address():
    from jaxir.pretrained.hub import endpoint

    return endpoint()


def test_a_download_that_breaks_is_gone_on_with(hub):
    whole = hub.files[NAME][MODEL]
    hub.files[NAME] = {MODEL: whole, "config.json": hub.files[NAME]["config.json"]}
    hub.cut = [None, 1000, 500]  # the configuration comes whole
    folder = pull(NAME)
    assert (folder / MODEL).read_bytes() == whole
    ranges = [
        headers.get("Range") for headers in hub.asked(f"/cdn/{NAME}/resolve/{COMMIT}/{MODEL}")
    ]
    assert ranges == [None, "bytes=1000-", "bytes=1500-"]


@pytest.mark.parametrize("ranges", [True, False])
def test_an_interrupted_download_is_gone_on_with_the_next_time(hub, cache, ranges):
    hub.ranges = ranges
    hub.cut = [None, None, 1000, 0]
    line = fails(HubError)
    assert f"{NAME}/{MODEL} stopped after {1000 if ranges else 0} of" in line
    assert "run the same again to go on" in line
    assert find(NAME) is None
    with pytest.raises(WeightsError, match="models pull"):
        load(NAME)
    hub.requests.clear()
    folder = pull(NAME)
    assert (folder / MODEL).read_bytes() == hub.files[NAME][MODEL]
    begun = [headers.get("Range") for headers in hub.asked("/resolve/")]
    assert begun == [None if not ranges else "bytes=1000-"] * 3  # the hub, within it, its storage
    assert not list(cache.rglob("*.incomplete"))


@pytest.mark.parametrize(
    "change", [lambda b: b[:-1] + b"!", lambda b: b + b"!", lambda b: b"!" + b]
)
@pytest.mark.parametrize("file", [MODEL, "config.json"])
def test_another_content_than_promised_is_deleted(hub, cache, file, change):
    hub.sent[file] = change(hub.files[NAME][file])
    line = fails(HubError)
    # a server that says how long its answer is and stops there has sent too much or another thing
    assert f"{NAME}/{file} is not what the hub promised" in line
    assert not any(file in name or "incomplete" in name for name in files(cache))
    assert find(NAME) is None
    hub.sent.clear()
    assert check(pull(NAME)).sha256


@pytest.mark.parametrize(
    "name",
    ["../../evil.json", "/tmp/evil.json", "a/../../config.json", "..\\config.json", "C:x", ""],
)
def test_a_file_name_that_leads_outside(hub, cache, name, tmp_path):
    hub.files[NAME][name] = b"{}"
    before = files(tmp_path)
    assert f"the hub lists a file {name!r}, which leads out of its folder" in fails(WeightsError)
    assert files(tmp_path) == before


@pytest.mark.parametrize(
    "change",
    [
        lambda told: told | {"sha": "../../evil"},
        lambda told: (
            told | {"siblings": [{"rfilename": "config.json", "size": 2, "blobId": "../x"}]}
        ),
        lambda told: told | {"siblings": [{"rfilename": "config.json"}]},
        lambda told: [told],
    ],
)
def test_a_listing_that_means_nothing(hub, cache, change):
    hub.told = change
    assert "answers something else than a list of files" in fails(HubError)
    assert not cache.exists()


def test_what_is_not_there_or_not_for_everybody(hub, monkeypatch):
    assert "shows no someone/else at main: check the name" in fails(WeightsError, "someone/else")
    assert "shows no someone/tiny at v2: check" in fails(WeightsError, f"{NAME}@v2")
    hub.status = 401
    assert f"accept them at {hub_address()}/{NAME} and set HF_TOKEN" in fails(WeightsError)
    hub.status = 503
    assert "answers 503 (Service Unavailable)" in fails(HubError)


def test_the_token_goes_to_the_hub_and_not_to_its_storage(hub, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "secret")
    pull(NAME)
    for path, headers in hub.requests:
        sent = headers.get("Authorization")
        assert sent == (None if path.startswith("/cdn/") else "Bearer secret")


def test_without_a_network(cache, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert "cannot be reached (" in (line := fails(HubError))
    assert "check the network" in line
    monkeypatch.setenv("HF_ENDPOINT", "file:///etc")
    assert "HF_ENDPOINT is 'file:///etc', expected https://" in fails(WeightsError)
    assert not cache.exists()


def test_offline_nothing_is_asked_for(hub, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert f"HF_HUB_OFFLINE is set and {NAME} is not in" in fails(HubError)
    assert not hub.requests
    monkeypatch.delenv("HF_HUB_OFFLINE")
    folder = pull(NAME)
    hub.requests.clear()
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert pull(NAME) == folder
    assert not hub.requests


def test_the_cache_is_where_the_environment_says(monkeypatch, hub, tmp_path):
    monkeypatch.delenv("HF_HUB_CACHE")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    assert pull(NAME).is_relative_to(tmp_path / "home" / "hub")


def test_one_file_of_weights_for_each_part_is_pulled(hub):
    parts = {
        "model_index.json": b"{}",
        "unet/config.json": b"{}",
        "unet/diffusion_pytorch_model.safetensors": b"u",
        "unet/diffusion_pytorch_model.fp16.safetensors": b"half",
        "unet/diffusion_pytorch_model.non_ema.safetensors": b"raw",
        "unet/diffusion_pytorch_model.bin": b"again",
        "vae/config.json": b"{}",
        "vae/diffusion_pytorch_model.bin": b"v",
        "scheduler/scheduler_config.json": b"{}",
        "text_encoder/model.safetensors": b"words",
        "v1-5.ckpt": b"all of it again",
    }
    hub.files["a/pipeline"] = parts
    assert files(pull("a/pipeline")) == {
        "model_index.json",
        "unet/config.json",
        "unet/diffusion_pytorch_model.safetensors",
        "vae/config.json",
        "vae/diffusion_pytorch_model.bin",
        "scheduler/scheduler_config.json",
    }
    hub.files["a/bare"] = {"faces.pt": b"x", "README.md": b"x"}
    assert "has no safetensors and no .bin: give one of its files, a/bare/faces.pt" in fails(
        WeightsError, "a/bare"
    )
    assert pull("a/bare/faces.pt").read_bytes() == b"x"


def test_weights_are_pushed_with_a_card_and_a_token_or_not_at_all(
    hub, tiny_prior, tmp_path, monkeypatch
):
    pytest.importorskip("huggingface_hub")
    denoiser, folder = load(tiny_prior), tmp_path / "mine"
    save_denoiser(folder, denoiser, check(tiny_prior).network)

    def refused(kind, name=NAME):
        with pytest.raises(kind) as error:
            push(folder, name)
        return str(error.value)

    assert "is more than a repository: give owner/name" in refused(WeightsError, f"{NAME}/{MODEL}")

    assert "README.md is missing: weights are published with a card" in refused(WeightsError)
    (folder / "README.md").write_text("# mine\n")
    (folder / "notes.txt").write_text("not to be published")
    assert "HF_TOKEN is not set" in refused(WeightsError)
    monkeypatch.setenv("HF_TOKEN", "secret")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert "HF_HUB_OFFLINE is set" in refused(HubError)
    monkeypatch.delenv("HF_HUB_OFFLINE")
    whole = (folder / MODEL).read_bytes()
    (folder / MODEL).write_bytes(whole[:-1])
    assert "is damaged: its SHA-256 differs" in refused(WeightsError)
    (folder / MODEL).write_bytes(whole)
    assert not hub.requests
    assert push(folder, NAME) == f"{hub_address()}/{NAME}"
    assert set(hub.pushed) == {"config.json", MODEL, "README.md"}
    assert hub.pushed[MODEL] == whole
    hub.status = 403
    assert "did not take someone/tiny" in refused(HubError)


def test_a_folder_comes_before_what_was_pulled(hub, tmp_path, monkeypatch):
    pull(NAME)
    monkeypatch.chdir(tmp_path)
    (tmp_path / NAME).mkdir(parents=True)
    with pytest.raises(WeightsError, match=f"{NAME}/config.json is missing"):
        load(NAME)
