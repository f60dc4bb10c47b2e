"""Tensors come out of others' files bit for bit, nothing in a file is run, and what is wrong with one is one line."""

import json
import math
import mmap
import pickle
import random
import struct
import tracemalloc
import zipfile

import ml_dtypes
import numpy as np
import pytest
from conftest import ROOT
from parity.drawn import drawn
from safetensors.numpy import save_file

from jaxir.pretrained import WeightsError, read_tensors, roots

FIXTURES = ROOT / "tests" / "parity" / "fixtures" / "torch_files"


def values(name, shape, dtype):
    return (10 * drawn(name, shape)).astype(dtype)


def expected():
    """What tests/parity/make/torch_files.py wrote with PyTorch."""
    large = values("large", (6, 8), np.float32)
    return {
        "float32": values("float32", (2, 3, 4), np.float32),
        "bfloat16": values("bfloat16", (3, 5), ml_dtypes.bfloat16),
        "float16": values("float16", (4,), np.float16),
        "float64": values("float64", (2, 2), np.float64),
        "int64": values("int64", (5,), np.int64),
        "int8": values("int8", (5,), np.int8),
        "bool": values("bool", (5,), np.float32) > 0,
        "scalar": np.asarray(7),
        "empty": np.zeros((0, 3), np.float32),
        "parameter": values("parameter", (3,), np.float32),
        "transposed": large.T,
        "strided": large[1::2, 2:7:3],
        "tied": large,
    }


def fails(path, root=None) -> str:
    """The one line that reading fails with."""
    with pytest.raises(WeightsError) as error:
        read_tensors(path, root)
    text = str(error.value)
    assert "\n" not in text
    assert str(path.name) in text
    return text


@pytest.fixture
def file(tmp_path):
    """`file(content)` writes a file of this content, or of torch.save's zip format with this pickle."""

    def write(content, name="x.pt"):
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return write


@pytest.mark.parametrize("name", ["zip.pt", "legacy.pt", "protocol5.pt"])
def test_what_pytorch_wrote_is_read_bit_for_bit(name):
    found = read_tensors(FIXTURES / name)
    assert list(found) == list(expected())
    for key, value in expected().items():
        assert found[key].dtype == value.dtype, key
        np.testing.assert_array_equal(found[key], value, err_msg=key)
    assert np.shares_memory(found["tied"], found["strided"])
    assert not found["float32"].flags.writeable
    assert roots(FIXTURES / name) == [""]


def test_arrays_are_views_of_the_file(tmp_path):
    path = tmp_path / "x.safetensors"
    save_file({"w": np.zeros((1024, 2048), np.float32)}, path)
    tracemalloc.start()
    array = read_tensors(path)["w"]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert isinstance(array.base, mmap.mmap)
    assert peak < path.stat().st_size / 20


def test_wrappers_come_off_and_what_else_is_there_is_told():
    path = FIXTURES / "lightning.ckpt"
    assert list(read_tensors(path)) == ["model.layer.weight", "model.layer.bias"]
    found = ["state_dict", "state_dict.model", "optimizer.state", "callbacks.scores"]
    assert roots(path) == found
    assert list(read_tensors(path, "state_dict.model")) == ["layer.weight", "layer.bias"]
    weight = read_tensors(path, "state_dict")["model.layer.weight"]
    np.testing.assert_array_equal(weight, values("layer.weight", (2, 3), np.float32))
    assert read_tensors(path, "callbacks")["scores.0"].tolist() == [1, 1]
    assert "optimizer.state.0.exp_avg" in read_tensors(path, "")
    assert "no tensors below 'emma': it has 'state_dict', 'optimizer.state'" in fails(path, "emma")


