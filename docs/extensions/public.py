"""What is public in jaxir: the one list that the pages of the API, the links to them and their tests go by."""

from __future__ import annotations

import ast
import importlib
import inspect
from collections import Counter
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import jaxir

PAGES = Path(__file__).parents[1] / "api"


class Public(NamedTuple):
    """A public name.

    Attributes:
        package: where it is imported from, `jaxir.processes`.
        name: what it is called there.
        module: where it is written, `jaxir.processes.reverting`.
    """

    package: str
    name: str
    module: str

    @property
    def path(self) -> str:
        """`jaxir.processes.IRSDE`."""
        return f"{self.package}.{self.name}"

    @property
    def page(self) -> str:
        """The file of its page, without a suffix: one page for each module."""
        return self.module

    def get(self) -> Any:
        """The thing itself."""
        return getattr(importlib.import_module(self.package), self.name)


def packages() -> list[str]:
    """The packages and modules below `jaxir`."""
    return [f"jaxir.{name}" for name in sorted(jaxir._SUBMODULES)]


@cache
def names(package: str) -> tuple[Public, ...]:
    """The public names of a package: its `__all__`, or what a module without one defines."""
    module = importlib.import_module(package)
    found = getattr(module, "__all__", None)
    if found is None:
        found = [
            name
            for name, value in vars(module).items()
            if not name.startswith("_") and getattr(value, "__module__", None) == package
        ]
    return tuple(
        Public(package, name, _home(module, name)) for name in sorted(found, key=str.lower)
    )


@cache
def short_names() -> dict[str, str]:
    """The path of each name that only one package has."""
    everything = [public for package in packages() for public in names(package)]
    count = Counter(public.name for public in everything)
    return {public.name: public.path for public in everything if count[public.name] == 1}


@cache
def by_value() -> dict[tuple[str, int], str]:
    """The path of each name and the identity of what it names: a name may have two meanings, in two packages."""
    everything = (public for package in packages() for public in names(package))
    return {(public.name, id(public.get())): public.path for public in everything}


@cache
def paths() -> frozenset[str]:
    """The paths of all public names."""
    return frozenset(public.path for package in packages() for public in names(package))


def _home(package: ModuleType, name: str) -> str:
    """The module that defines a name; an alias of a type does not know it, so its assignment is looked for."""
    value = getattr(package, name)
    if inspect.isclass(value) or inspect.isroutine(value):
        home = value.__module__
        if home.startswith("jaxir."):
            return home if home.startswith(package.__name__) else package.__name__
    for module in _modules(package):
        if assignment(module, name):
            return module
    return package.__name__


def _modules(package: ModuleType) -> list[str]:
    """A package's own modules, and itself."""
    folder = Path(package.__file__).parent
    if not hasattr(package, "__path__"):
        return [package.__name__]
    inner = (path.relative_to(folder).with_suffix("") for path in sorted(folder.rglob("*.py")))
    dotted = (".".join(path.parts) for path in inner if path.name != "__init__")
    return [package.__name__, *(f"{package.__name__}.{name}" for name in dotted)]


def assignment(module: str, name: str) -> tuple[str, str] | None:
    """The right-hand side and the docstring of `name = ...` in a module, if it has one."""
    body = _body(module)
    for node, following in zip(body, [*body[1:], None], strict=True):
        if isinstance(node, ast.Assign | ast.AnnAssign) and _defines(node, name):
            said = getattr(getattr(following, "value", None), "value", "")
            return ast.unparse(node.value), inspect.cleandoc(said) if isinstance(said, str) else ""
    return None


def position(module: str, name: str) -> int:
    """Where in its module a name is defined, so that a page has the order of its file."""
    found = (i for i, node in enumerate(_body(module)) if _defines(node, name))
    return next(found, len(_body(module)))


def _defines(node: ast.stmt, name: str) -> bool:
    targets = getattr(node, "targets", [getattr(node, "target", None)])
    assigned = any(isinstance(target, ast.Name) and target.id == name for target in targets)
    return assigned or getattr(node, "name", None) == name


@cache
def _body(module: str) -> list[ast.stmt]:
    source = Path(importlib.import_module(module).__file__).read_text(encoding="utf-8")
    return ast.parse(source).body
