"""Weights of the perceptual metrics, from the files in which their authors publish them.

LPIPS has its weights in two parts: the layers are those of a classifier, the heads are the metric's own. Each may lie
in any of the files that are given, so what a file holds is told by the names and sizes of its tensors alone.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxir.metrics import LPIPS, NIQE, Features, plain_bilinear
from jaxir.networks import VGG16, AlexNet, Inception, SqueezeNet, Trunk
from jaxir.pretrained.containers import WeightsError
from jaxir.pretrained.names import ConversionError, Name, collect, conv, norm, tensor
from jaxir.pretrained.torch_file import read_tensors
from jaxir.typing import Image, Params

Tensors = Mapping[str, np.ndarray]

_SUFFIXES = {".bin", ".npz", ".pkl", ".pt", ".pth", ".safetensors"}
_MODULE = re.compile(r"^(features|net\.slice\d+)\.")
_TRUNKS: tuple[Trunk, ...] = (AlexNet(), SqueezeNet(), VGG16())
_INCEPTION = Inception()


class _Part(NamedTuple):
    """Layers or heads of one network.

    Attributes:
        names: their table.
        expected: their shapes.
        beside: patterns of what else a file may hold.
    """

    names: list[Name]
    expected: Params
    beside: tuple[str, ...]

    def share(self, tensors: Tensors) -> float:
        """How much of it is there, from 0 to 1: tensors of the right name and size."""
        leaves = jax.tree_util.tree_leaves_with_path(self.expected)
        sizes = {jax.tree_util.keystr(at, simple=True, separator="/"): x.size for at, x in leaves}
        there = [np.size(tensors.get(n.theirs, ())) == sizes[n.ours] for n in self.names]
        return sum(there) / len(there)

    def collect(self, held: Mapping[Path, Tensors]) -> Params:
        """The parameters, from the file that has most of them.

        Raises:
            ConversionError: if a tensor is missing, misshapen or superfluous there.
        """
        path = max(held, key=lambda path: self.share(held[path]))
        try:
            params = collect(self.names, held[path], self.expected, ignored=self.beside)
        except ConversionError as error:
            raise ConversionError(f"{path}: {error}") from error
        return jax.tree.map(jnp.asarray, params)


def load_lpips(*paths: str | Path, trunk: Trunk | None = None) -> LPIPS:
    """LPIPS v0.1 with published weights: layers of torchvision's classifiers, heads of the authors' release.

    Args:
        paths: files, or folders in which files of weights are looked for by their endings. Tensors bear the names of
            the classifier (`features.0.weight`, with or without `features.`), of the release (`lin0.model.1.weight`),
            or of both in one file (`net.slice1.0.weight`).
        trunk: `AlexNet()`, `SqueezeNet()` or `VGG16()`; may be left out where the files hold one of them alone.

    Raises:
        WeightsError: if a file is missing or no weights, or layers or heads are not among them.
        ConversionError: if a tensor is missing, misshapen or superfluous.
    """
    held = {path: _plainly_named(read_tensors(path)) for path in _files(paths)}
    parts = {kind: _parts(kind) for kind in _TRUNKS}
    shares = {
        kind: [max(map(part.share, held.values()), default=0.0) for part in both]
        for kind, both in parts.items()
    }
    whole = [kind for kind in _TRUNKS if all(share == 1 for share in shares[kind])]
    if trunk is None and len(whole) == 1:
        (trunk,) = whole
    if trunk is None or not all(shares[trunk]):
        found = [
            f"the {what} of {', '.join(kinds)}"
            for i, what in enumerate(("layers", "heads"))
            if (kinds := [_title(kind) for kind in _TRUNKS if shares[kind][i] == 1])
        ]
        wanted = "one network" if trunk is None else _title(trunk)
        raise WeightsError(
            f"{', '.join(map(str, paths))}: found {' and '.join(found) or 'nothing'}, but LPIPS takes the layers and "
            f"the heads of {wanted}: {'say of which' if len(whole) > 1 else 'give the files of both'}"
        )
    # One object of equal ones: only then are their `apply` equal, and nothing is traced again.
    trunk = next(kind for kind in _TRUNKS if kind == trunk)
    layers, heads = (part.collect(held) for part in parts[trunk])
    weights = tuple(heads[f"{i}"] for i in range(len(trunk.widths)))
    if any(np.asarray(weight).min() < 0 for weight in weights):
        raise ConversionError(
            "a head of LPIPS has negative weights: those of version 0.1 have none"
        )
    return LPIPS(_title(trunk), trunk.apply, layers, weights)


def load_inception(path: str | Path, resize: Callable[[Image], Image] = plain_bilinear) -> Features:
    """The features of FID and KID, by the weights `pt_inception-2015-12-05` of pytorch-fid.

    Args:
        path: the file.
        resize: to 299 × 299; `plain_bilinear` as in most tables, or `antialiased_bicubic`.

    Raises:
        WeightsError: if the file is missing or no weights.
        ConversionError: if they are of another network.
    """
    held = {Path(path): read_tensors(path)}
    shapes = jax.eval_shape(_INCEPTION.init, jax.random.key(0))
    part = _Part([*_unit_names(shapes)], shapes, ("fc.*", "AuxLogits.*", "*.num_batches_tracked"))
    return Features(_INCEPTION.apply, part.collect(held), resize)


def load_niqe(path: str | Path) -> NIQE:
    """NIQE with the pristine parameters of a file, `mu_pris_param` and `cov_pris_param`.

    Raises:
        WeightsError: if the file is missing or does not hold these two.
    """
    held = read_tensors(path)
    try:
        mean = np.float64(held["mu_pris_param"]).reshape(36)
        covariance = np.float64(held["cov_pris_param"]).reshape(36, 36)
    except (KeyError, ValueError) as error:
        raise WeightsError(
            f"{path} holds {', '.join(sorted(held)[:4])}, expected mu_pris_param of 36 and cov_pris_param of 36 × 36 "
            "numbers"
        ) from error
    return NIQE(mean, covariance)


def _files(paths: tuple[str | Path, ...]) -> Iterator[Path]:
    for path in map(Path, paths):
        if path.is_dir():
            yield from sorted(file for file in path.iterdir() if file.suffix in _SUFFIXES)
        else:
            yield path


def _plainly_named(tensors: Tensors) -> Tensors:
    """Layers by their numbers alone, whichever module they were published in."""
    return {_MODULE.sub("", name): value for name, value in tensors.items()}


def _title(trunk: Trunk) -> str:
    return type(trunk).__name__.lower()


@functools.cache
def _parts(trunk: Trunk) -> tuple[_Part, _Part]:
    """Layers and heads."""
    shapes = jax.eval_shape(trunk.init, jax.random.key(0))
    widths = {f"{i}": jax.ShapeDtypeStruct((w,), np.float32) for i, w in enumerate(trunk.widths)}
    heads = [n for i, x in widths.items() for n in tensor(i, f"lin{i}.model.1.weight", x.shape)]
    others = ("classifier.*", "lins.*", "scaling_layer.*")
    return (
        _Part([*_layer_names(trunk)], shapes, ("lin[0-9].*", *others)),
        _Part(heads, widths, ("[0-9]*", *others)),
    )


def _layer_names(trunk: Trunk) -> Iterator[Name]:
    """Torchvision numbers what follows each other: convolutions, ReLUs, pools and fire modules."""
    match trunk:
        case AlexNet():
            for ours, theirs in enumerate((0, 3, 6, 8, 10), start=1):
                yield from conv(f"conv{ours}", f"{theirs}")
        case VGG16():
            stages = ((0, 2), (5, 7), (10, 12, 14), (17, 19, 21), (24, 26, 28))
            for stage, numbers in enumerate(stages, start=1):
                for layer, theirs in enumerate(numbers, start=1):
                    yield from conv(f"conv{stage}_{layer}", f"{theirs}")
        case SqueezeNet():
            yield from conv("conv1", "0")
            for ours, theirs in enumerate((3, 4, 6, 7, 9, 10, 11, 12), start=2):
                for part in ("squeeze", "expand1x1", "expand3x3"):
                    yield from conv(f"fire{ours}/{part}", f"{theirs}.{part}")


def _unit_names(shapes: Params, inside: str = "") -> Iterator[Name]:
    """The units of Inception, which we call by the names of the original."""
    for name, inner in shapes.items():
        ours = f"{inside}{name}"
        if "bn" not in inner:
            yield from _unit_names(inner, f"{ours}/")
            continue
        theirs = ours.replace("/", ".")
        yield from conv(f"{ours}/conv", f"{theirs}.conv", bias=False)
        yield from norm(f"{ours}/bn", f"{theirs}.bn")
        yield from tensor(f"{ours}/bn/mean", f"{theirs}.bn.running_mean")
        yield from tensor(f"{ours}/bn/variance", f"{theirs}.bn.running_var")