def test_averaged_weights_come_first_and_of_unknown_ones_the_caller_chooses():
    assert read_tensors(FIXTURES / "ema.pth")["w"].tolist() == [1, 1]
    assert read_tensors(FIXTURES / "ema.pth", "params")["w"].tolist() == [0, 0]
    averaged = read_tensors(FIXTURES / "shadows.pth")  # a list of what was trained, without names
    assert [(k, v.shape, v.max()) for k, v in averaged.items()] == [
        ("sigmas", (4,), 1),
        ("0.W", (2,), 1),
        ("1.weight", (2, 3), 0),
        ("1.bias", (3,), 0),
    ]
    assert roots(FIXTURES / "shadows.pth") == ["ema", "model"]
    assert read_tensors(FIXTURES / "shadows.pth", "model")["1.bias"].max() == 1
    assert "several dicts of tensors, 'a', 'b': give one as root" in fails(FIXTURES / "two.pt")
    assert read_tensors(FIXTURES / "two.pt", "b")["w"].tolist() == [1, 1]


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("malicious.pt", "asks for __builtin__.eval"),
        ("malicious_legacy.pt", "asks for __builtin__.eval"),
        ("objects.pt", "asks for numpy._core.multiarray._reconstruct"),
        ("module.pt", "asks for torch.nn.modules.linear.Linear"),
        ("script.pt", "is a TorchScript archive, which is a program"),
    ],
)
def test_more_than_data_is_named_and_not_run(name, asked, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert asked in fails(FIXTURES / name)
    assert not list(tmp_path.iterdir())


def named(module, member):
    return f"c{module}\n{member}\n".encode()


def literal(value):
    return pickle.dumps(value, protocol=2)[2:-1]


EVIL = named("posix", "system") + b"(" + literal("touch executed") + b"tR"
ENDLESS = b"\x80\x02}q\x09" + literal("a") + b"h\x09s."
LAUGHS = b"\x80\x02]" + b"".join(b"q%c](h%ch%ch%ch%ce" % ((i,) * 5) for i in range(30)) + b"."


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"\x80\x02" + EVIL + b".", "asks for posix.system"),
        (b"\x80\x02}" + literal("w") + EVIL + b"s.", "asks for posix.system"),
        (b"\x80\x04\x8c\x08builtins\x8c\x04exec\x93\x8c\x011\x85R.", "asks for builtins.exec"),
        (b"\x80\x02(" + literal("x") + b"iposix\nsystem\n.", "holds the instruction INST"),
        (b"\x80\x02\x82\x01.", "holds the instruction EXT1"),
        (b"\x80\x02" + named("collections", "OrderedDict") + b")\x81.", "instruction NEWOBJ"),
        (b"\x80\x02" + literal("print") + b")R.", "calls a value"),
        (b"\x80\x02" + named("torch", "float32") + b")R.", "calls torch.float32"),
        (
            b"\x80\x02" + named("collections", "OrderedDict") + literal(({}, {"a": 1})) + b"b.",
            "damaged",
        ),
        (b"\x80\x02" + named("torch", "Size") + literal({}) + b"b.", "damaged"),
        (b"\x80\x02" + literal(("module", "x")) + b"Q.", "refers to what is not a storage"),
        (b"\x80\x02}" + literal([1]) + literal(1) + b"s.", "damaged"),
        (b"\x80\x02K\x01r\xff\xff\xff\xff.", "not one of torch.save"),
        (b"\x80\x02X\xff\xff\xff\x7fabc.", "damaged"),
        (b"\x80\x02" + b"}" * 9, "damaged"),
        (b"\x80\x02.", "damaged"),
        (ENDLESS, "not one of torch.save"),
        (LAUGHS, "not one of torch.save"),
    ],
)
def test_a_pickle_of_ones_own_gets_nowhere(content, reason, file, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert reason in fails(file(content))
    assert not (tmp_path / "executed").exists()


def tensor(offset=0, shape=(2, 3), strides=(3, 1), size=6, key="0", kind="FloatStorage"):
    """The pickle of {"w": a tensor}."""
    parts = literal("storage"), named("torch", kind), literal(key), literal("cpu"), literal(size)
    storage = b"(" + b"".join(parts) + b"tQ"
    view = literal(offset) + literal(shape) + literal(strides) + literal(False)
    hooks = named("collections", "OrderedDict") + b")R"
    maker = named("torch._utils", "_rebuild_tensor_v2")
    return b"\x80\x02}" + literal("w") + maker + b"(" + storage + view + hooks + b"tRs."


@pytest.fixture
def archive(tmp_path):
    """`archive(pickle)` writes torch.save's zip format, with six floats as storage 0."""

    def write(content, compression=zipfile.ZIP_STORED, **others):
        path = tmp_path / "x.pt"
        files = {"data.pkl": content, "data/0": np.arange(6, dtype="<f4").tobytes(), **others}
        with zipfile.ZipFile(path, "w", compression) as file:
            for name, data in files.items():
                file.writestr(f"x/{name}", data)
        return path

    return write


def test_a_tensor_of_ones_own_is_read(archive):
    found = read_tensors(archive(tensor(1, (2, 2), (3, 1))))["w"]
    assert found.tolist() == [[1, 2], [4, 5]]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (tensor(size=7), "storage 0 declares 28 bytes and has 24"),
        (tensor(size=2**60), "storage 0 declares"),
        (tensor(offset=1), "a tensor of shape (2, 3) reaches beyond its 24 bytes"),
        (tensor(strides=(6, 1)), "reaches beyond"),
        (tensor(shape=(10**12,), strides=(0,)), "reaches beyond"),
        (tensor(shape=(2,) * 70, strides=(0,) * 70), "reaches beyond"),
        (tensor(shape=(2, -3)), "no natural number"),
        (tensor(strides=(-3, 1)), "no natural number"),
        (tensor(offset=-1), "no natural number"),
        (tensor(offset=1.5), "no natural number"),
        (tensor(shape=(6,)), "shape (6,) with strides (3, 1)"),
        (tensor(shape=[[]]), "no natural number"),
        (tensor(key="../data.pkl"), "There is no item named"),
        (tensor(kind="QInt8Storage"), "asks for torch.QInt8Storage"),
        (ENDLESS, "dicts in dicts without end"),
        (LAUGHS, "dicts in dicts without end"),
        (b"\x80\x02}.", "holds no tensors"),
    ],
)
def test_a_tensor_that_lies_about_itself(content, reason, archive):
    assert reason in fails(archive(content))


