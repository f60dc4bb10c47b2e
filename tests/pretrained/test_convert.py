"""Others' weights become a folder of jaxir, whole or not at all, with a record that finds what changes later."""

import dataclasses
import importlib
import json
import shutil

import chex
import jax
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from jaxir.denoisers import NetworkDenoiser
from jaxir.networks import UNet
from jaxir.pretrained import WeightsError, convert, load, read_tensors, save_denoiser, verify
from jaxir.pretrained import families as known
from jaxir.pretrained.families import Converted
from jaxir.pretrained.names import ConversionError
from jaxir.pretrained.parity import read_record
from jaxir.processes import VP

pytestmark = pytest.mark.usefixtures("quick_compile")

NETWORK = UNet(widths=(8,), blocks=(1,), embedding=4)
CONFIG = {"_class_name": "TinyModel"}


class Tiny:
    """A family whose names are ours with dots."""

    def recognises(self, config):
        return config.get("_class_name") == "TinyModel"

    def convert(self, config, tensors):
        shapes = jax.eval_shape(NETWORK.init, jax.random.key(0))
        paths, tree = jax.tree.flatten_with_path(shapes)
        names = [".".join(part.key for part in path) for path, _ in paths]
        if missing := set(names) - set(tensors):
            raise ConversionError(f"{min(missing)}: missing")
        params = jax.tree.unflatten(tree, [np.asarray(tensors[name]) for name in names])
        process = VP(beta_max=config["scheduler"]["beta_max"] if "scheduler" in config else 20.0)
        return Converted(NetworkDenoiser(process, params, NETWORK.apply), NETWORK)


@pytest.fixture(autouse=True)
def families(monkeypatch):
    monkeypatch.setitem(known.FAMILIES, "tiny", Tiny())


@pytest.fixture(scope="module")
def original(tmp_path_factory, quick_compile):
    """The folder of another library."""
    folder = tmp_path_factory.mktemp("original") / "tiny"
    folder.mkdir()
    params = jax.tree.map(lambda p: p + 0.1, NETWORK.init(jax.random.key(0)))
    save_denoiser(folder, NetworkDenoiser(VP(), params, NETWORK.apply), NETWORK)
    flat = load_file(folder / "model.safetensors")
    save_file(
        {name.replace("/", "."): value for name, value in flat.items()},
        folder / "model.safetensors",
    )
    (folder / "config.json").write_text(json.dumps(CONFIG))
    (folder / "LICENSE").write_text("for research")
    (folder / "README.md").write_text("---\nlicense: mit\n---\n# The original\n")
    return folder


@pytest.fixture
def source(original, tmp_path):
    return shutil.copytree(original, tmp_path / "source")


