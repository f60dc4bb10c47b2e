"""What JAX computes on, and what it could."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from jaxir.finding import Finding

_DRIVERS = {"cuda12": 525, "cuda13": 580}
"""The oldest driver of NVIDIA that each CUDA takes."""
_SECONDS = 10


class Card(NamedTuple):
    """A GPU that the system has, whether or not JAX uses it.

    Attributes:
        name: such as "NVIDIA H100".
        driver: version, or "" where it does not answer.
    """

    name: str
    driver: str


def check_devices(
    report: Mapping[str, Any], environment: Mapping[str, str], cards: Sequence[Card], kinds: str
) -> list[Finding]:
    """The devices that JAX found, or why it found none, and the GPUs that it leaves idle.

    Args:
        report: what the probe said of its devices: "devices", or "error".
        environment: variables.
        cards: GPUs of the system.
        kinds: of CUDA for which JAX has a plugin, such as "cuda12"; "" for none.
    """
    asked = environment.get("JAX_PLATFORMS", "")
    if "devices" not in report:
        advice = "set JAX_PLATFORMS=cpu to compute without the accelerator, and mend its driver"
        if asked:
            advice = f"unset JAX_PLATFORMS, which is {asked!r}, or install what it asks for"
        return [Finding("devices", report.get("error", "JAX did not say"), advice)]
    found = report["devices"]
    findings = [Finding("devices", _listed(found))]
    if cards and all(device["platform"] == "cpu" for device in found):
        findings.append(_idle(asked, environment, cards, kinds))
    return findings


def _listed(devices: Iterable[Mapping[str, Any]]) -> str:
    """Kinds with their numbers and memory."""
    counts: dict[str, int] = {}
    for device in devices:
        memory = device.get("memory")
        said = f", {memory / 2**30:.0f} GiB" if memory else ""
        kind = f"{device['kind']} ({device['platform']}{said})"
        counts[kind] = counts.get(kind, 0) + 1
    return ", ".join(f"{count} x {kind}" for kind, count in counts.items())


def _idle(asked: str, environment: Mapping[str, str], cards: Sequence[Card], kinds: str) -> Finding:
    """Why the GPUs are not used."""
    name = "GPU"
    found = f"{', '.join(card.name for card in cards)}, but JAX computes on the CPU"
    if asked and "cuda" not in asked and "gpu" not in asked:
        advice = "unset JAX_PLATFORMS to use it"
        return Finding(name, f"{found}: JAX_PLATFORMS is {asked!r}", advice, wrong=False)
    if environment.get("CUDA_VISIBLE_DEVICES", "all") in ("", "-1", "NoDevFiles"):
        advice = "unset CUDA_VISIBLE_DEVICES to use it"
        return Finding(name, f"{found}: CUDA_VISIBLE_DEVICES hides it", advice, wrong=False)
    driver = next((card.driver for card in cards if card.driver), "")
    if not driver:
        return Finding(
            name, f"{found}: its driver does not answer", "mend it until nvidia-smi does"
        )
    major = int(driver.partition(".")[0]) if driver.partition(".")[0].isdigit() else 0
    if major < min(_DRIVERS.values()):
        advice = f"update the driver to {min(_DRIVERS.values())} or newer"
        return Finding(name, f"{found}: its driver is {driver}", advice)
    if not kinds:
        return Finding(name, f"{found}: its plugin is missing", "pip install 'jaxir[cuda]'")
    if major < _DRIVERS.get(kinds, 0):
        advice = f"pip install 'jaxir[cuda]', or update the driver to {_DRIVERS[kinds]}"
        return Finding(name, f"{found}: {kinds} needs a newer driver than {driver}", advice)
    advice = "pip install --upgrade 'jaxir[cuda]'; JAX_TRACEBACK_FILTERING=off python -c 'import jax; jax.devices()'"
    return Finding(name, f"{found}: its plugin ({kinds}) does not start", advice)


def cards() -> list[Card]:
    """GPUs by the driver's tool, or by their files where it does not answer."""
    command = ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]
    try:
        said = subprocess.run(
            command, capture_output=True, text=True, timeout=_SECONDS, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return [Card(f"/dev/{path.name}", "") for path in Path("/dev").glob("nvidia[0-9]*")]
    rows = (line.rpartition(",") for line in said.splitlines() if line.strip())
    return [Card(name.strip(), driver.strip()) for name, _, driver in rows]