def test_a_pickle_that_multiplies_its_own_list_ends_early(archive):
    """Two megabytes of it would stand for gigabytes: a list of itself, and one that is copied again and again."""
    begun = b"\x80\x04" + pickle.EMPTY_LIST + pickle.MEMOIZE + pickle.MARK
    of_itself = begun + (pickle.BINGET + b"\0") * 150_000 + pickle.APPENDS + pickle.STOP
    assert "dicts in dicts without end" in fails(archive(of_itself))
    copied = b"ctorch\nSize\n" + pickle.BINGET + b"\0" + pickle.TUPLE1 + pickle.REDUCE
    copies = begun + pickle.NONE * 100_000 + pickle.APPENDS + copied * 300 + pickle.STOP
    assert "copies its lists without end" in fails(archive(copies))


def test_archives_that_pytorch_does_not_write(archive, file):
    path = archive(tensor(), zipfile.ZIP_DEFLATED)
    assert "data.pkl is compressed, which torch.save does not do" in fails(path)
    assert "the other byte order" in fails(archive(tensor(), byteorder=b"big"))
    path = file(b"")
    with zipfile.ZipFile(path, "w") as found:
        found.writestr("photo.png", b"")
    assert "is an archive of photo.png: unpack it first" in fails(path)


@pytest.mark.parametrize("name", ["zip.pt", "legacy.pt", "lightning.ckpt"])
def test_a_file_cut_short_anywhere_is_one_line(name, file):
    whole = (FIXTURES / name).read_bytes()
    for length in range(1, len(whole) - 1, 97):
        fails(file(whole[:length]))


@pytest.mark.parametrize("name", ["zip.pt", "legacy.pt", "ema.pth"])
def test_a_damaged_file_is_read_or_one_line(name, file):
    whole = (FIXTURES / name).read_bytes()
    generator = random.Random(0)
    for _ in range(150):
        content = bytearray(whole)
        for _ in range(generator.choice([1, 4, 16])):
            content[generator.randrange(len(whole))] = generator.randrange(256)
        try:
            found = read_tensors(file(bytes(content)))
        except WeightsError:
            continue
        assert all(array.nbytes <= len(whole) for array in found.values())