@pytest.fixture(scope="module")
def kept(original, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(known.FAMILIES, "tiny", Tiny())
        return convert(original, tmp_path_factory.mktemp("converted") / "tiny")


@pytest.fixture
def converted(kept, tmp_path):
    return shutil.copytree(kept, tmp_path / "converted")


def fails(function, *arguments, **options) -> str:
    with pytest.raises(WeightsError) as error:
        function(*arguments, **options)
    text = str(error.value)
    assert "\n" not in text
    return text


def test_a_converted_folder_is_whole_and_loads(original, kept):
    names = {
        "config.json",
        "model.safetensors",
        "README.md",
        "parity.json",
        "parity.npz",
        "LICENSE",
    }
    assert {path.name for path in kept.iterdir()} == names
    assert [path.name for path in kept.parent.iterdir()] == ["tiny"]
    card = (kept / "README.md").read_text()
    assert card.startswith("# tiny\n")
    assert "**Family**: Tiny" in card
    assert "# The original" in card
    written = read_tensors(original / "model.safetensors")
    loaded = load(kept)
    flat = {
        ".".join(part.key for part in path): leaf
        for path, leaf in jax.tree.leaves_with_path(loaded.params)
    }
    assert set(flat) == set(written)
    for name, value in written.items():
        np.testing.assert_array_equal(flat[name], value)
    chex.assert_trees_all_equal(load(original).params, loaded.params)  # converted on the way
    assert verify(kept).difference == 0
    assert "jaxir" in verify(kept).origin


def test_the_configuration_says_where_the_parts_are(source, tmp_path):
    pipeline = tmp_path / "pipeline"
    shutil.copytree(source, pipeline / "unet")
    (pipeline / "model_index.json").write_text("{}")
    (pipeline / "scheduler").mkdir()
    (pipeline / "scheduler" / "scheduler_config.json").write_text('{"beta_max": 12.0}')
    assert load(pipeline).process == VP(beta_max=12.0)
    (source / "model_index.json").write_text("{}")  # as of a pipeline of one part
    assert load(source).process == VP()
    shutil.rmtree(pipeline / "unet")
    assert "is a pipeline without a folder unet" in fails(load, pipeline)


def test_a_bare_file_needs_to_be_told_what_it_is(source, tmp_path):
    file, target = source / "model.safetensors", tmp_path / "new"
    line = fails(convert, file, target)
    assert "does not say what network it is of: give its configuration too (--config" in line
    assert "nowhere.pt does not exist" in fails(convert, tmp_path / "nowhere.pt", target)
    line = fails(convert, file, target, config={"width": 3})
    assert "a configuration of width is of no family that is known: name one of" in line
    line = fails(convert, file, target, config={"_class_name": "Other"})
    assert "Other is of no family that is known" in line
    assert "--family" in line
    convert(file, target, Tiny(), config={"width": 3})
    chex.assert_trees_all_equal(load(target).params, load(source).params)


def test_a_root_is_taken_off(source, tmp_path):
    file = source / "model.safetensors"
    flat = {f"net.{name}": value for name, value in load_file(file).items()}
    save_file(flat, file)
    assert "missing" in fails(convert, source, tmp_path / "new")
    assert not (tmp_path / "new").exists()
    folder = convert(source, tmp_path / "new", root="net")
    assert "of it `net`" in (folder / "README.md").read_text()


def test_an_addition_is_converted_with_its_base(source, tmp_path, monkeypatch):
    class Addition(Tiny):
        def recognises(self, config):
            return "factor" in config

        def convert(self, config, tensors):
            names = [name for name in tensors if name.startswith("unet.")]
            whole = {n.removeprefix("unet."): config["factor"] * tensors[n] for n in names}
            return super().convert(config["unet"], whole)

    monkeypatch.setitem(known.FAMILIES, "addition", Addition())
    save_file({"w": np.ones(2)}, file := tmp_path / "more.safetensors")
    folder = convert(file, tmp_path / "new", config={"factor": 2}, base=source)
    doubled = jax.tree.map(lambda p: 2 * p, load(source).params)
    chex.assert_trees_all_equal(load(folder).params, doubled)
    assert "**Base**: `model.safetensors`, SHA-256" in (folder / "README.md").read_text()


def test_what_fails_leaves_nothing_behind(source, tmp_path, monkeypatch):
    before = set(tmp_path.rglob("*"))

    def broken(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(importlib.import_module("jaxir.pretrained.convert"), "save_record", broken)
        with pytest.raises(OSError, match="No space left"):
            convert(source, tmp_path / "new")
    assert set(tmp_path.rglob("*")) == before
    (tmp_path / "new").mkdir()
    assert "new exists: give a new folder" in fails(convert, source, tmp_path / "new")


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda f: (f / "model.safetensors").unlink(), "holds no weights: a file *.safetensors"),
        (lambda f: (f / "config.json").unlink(), "config.json is missing"),
        (lambda f: (f / "config.json").write_text("["), "config.json is damaged"),
        (lambda f: (f / "config.json").write_text("[1]"), "config.json is damaged (a list"),
        (lambda f: (f / "scheduler_config.json").write_text("{}"), "lacks 'beta_max'"),
        (
            lambda f: (f / "model.safetensors").write_bytes(b"\x80\x02cposix\nsystem\n)R."),
            "posix.system",
        ),
        (
            lambda f: (f / "b.safetensors").write_bytes(b""),
            "b.safetensors, model.safetensors: give one",
        ),
        (lambda f: save_file({"w": np.ones(2)}, f / "model.safetensors"), "missing"),
    ],
)
def test_a_source_that_is_not_whole(source, tmp_path, spoil, reason):
    spoil(source)
    assert reason in fails(convert, source, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_variants_give_way_to_the_weights_themselves(source):
    (source / "model.fp16.safetensors").write_bytes(b"")
    (source / "model.bin").write_bytes(b"")
    load(source)


def test_outputs_of_the_original_are_what_is_verified(source, kept, tmp_path):
    ours = read_record(kept / "parity.npz", "the original, version 3")
    for offset, passed in ((1e-5, True), (1e-3, False)):
        off = ours.output + offset * np.abs(ours.output).max()
        record = dataclasses.replace(ours, output=off)
        verdict = verify(convert(source, tmp_path / f"new{offset}", record=record))
        assert verdict.origin == "the original, version 3"
        assert verdict.passed == passed
        # the offset, to what float32 resolves in outputs of this size
        assert verdict.difference == pytest.approx(offset, abs=2e-6)


def record_with(folder, **changes):
    with np.load(folder / "parity.npz") as file:
        arrays = dict(file) | changes
    np.savez(folder / "parity.npz", **{k: v for k, v in arrays.items() if v is not None})


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda f: (f / "parity.npz").unlink(), "parity.npz is no file"),
        (lambda f: (f / "parity.npz").write_bytes(b"PK\x03\x04"), "parity.npz is damaged"),
        (lambda f: (f / "parity.json").write_text("{}"), "parity.json is damaged"),
        (lambda f: record_with(f, t=None), "expected x, t, output and perhaps y"),
        (lambda f: record_with(f, t=np.ones(5)), "t of the record has 5 entries, x has 2"),
        (lambda f: record_with(f, z=np.ones(2)), "unexpected keyword argument 'z'"),
        (lambda f: record_with(f, x=np.array([{}], object)), "Object arrays cannot be loaded"),
        (lambda f: record_with(f, x=np.ones((2, 8))), "have shapes (2, 8), (2,)"),
        (lambda f: (f / "model.safetensors").write_bytes(b"x"), "is damaged: its SHA-256"),
    ],
)
def test_a_record_that_cannot_be_compared(converted, spoil, reason):
    spoil(converted)
    assert reason in fails(verify, converted)


def test_weights_that_changed_since_are_found(converted):
    params = jax.tree.map(lambda p: p * 1.01, load(converted).params)
    save_denoiser(converted, NetworkDenoiser(VP(), params, NETWORK.apply), NETWORK)
    assert "parity.json is of other weights than model.safetensors" in fails(verify, converted)


def test_outputs_that_are_not_finite_do_not_pass(converted):
    with np.load(converted / "parity.npz") as file:
        record_with(converted, output=file["output"] * np.nan)
    assert not verify(converted).passed


def test_weights_without_a_record_are_only_hashed(converted):
    (converted / "parity.json").unlink()
    assert verify(converted) is None


def test_a_record_of_a_file_that_is_none(tmp_path):
    assert "nowhere.npz is no file" in fails(read_record, tmp_path / "nowhere.npz", "x")
