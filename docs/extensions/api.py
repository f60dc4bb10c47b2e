"""The pages of the API, written from the packages themselves: one for each package and for each of its modules.

A module is one idea, and its docstring says why it is cut as it is: so its names share a page, below that docstring.
These pages are reached from their package's table and not from the bar at the side, which stays short.
"""

from __future__ import annotations

import importlib
import inspect
import re
from pathlib import Path

from extensions import public
from extensions.docstrings import line_to_rst, to_rst
from extensions.public import PAGES, Public

PICTURES = Path(__file__).parents[1] / "degradations.md"


def pages() -> dict[str, str]:
    """The text of each page by its name."""
    packages = public.packages()
    written = {"index": _index(packages)}
    for package in packages:
        names = public.names(package)
        modules = sorted({name.module for name in names} - {package})
        written[package] = _package(package, names, modules)
        for module in modules:
            inside = [name for name in names if name.module == module]
            inside.sort(key=lambda name: public.position(name.module, name.name))
            written[module] = _module(package, module, inside)
    return written


def _index(packages: list[str]) -> str:
    rows = [(f":doc:`{name.removeprefix('jaxir.')} <{name}>`", summary(name)) for name in packages]
    return "\n".join(
        [
            *_title("API"),
            "The three functions of everyday use are ``jaxir.restore``, ``jaxir.sample`` and ``jaxir.load``;",
            "everything else is imported from the packages below.",
            "",
            *_table(rows),
            *_toctree(packages),
        ]
    )


def _package(package: str, names: tuple[Public, ...], modules: list[str]) -> str:
    own = [name for name in names if name.module == package]
    rows = [
        (f":py:obj:`{name.name} <{name.path}>`", summary(name.module, name.name)) for name in names
    ]
    return "\n".join(
        [
            *_title(package),
            f".. automodule:: {package}",
            "   :no-members:",
            "   :no-index:",
            "",
            *(_table(rows) if modules else []),
            *(line for name in own for line in _entry(name)),
        ]
    )


def _module(package: str, module: str, names: list[Public]) -> str:
    return "\n".join(
        [
            ":orphan:",
            "",
            *_title(module.removeprefix(f"{package}.")),
            f"A module of :doc:`{package} <{package}>`.",
            "",
            f".. automodule:: {module}",
            "   :no-members:",
            "   :no-index:",
            "",
            *(line for name in names for line in _entry(name)),
        ]
    )


def _entry(name: Public) -> list[str]:
    """What is said of a name, under the path that it is imported from."""
    thing = name.get()
    if assigned := public.assignment(name.module, name.name):
        value, said = assigned
        return [
            f".. py:data:: {name.name}",
            f"   :module: {name.package}",
            *([f"   :value: {value}"] if len(value) < 100 else []),
            "",
            *(f"   {line}" for line in to_rst(said.splitlines())),
            "",
        ]
    if not inspect.isclass(thing):
        return [f".. autofunction:: {name.path}", ""]
    if issubclass(thing, BaseException):
        return [f".. autoexception:: {name.path}()", ""]
    ours = any(base.__module__.startswith("jaxir.") for base in thing.__bases__)
    return [
        f".. autoclass:: {name.path}",
        "   :members:",
        *(["   :show-inheritance:"] if ours else []),
        "",
    ]


def summary(module: str, name: str = "") -> str:
    """The first line of a docstring."""
    if name and (assigned := public.assignment(module, name)):
        said = assigned[1]
    else:
        thing = importlib.import_module(module)
        said = inspect.getdoc(getattr(thing, name) if name else thing) or ""
    return line_to_rst(said.partition("\n")[0])


def _title(text: str) -> list[str]:
    return [text, "=" * len(text), ""]


def _table(rows: list[tuple[str, str]]) -> list[str]:
    head = [".. list-table::", "   :widths: auto", "   :class: names", ""]
    return [*head, *(line for row in rows for line in (f"   * - {row[0]}", f"     - {row[1]}")), ""]


def _toctree(packages: list[str]) -> list[str]:
    entries = (f"   {name.removeprefix('jaxir.')} <{name}>" for name in packages)
    return [".. toctree::", "   :hidden:", "", *entries, ""]


def _write(app) -> None:
    """Only what has changed, so that the rest need not be read again."""
    PAGES.mkdir(exist_ok=True)
    written = pages()
    for old in PAGES.glob("*.rst"):
        if old.stem not in written:
            old.unlink()
    for name, text in written.items():
        path = PAGES / f"{name}.rst"
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def _leave_out(app, what, name, thing, skip, options):
    """Fields stand under the arguments already."""
    return True if _is_field(thing) or name == "__init__" else None


def _is_field(thing) -> bool:
    return not (
        inspect.isroutine(thing) or inspect.isclass(thing) or isinstance(thing, property)
    ) and not callable(getattr(thing, "__get__", None))


def _bases(app, name, thing, options, bases) -> None:
    """Only our own."""
    bases[:] = [base for base in bases if getattr(base, "__module__", "").startswith("jaxir.")]


def pictured() -> dict[str, tuple[str, str]]:
    """The heading and the anchor under which docs/degradations.md shows a degradation."""
    found, heading = {}, ""
    for line in PICTURES.read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            heading = line.strip("# ")
        elif line.startswith("|"):
            for name in re.findall(r"`(\w+)\(", line):
                found.setdefault(
                    name, (heading, re.sub(r"[^\w-]", "", heading.lower().replace(" ", "-")))
                )
    return found


def _picture(app, what, name, thing, options, lines) -> None:
    """A field that leads from an operator to its picture."""
    package, _, short = name.rpartition(".")
    if package == "jaxir.degradations" and short in pictured():
        heading, anchor = pictured()[short]
        lines.extend(["", f":Picture: `{heading} <../degradations.html#{anchor}>`__"])


def setup(app) -> dict:
    """Pages are written before Sphinx looks for them."""
    app.setup_extension("sphinx.ext.autodoc")
    app.connect("builder-inited", _write)
    app.connect("autodoc-skip-member", _leave_out)
    app.connect("autodoc-process-bases", _bases)
    app.connect("autodoc-process-docstring", _picture, priority=600)
    return {"parallel_read_safe": True}
