"""Versions that fit together, by what each package says of the others."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from importlib import metadata
from typing import NamedTuple

from jaxir.finding import Finding

PACKAGES = (
    "jaxir",
    "jax",
    "jaxlib",
    "flax",
    "diffrax",
    "equinox",
    "lineax",
    "optax",
    "orbax-checkpoint",
    "numpy",
    "pillow",
)
"""Those whose requirements are looked at: they fail in strange ways where one is not met."""
NAMED = ("jax", "jaxlib", "flax", "diffrax", "equinox", "numpy", "pillow")

_WHY = {
    "diffrax": "older ones take wrong steps with SRK solvers",
    "numpy": "JAX is compiled for NumPy 2",
}
_OPERATORS = ("~=", "===", "==", "!=", "<=", ">=", "<", ">")
_REQUIREMENT = re.compile(r"\s*([\w.-]+)\s*(?:\[[^\]]*\])?\s*\(?([^;)]*)\)?\s*(?:;(.*))?")
_PLUGIN = re.compile(r"jax-(cuda\d+|rocm\d+)-(?:plugin|pjrt)")


class Requirement(NamedTuple):
    """What one package asks of another.

    Attributes:
        name: of the other, normalised.
        versions: such as "<0.13,>=0.10", or "" for any.
        marker: when it does; "" for always.
    """

    name: str
    versions: str
    marker: str

    @property
    def command(self) -> str:
        """What meets it."""
        return f"pip install '{self.name}{self.versions}'"


def installed() -> dict[str, str]:
    """Names, normalised, and versions of all packages."""
    found: dict[str, str] = {}
    for distribution in metadata.distributions():
        name = distribution.metadata["Name"]
        if name:  # a package that was half removed has none
            found.setdefault(_normal(name), distribution.version)
    return found


def required(names: Iterable[str] = PACKAGES) -> dict[str, list[str]]:
    """What packages ask for; those that are not installed ask for nothing."""
    asked = {}
    for name in names:
        try:
            asked[name] = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            continue
    return asked


def requirement(text: str) -> Requirement:
    """A line of a package's metadata.

    Raises:
        ValueError: if it is none.
    """
    match = _REQUIREMENT.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no requirement, expected such as 'jax>=0.10'")
    name, versions, marker = match.groups()
    return Requirement(_normal(name), versions.replace(" ", ""), (marker or "").strip())


def meets(version: str, versions: str) -> bool:
    """Whether a version is among those asked for; what comes before and after a release counts as the release."""
    return all(_meets_one(version, part) for part in versions.split(",") if part)


def check_python(version: str, versions: str | None) -> Finding:
    """The interpreter."""
    if versions and not meets(version, versions.replace(" ", "")):
        return Finding(
            "Python", f"{version}, jaxir needs {versions}", "install jaxir with another Python"
        )
    return Finding("Python", version)


def check_packages(
    versions: Mapping[str, str], asked: Mapping[str, Iterable[str]]
) -> list[Finding]:
    """What is installed, and each requirement that is not met; those for some systems only are left to pip."""
    said = ", ".join(f"{name} {versions[name]}" for name in NAMED if name in versions)
    findings = [Finding("packages", said or "none found")]
    for package, lines in asked.items():
        for line in lines:
            need = requirement(line)
            if need.marker:
                continue
            found = versions.get(need.name)
            if found is None:
                findings.append(
                    Finding(need.name, f"missing, and {package} needs it", need.command)
                )
            elif not meets(found, need.versions):
                why = f": {_WHY[need.name]}" if need.name in _WHY else ""
                findings.append(
                    Finding(
                        need.name,
                        f"{found}, but {package} needs {need.versions}{why}",
                        need.command,
                    )
                )
    return findings


def plugin(versions: Mapping[str, str]) -> str:
    """The newest CUDA that JAX has a plugin for, such as "cuda12"; "" for none."""
    matches = (_PLUGIN.fullmatch(name) for name in versions)
    return max((match[1] for match in matches if match), default="")


def check_plugins(versions: Mapping[str, str]) -> list[Finding]:
    """JAX's plugins for accelerators, which must be of the release of jaxlib, and of one kind."""
    plugins = {name: _PLUGIN.fullmatch(name) for name in versions}
    kinds = sorted({match[1] for match in plugins.values() if match})
    if not kinds:
        return []
    jaxlib = versions.get("jaxlib", "")
    findings = []
    for name, match in plugins.items():
        if match and jaxlib and _release(versions[name])[:3] != _release(jaxlib)[:3]:
            jax = versions.get("jax", jaxlib)
            findings.append(
                Finding(
                    name,
                    f"{versions[name]} beside jaxlib {jaxlib}: JAX leaves it out and computes on the CPU",
                    f"pip install --upgrade 'jax[{match[1]}]=={jax}'",
                )
            )
    if len(kinds) > 1:
        spare = " ".join(name for name, match in plugins.items() if match and match[1] == kinds[0])
        findings.append(
            Finding(
                "plugins",
                f"those of {' and '.join(kinds)} are both installed, and get in each other's way",
                f"pip uninstall {spare}",
            )
        )
    return findings or [Finding("plugins", ", ".join(kinds))]


def _meets_one(version: str, part: str) -> bool:
    operator = next((known for known in _OPERATORS if part.startswith(known)), None)
    if operator is None:
        return True  # an address, or what a later standard brings
    text = part.removeprefix(operator)
    ours, theirs = _release(version), _release(text)
    if text.endswith(".*"):
        same = ours[: len(theirs)] == theirs
        return same if operator == "==" else not same
    if operator == "~=":
        return ours >= theirs and ours[: len(theirs) - 1] == theirs[:-1]
    length = max(len(ours), len(theirs))
    ours, theirs = (release + (0,) * (length - len(release)) for release in (ours, theirs))
    return {
        "===": ours == theirs,
        "==": ours == theirs,
        "!=": ours != theirs,
        "<=": ours <= theirs,
        ">=": ours >= theirs,
        "<": ours < theirs,
        ">": ours > theirs,
    }[operator]


def _release(version: str) -> tuple[int, ...]:
    match = re.match(r"v?(?:\d+!)?(\d+(?:\.\d+)*)", version)
    return tuple(map(int, match[1].split("."))) if match else ()


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
