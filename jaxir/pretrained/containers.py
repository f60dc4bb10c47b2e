"""The formats of weight files: torch.save's two, safetensors, npz.

All of them come down to a directory of (name, dtype, shape, strides, offset) and bytes, and so what is returned are
views of the mapped file: nothing is read before it is used, and only what is used. A directory is believed only as far
as the file reaches; nothing that it declares is allocated. Which format it is, is seen from the first bytes, since
`.pt`, `.pth`, `.ckpt` and `.bin` are each used for several.
"""

from __future__ import annotations

import contextlib
import json
import math
import mmap
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxir.pretrained.pickled import PickleRefused, StoredTensor, read_pickle

Place = tuple[str | int, ...]
"""Where an array lies in the dicts and lists of a file."""

_LEGACY = 0x1950A86A20F9469CFC6C
_NODES, _DEPTH = 200_000, 64
"""What no file of weights has; one that refers to its own dicts would be endless."""
_EXPANSION, _SMALL = 64, 2**26
"""Random numbers hardly shrink, and zeros a thousand times: a larger archive is one of zeros, to fill the memory."""
_SAFETENSORS = {
    "F64": np.float64,
    "F32": np.float32,
    "F16": np.float16,
    "BF16": jnp.bfloat16,
    "F8_E4M3": jnp.float8_e4m3fn,
    "F8_E5M2": jnp.float8_e5m2,
    "I64": np.int64,
    "I32": np.int32,
    "I16": np.int16,
    "I8": np.int8,
    "U64": np.uint64,
    "U32": np.uint32,
    "U16": np.uint16,
    "U8": np.uint8,
    "BOOL": np.bool_,
    "C64": np.complex64,
}


class WeightsError(ValueError):
    """Weights that are missing, damaged or of an unknown kind."""


def read_arrays(path: Path) -> dict[Place, np.ndarray]:
    """Every tensor of a file, or of the files that a JSON index lists.

    Raises:
        WeightsError: if the file is missing, damaged, of another kind or more than data, which is not run.
    """
    with _one_line(path):
        whole = _mapped(path)
        if whole[:1] == b"{":
            return _sharded(path, json.loads(whole[:]))
        return _single(path, whole)


_DAMAGE = (
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    OSError,
    EOFError,
    MemoryError,
    OverflowError,
    RuntimeError,  # an encrypted archive, an unknown compression, endless recursion
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)


@contextlib.contextmanager
def _one_line(path: Path) -> Iterator[None]:
    """Turn what goes wrong with a file into one line that names it."""
    try:
        yield
    except WeightsError:
        raise
    except PickleRefused as error:
        raise WeightsError(
            f"{path} {error}, and weights are data: nothing of it was run; ask its author for a plain state_dict or a "
            ".safetensors file"
        ) from error
    except _DAMAGE as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise WeightsError(
            f"{path} is damaged, cut short or no file of weights ({reason}): get it again"
        ) from error


def _mapped(path: Path) -> mmap.mmap:
    if not path.is_file():
        raise WeightsError(
            f"{path} is no file: give a .pt, .pth, .ckpt, .bin, .safetensors or .npz"
        )
    if not path.stat().st_size:
        raise WeightsError(f"{path} is empty: get it again")
    with path.open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def _single(path: Path, whole: mmap.mmap) -> dict[Place, np.ndarray]:
    if whole[:4] == b"PK\x03\x04":
        with zipfile.ZipFile(path) as archive:
            return _zipped(path, whole, archive)
    if whole[:1] == b"\x80":
        return _legacy(whole)
    if whole[8:9] == b"{":
        return _safetensors(whole)
    raise WeightsError(
        f"{path} begins with {whole[:12]!r} and is no file of torch.save, safetensors or npz: get it again"
    )


def _zipped(path: Path, whole: mmap.mmap, archive: zipfile.ZipFile) -> dict[Place, np.ndarray]:
    names = archive.namelist()
    pickles = [name for name in names if name.partition("/")[2] == "data.pkl"]
    if pickles:
        return _torch(path, whole, archive, pickles[0].removesuffix("data.pkl"))
    if not all(name.endswith(".npy") for name in names):
        raise WeightsError(f"{path} is an archive of {', '.join(names[:3])}: unpack it first")
    expanded = sum(info.file_size for info in archive.infolist())
    if expanded > max(_SMALL, _EXPANSION * len(whole)):
        raise ValueError(f"{len(whole)} bytes that expand to {expanded}")
    with np.load(path, allow_pickle=False) as arrays:
        return {(name,): arrays[name] for name in arrays.files}


def _torch(
    path: Path, whole: mmap.mmap, archive: zipfile.ZipFile, folder: str
) -> dict[Place, np.ndarray]:
    """torch.save since 1.6: an archive of a pickle and a file for each storage, aligned and not compressed."""
    if any(name.startswith(f"{folder}code/") for name in archive.namelist()):
        raise WeightsError(
            f"{path} is a TorchScript archive, which is a program: ask its author for a plain state_dict"
        )

    def place(name: str) -> tuple[int, int]:
        entry = archive.getinfo(folder + name)
        if entry.compress_type != zipfile.ZIP_STORED:
            raise ValueError(f"{name} is compressed, which torch.save does not do")
        header = entry.header_offset
        name_length, extra_length = struct.unpack("<26x2H", whole[header : header + 30])
        start = header + 30 + name_length + extra_length
        if start + entry.file_size > len(whole):
            raise ValueError(f"{name} lies outside of the file")
        return start, entry.file_size

    def content(name: str) -> bytes:
        start, size = place(name)
        return whole[start : start + size]

    if f"{folder}byteorder" in archive.namelist() and content("byteorder") != b"little":
        raise ValueError("written on a machine of the other byte order")
    tensors = dict(_leaves(read_pickle(content("data.pkl"))))
    places = {t.storage.key: place(f"data/{t.storage.key}") for t in tensors.values()}
    return {at: _view(whole, tensor, *places[tensor.storage.key]) for at, tensor in tensors.items()}


