"""What can be installed beside jaxir, and what it brings."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from jaxir.cli.checks.versions import requirement
from jaxir.finding import Finding

GAINS = {
    "photo": "16 bits, TIFF, colour profiles and the HEIC of iPhones",
    "web": "jaxir serve",
    "hub": "jaxir models push",
    "plot": "figures of notebooks and reports",
    "track": "TensorBoard in jaxir train",
}
"""Extras for users, and what each is for; the others are for accelerators and for work on jaxir itself."""

CODECS = {
    "jpg": "JPEG",
    "zlib": "PNG",
    "libtiff": "compressed TIFF",
    "webp": "WebP",
    "avif": "AVIF",
}
"""Names that Pillow has for what it was built with."""


def check_extras(asked: Iterable[str], versions: Mapping[str, str]) -> list[Finding]:
    """Those that are there and those that are not.

    Args:
        asked: jaxir's requirements.
        versions: of what is installed.
    """
    missing: dict[str, list[str]] = {}
    for line in asked:
        need = requirement(line)
        match = re.fullmatch(r"""extra\s*==\s*['"]([\w-]+)['"]""", need.marker)
        if match and match[1] in GAINS:
            absent = missing.setdefault(match[1], [])
            if need.name not in versions:
                absent.append(need.name)
    findings = []
    for extra, names in missing.items():
        if names:
            advice = f"pip install 'jaxir[{extra}]'"
            found = f"{', '.join(names)} not installed, for {GAINS[extra]}"
            findings.append(Finding(f"extra {extra}", found, advice, wrong=False))
        else:
            findings.append(Finding(f"extra {extra}", GAINS[extra]))
    return findings


def check_codecs(present: Mapping[str, bool], heif: bool) -> list[Finding]:
    """The kinds of file that Pillow can read and write here.

    Args:
        present: whether each of `CODECS` is.
        heif: whether the package for HEIC is installed.
    """
    kinds = [CODECS[name] for name in CODECS if present.get(name)] + ["HEIC"] * heif
    lacking = [CODECS[name] for name in CODECS if not present.get(name)]
    findings = [Finding("files", ", ".join(kinds) or "none")]
    if lacking:
        advice = "pip install --upgrade --force-reinstall pillow, whose wheels have all"
        findings.append(
            Finding("files", f"this Pillow was built without {', '.join(lacking)}", advice, False)
        )
    return findings


def codecs() -> dict[str, bool]:
    """What Pillow was built with."""
    from PIL import features

    return {name: bool(features.check(name)) for name in CODECS}
