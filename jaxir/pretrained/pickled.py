"""Pickles read as data: an interpreter of the few instructions that build dicts of tensors, and of no others.

A pickle is a program, and Python's own unpickler imports and calls whatever it names. Here a name stays a name: it is
looked up in the three tables below, never imported, and an instruction or a name outside of them ends the reading. So
there is nothing to escape from, and what is refused can be told by name.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable, Iterable
from mmap import mmap
from typing import IO, Any, NamedTuple

import jax.numpy as jnp
import numpy as np


class PickleRefused(ValueError):
    """A pickle that is more than data; the message says what it asks for."""


class Storage(NamedTuple):
    """A run of numbers that lies elsewhere in the file.

    Attributes:
        key: its name there.
        dtype: of its entries; bytes where the tensors on it say.
        size: number of entries.
    """

    key: str
    dtype: np.dtype
    size: int


class StoredTensor(NamedTuple):
    """A view on a storage; offset and strides count entries."""

    storage: Storage
    dtype: np.dtype
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class Named(str):
    """The dotted name of something that the pickle refers to."""

    __slots__ = ()


_DTYPES = {
    f"torch.{name}": np.dtype(dtype)
    for name, dtype in {
        "float64": np.float64,
        "float32": np.float32,
        "float16": np.float16,
        "bfloat16": jnp.bfloat16,
        "float8_e4m3fn": jnp.float8_e4m3fn,
        "float8_e5m2": jnp.float8_e5m2,
        "int64": np.int64,
        "int32": np.int32,
        "int16": np.int16,
        "int8": np.int8,
        "uint8": np.uint8,
        "uint16": np.uint16,
        "uint32": np.uint32,
        "uint64": np.uint64,
        "bool": np.bool_,
        "complex64": np.complex64,
        "complex128": np.complex128,
    }.items()
}
_BYTES = np.dtype(np.uint8)
_STORAGES = {
    "torch.storage.UntypedStorage": _BYTES,
    **{
        f"torch.{name}Storage": _DTYPES[f"torch.{dtype}"]
        for name, dtype in {
            "Double": "float64",
            "Float": "float32",
            "Half": "float16",
            "BFloat16": "bfloat16",
            "Long": "int64",
            "Int": "int32",
            "Short": "int16",
            "Char": "int8",
            "Byte": "uint8",
            "Bool": "bool",
            "ComplexFloat": "complex64",
            "ComplexDouble": "complex128",
        }.items()
    },
}


_COPIED = 2**24
"""Entries of lists that a pickle may have copied; those of a file of weights have a few for each tensor."""


def read_pickle(stream: IO[bytes] | mmap | bytes) -> Any:
    """The value of one pickle; a stream is left behind its last byte.

    Returns:
        Dicts, lists, tuples, strings, numbers, None, `StoredTensor` and, for a dtype, its `Named` name.

    Raises:
        PickleRefused: if it asks for anything else, which is not done.
        ValueError: if it is damaged.
    """
    try:
        return _run(stream)
    except PickleRefused:
        raise
    except (IndexError, KeyError, TypeError, OverflowError, UnicodeError) as error:
        raise ValueError(f"the pickle is damaged ({type(error).__name__}: {error})") from error


def _run(stream: IO[bytes] | mmap | bytes) -> Any:
    stack: list[Any] = []
    outer: list[list[Any]] = []  # what lay below each open mark
    memo: dict[int, Any] = {}
    copied = 0

    def since_mark() -> list[Any]:
        nonlocal stack
        items, stack = stack, outer.pop()
        return items

    for opcode, argument, _ in pickletools.genops(stream):  # type: ignore[arg-type] # read, readline and tell
        match opcode.name:
            case "PROTO" | "FRAME":
                pass
            case "STOP":
                return stack.pop()
            case name if name in _LITERALS:
                stack.append(argument)
            case name if name in _FRESH:
                stack.append(_FRESH[name]())
            case "MARK":
                outer.append(stack)
                stack = []
            case "TUPLE1" | "TUPLE2" | "TUPLE3":
                count = int(opcode.name[-1])
                stack[-count:] = [(*stack[-count:],)]
            case "TUPLE":
                items = since_mark()
                stack.append(tuple(items))
            case "LIST":
                items = since_mark()
                stack.append(items)
            case "APPEND":
                item = stack.pop()
                _expect(stack[-1], list).append(item)
            case "APPENDS":
                items = since_mark()
                _expect(stack[-1], list).extend(items)
            case "DICT":
                items = since_mark()
                stack.append(_mapping(zip(items[::2], items[1::2], strict=True)))
            case "SETITEM":
                item = tuple(stack[-2:])
                del stack[-2:]
                _expect(stack[-1], dict).update(_mapping([item]))
            case "SETITEMS":
                items = since_mark()
                pairs = zip(items[::2], items[1::2], strict=True)
                _expect(stack[-1], dict).update(_mapping(pairs))
            case "BINPUT" | "LONG_BINPUT" | "PUT":
                memo[argument] = stack[-1]
            case "MEMOIZE":
                memo[len(memo)] = stack[-1]
            case "BINGET" | "LONG_BINGET" | "GET":
                stack.append(memo[argument])
            case "GLOBAL":
                stack.append(_named(*argument.split(" ", 1)))
            case "STACK_GLOBAL":
                member, module = stack.pop(), stack.pop()
                stack.append(_named(module, member))
            case "REDUCE":
                arguments, name = stack.pop(), stack.pop()
                if not (isinstance(name, Named) and name in _MAKERS):
                    raise PickleRefused(f"calls {name if isinstance(name, Named) else 'a value'}")
                copied += sum(
                    len(part) for part in arguments if isinstance(part, list | tuple | dict)
                )
                if copied > _COPIED:
                    raise ValueError("the pickle copies its lists without end")
                stack.append(_MAKERS[name](*arguments))
            case "BINPERSID":
                stack.append(_storage(*stack.pop()))
            case "BUILD":  # attributes of an OrderedDict, such as the version of a state_dict
                stack.pop()
                _expect(stack[-1], dict)
            case name:
                raise PickleRefused(f"holds the instruction {name}")
    raise ValueError("the pickle has no end")


_LITERALS = {
    *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"),
    *("UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "BINSTRING", "SHORT_BINSTRING"),
    *("BINBYTES", "SHORT_BINBYTES"),
}
_FRESH: dict[str, Callable[[], Any]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_TUPLE": tuple,
    "EMPTY_LIST": list,
    "EMPTY_DICT": dict,
}


def _named(module: Any, member: Any) -> Named:
    name = Named(f"{module}.{member}")
    if name in _MAKERS or name in _DTYPES or name in _STORAGES:
        return name
    raise PickleRefused(f"asks for {name}")


def _expect(value: Any, kind: type) -> Any:
    if type(value) is not kind:
        raise TypeError(f"expected a {kind.__name__}, got a {type(value).__name__}")
    return value


def _mapping(items: Iterable[Any] = ()) -> dict[str | int, Any]:
    """Pairs as a dict; keys are words or numbers, whose hash is quick and runs no code."""
    pairs = [(key, value) for key, value in items]
    for key, _ in pairs:
        if not isinstance(key, str | int | float):
            raise TypeError(f"a key is a {type(key).__name__}")
    return dict(pairs)


def _storage(kind: Any, *rest: Any) -> Storage:
    """What a reference to something outside the pickle stands for: (kind, type, key, device, entries[, view])."""
    if kind != "storage":
        raise PickleRefused("refers to what is not a storage")
    named, key, _, size, *view = rest
    if any(part is not None for part in view):
        raise PickleRefused("holds a view of a storage, as torch 0.3 and before wrote it")
    return Storage(_expect(key, str), _STORAGES[named], _natural(size))


def _tensor(
    storage: Any, offset: Any, shape: Any, strides: Any, *_: Any, dtype: Any = None
) -> StoredTensor:
    """Further arguments are about gradients."""
    _expect(storage, Storage)
    return StoredTensor(
        storage,
        storage.dtype if dtype is None else _DTYPES[dtype],
        _natural(offset),
        tuple(map(_natural, shape)),
        tuple(map(_natural, strides)),
    )


def _tensor_of_dtype(
    storage: Any, offset: Any, shape: Any, strides: Any, grad: Any, hooks: Any, dtype: Any, *_: Any
) -> StoredTensor:
    return _tensor(storage, offset, shape, strides, dtype=dtype)


def _natural(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise TypeError("a size, stride or offset is no natural number")
    return value


_MAKERS: dict[str, Callable[..., Any]] = {
    "collections.OrderedDict": _mapping,
    "torch.Size": tuple,
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_tensor_v3": _tensor_of_dtype,
    "torch._utils._rebuild_parameter": lambda tensor, *_: _expect(tensor, StoredTensor),
}