def _legacy(whole: mmap.mmap) -> dict[Place, np.ndarray]:
    """torch.save before 1.6: a number, a version, the machine, the pickle, the keys, then (size, bytes) for each."""
    if read_pickle(whole) != _LEGACY:
        raise ValueError("a pickle, but not one of torch.save")
    read_pickle(whole)
    if not read_pickle(whole)["little_endian"]:
        raise ValueError("written on a machine of the other byte order")
    tensors = dict(_leaves(read_pickle(whole)))
    storages = {tensor.storage.key: tensor.storage for tensor in tensors.values()}
    places: dict[str, tuple[int, int]] = {}
    for key in read_pickle(whole):
        (size,) = struct.unpack("<q", whole.read(8))
        if key not in storages:
            raise ValueError(f"storage {key} belongs to no tensor")
        length = size * storages[key].dtype.itemsize
        places[key] = (whole.tell(), length)
        whole.seek(length, 1)
    return {at: _view(whole, tensor, *places[tensor.storage.key]) for at, tensor in tensors.items()}


def _leaves(tree: Any) -> Iterator[tuple[Place, StoredTensor]]:
    """The tensors of dicts, lists and tuples in each other."""
    left: list[tuple[Place, Any]] = [((), tree)]
    seen = 1
    while left:
        at, node = left.pop()
        if isinstance(node, StoredTensor):
            yield at, node
        elif isinstance(node, dict | list | tuple):
            seen += len(node)
            if seen > _NODES or len(at) > _DEPTH:
                raise ValueError("dicts in dicts without end")
            parts = list(node.items() if isinstance(node, dict) else enumerate(node))
            left += [
                ((*at, k), v) for k, v in reversed(parts) if isinstance(v, dict | list | tuple)
            ]


def _view(whole: mmap.mmap, tensor: StoredTensor, start: int, length: int) -> np.ndarray:
    storage, dtype = tensor.storage, tensor.dtype
    declared = storage.size * storage.dtype.itemsize
    if declared > length or start + length > len(whole):
        raise ValueError(f"storage {storage.key} declares {declared} bytes and has {length}")
    if len(tensor.shape) != len(tensor.strides):
        raise ValueError(f"shape {tensor.shape} with strides {tensor.strides}")
    entries = math.prod(tensor.shape)
    last = tensor.offset + sum(
        (n - 1) * s for n, s in zip(tensor.shape, tensor.strides, strict=True)
    )
    if entries and (max(entries, last + 1) * dtype.itemsize > declared):
        raise ValueError(f"a tensor of shape {tensor.shape} reaches beyond its {declared} bytes")
    if not entries:
        return np.empty(tensor.shape, dtype)
    strides = tuple(dtype.itemsize * stride for stride in tensor.strides)
    return np.ndarray(tensor.shape, dtype, whole, start + dtype.itemsize * tensor.offset, strides)


def _safetensors(whole: mmap.mmap) -> dict[Place, np.ndarray]:
    """A length, a JSON directory of that length, bytes."""
    start = 8 + struct.unpack("<Q", whole[:8])[0]
    if start > len(whole):
        raise ValueError("the directory ends behind the file")
    arrays: dict[Place, np.ndarray] = {}
    for name, entry in json.loads(whole[8:start]).items():
        if name == "__metadata__":
            continue
        dtype, shape = np.dtype(_SAFETENSORS[entry["dtype"]]), tuple(entry["shape"])
        begin, end = entry["data_offsets"]
        if not 0 <= begin <= end <= len(whole) - start:
            raise ValueError(f"{name} lies outside of the file")
        if end - begin != math.prod(shape) * dtype.itemsize:
            raise ValueError(f"{name} has {end - begin} bytes, which shape {shape} is not of")
        empty = begin == end  # and may lie behind the last byte
        arrays[name,] = (
            np.empty(shape, dtype) if empty else np.ndarray(shape, dtype, whole, start + begin)
        )
    return arrays


def _sharded(path: Path, index: Any) -> dict[Place, np.ndarray]:
    if "weight_map" not in index:
        raise WeightsError(f"{path} lists no weights: give a file of weights, or its index")
    shards: dict[str, dict[Place, np.ndarray]] = {}
    for name in index["weight_map"].values():
        if Path(name).name != name or "\\" in name:
            raise WeightsError(
                f"{path} names {name!r}, which is not in its folder: do not trust it"
            )
        if name not in shards:
            shard = path.parent / name
            with _one_line(shard):
                shards[name] = _single(shard, _mapped(shard))
    missing = [t for t, name in index["weight_map"].items() if (t,) not in shards[name]]
    if missing:
        raise WeightsError(f"{path} lists {missing[0]}, which is not in its shard: get it again")
    return {at: array for shard in shards.values() for at, array in shard.items()}
