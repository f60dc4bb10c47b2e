"""Diffusion-based image restoration: processes, denoisers, degradations, transitions, samplers, guidance.

    x_t = a(t) x0 + b(t) y + σ(t) ε,   ε ~ N(0, I)

Subpackages and the three functions of everyday use are loaded when they are first named, so that
`import jaxir` costs nothing and brings in neither JAX nor anything that reads files or draws pictures.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jaxir.pretrained import load as load
    from jaxir.restoration import restore as restore
    from jaxir.samplers.sample import sample as sample

__version__ = "0.1.0"

_SUBMODULES = (
    "classical",
    "codecs",
    "data",
    "degradations",
    "denoisers",
    "estimation",
    "expect",
    "gaussian",
    "guidance",
    "integrate",
    "least_squares",
    "linear",
    "losses",
    "mesh",
    "methods",
    "metrics",
    "networks",
    "paired_restoration",
    "photos",
    "pretrained",
    "processes",
    "provenance",
    "report",
    "restoration",
    "samplers",
    "testbeds",
    "training",
    "transitions",
    "typing",
)
_FUNCTIONS = {"load": "pretrained", "restore": "restoration", "sample": "samplers"}

__all__ = [*_FUNCTIONS, *_SUBMODULES]


def __getattr__(name: str) -> Any:
    """Import a submodule, or the module that holds a function, at first use."""
    if name in _SUBMODULES:
        return import_module(f"jaxir.{name}")
    if name in _FUNCTIONS:
        value = getattr(import_module(f"jaxir.{_FUNCTIONS[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'jaxir' has no attribute {name!r}: it has {', '.join(__all__)}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