def safetensors(header, data=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def entry(shape=(2, 3), offsets=(0, 24), dtype="F32"):
    return {"w": {"dtype": dtype, "shape": shape, "data_offsets": offsets}}


def test_safetensors_are_read_bit_for_bit(tmp_path):
    path = tmp_path / "weights.bin"  # not by its name
    written = {name: value.copy() for name, value in expected().items() if name != "scalar"}
    save_file(written, path, metadata={"format": "pt"})
    found = read_tensors(path)
    assert set(found) == set(written)
    for key, value in written.items():
        assert found[key].dtype == value.dtype
        np.testing.assert_array_equal(found[key], value, err_msg=key)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (safetensors(entry(), bytes(23)), "w lies outside of the file"),
        (safetensors(entry(offsets=(-24, 0)), bytes(24)), "w lies outside of the file"),
        (safetensors(entry(shape=(2, 4)), bytes(24)), "w has 24 bytes, which shape (2, 4)"),
        (safetensors(entry(shape=(-2, -3)), bytes(24)), "damaged"),
        (safetensors(entry(shape=(2, 3.0)), bytes(24)), "damaged"),
        (safetensors(entry(dtype="Q4"), bytes(24)), "'Q4'"),
        (safetensors({"w": 3}), "damaged"),
        (safetensors(b"{" + b'"a":{' * 100_000), "damaged"),
        (safetensors(entry(), bytes(24))[:40], "the directory ends behind the file"),
        (safetensors({}), "holds no tensors"),
    ],
)
def test_safetensors_that_lie_or_are_cut_short(content, reason, file):
    assert reason in fails(file(content))


def test_shards_are_one_file_and_lie_in_one_folder(tmp_path):
    for i in range(2):
        save_file({f"w{i}": np.full(2, i, np.float32)}, tmp_path / f"{i}.safetensors")
    index = tmp_path / "model.safetensors.index.json"

    def write(**places):
        index.write_text(json.dumps({"weight_map": places}))
        return index

    found = read_tensors(write(w0="0.safetensors", w1="1.safetensors"))
    assert {name: array.tolist() for name, array in found.items()} == {"w0": [0, 0], "w1": [1, 1]}
    assert "w0, which is not in its shard" in fails(write(w0="1.safetensors"))
    assert "2.safetensors is no file" in fails_anywhere(write(w0="2.safetensors"))
    for name in ("../0.safetensors", "/etc/passwd", "a\\0.safetensors", ".."):
        assert "not in its folder" in (line := fails_anywhere(write(w0=name))) or "no file" in line
    assert "begins with" in fails(write(w0=index.name))
    index.write_text("[1]")
    assert "begins with" in fails(index)
    index.write_text("{}")
    assert "lists no weights" in fails(index)


def fails_anywhere(path):
    with pytest.raises(WeightsError) as error:
        read_tensors(path)
    return str(error.value)


def test_npz_is_read_and_objects_in_it_are_not(tmp_path):
    path = tmp_path / "x.pt"
    for save in (np.savez, np.savez_compressed):
        with path.open("wb") as stream:
            save(stream, w=np.arange(3), b=np.ones((2, 2)))
        assert read_tensors(path)["w"].tolist() == [0, 1, 2]
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert "damaged, cut short" in fails(path)
    with path.open("wb") as stream:
        np.savez(stream, w=np.array([{}], object))
    assert "Object arrays cannot be loaded" in fails(path)


def test_an_archive_that_would_fill_the_memory(tmp_path):
    path = tmp_path / "x.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("w.npy", bytes(2**26 + 1))
    assert math.log2(path.stat().st_size) < 20
    assert f"expand to {2**26 + 1}" in fails(path)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b"<!DOCTYPE html>", "begins with b'<!DOCTYPE ht'"),
        (b"version https://git-lfs.github.com/spec/v1", "begins with b'version http'"),
        (b"cposix\nsystem\n(S'touch executed'\ntR.", "begins with"),
        (b"PK\x03\x04", "damaged, cut short"),
    ],
)
def test_what_is_no_file_of_weights(content, reason, file):
    assert reason in fails(file(content))


def test_a_missing_file_and_a_folder(tmp_path):
    assert "is no file: give a .pt" in fails(tmp_path / "nowhere.pt")
    assert "is no file: give a .pt" in fails(tmp_path)
