"""What JAX computes here, and how fast."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from jaxir.cli.duration import spoken
from jaxir.finding import Finding

_TOLERANCE = 1e-4
"""Of the largest number: float32 sums of 4096 products are within 1e-5, and a wrong driver is not."""
_MEGAPIXELS = 12
_OVERLAP = 1.3
"""Tiles of 256 pixels that overlap by 32 compute (256/224)² times as much."""


def check_import(report: Mapping[str, Any], asked: Mapping[str, str]) -> Finding:
    """JAX itself; `asked` has the versions that jaxir takes of each package."""
    if "error" in report:
        advice = f"pip install --upgrade --force-reinstall 'jax{asked.get('jax', '')}'"
        return Finding("JAX", f"it does not start: {report['error']}", advice)
    return Finding("JAX", "it starts")


def check_numbers(report: Mapping[str, Any]) -> Finding:
    """A compiled product, convolution and Fourier transform."""
    if "error" in report:
        advice = "set JAX_PLATFORMS=cpu, and update the driver of the device"
        return Finding("arithmetic", f"it fails: {report['error']}", advice)
    differences = report["differences"]
    worst = max(differences, key=lambda name: _badness(differences[name]))
    said = f"the {worst} of JAX differs from that of NumPy by {differences[worst]:.1e}"
    if _badness(differences[worst]) > _TOLERANCE:
        advice = (
            "set JAX_PLATFORMS=cpu until the driver of the device is updated, and unset XLA_FLAGS"
        )
        return Finding("arithmetic", said, advice)
    return Finding("arithmetic", said)


def check_weights(report: Mapping[str, Any]) -> Finding:
    """Those that ship with jaxir."""
    advice = "pip install --force-reinstall --no-deps jaxir"
    if "error" in report:
        return Finding("weights", f"they fail: {report['error']}", advice)
    said = f"{report['name']} gives what it gave elsewhere, within {report['difference']:.1e}"
    if not report["passed"]:
        said = (
            f"{report['name']} gives something else than elsewhere, by {report['difference']:.1e}"
        )
        advice = "set JAX_PLATFORMS=cpu until the driver of the device is updated"
        return Finding("weights", said, advice)
    return Finding("weights", said)


def check_speed(report: Mapping[str, Any], steps: int, samples: int) -> Finding:
    """What it means for a photo at the settings that are the default."""
    if "error" in report:
        return Finding("speed", f"it cannot be measured: {report['error']}", "mend the above first")
    side, rate = report["side"], report["evaluations"] / report["seconds"]
    if not rate:
        return Finding("speed", "no evaluation came to an end", "set JAX_PLATFORMS=cpu")
    seconds = steps * samples * _OVERLAP * _MEGAPIXELS * 1e6 / side**2 / rate
    said = (
        f"{rate:.3g} evaluations a second at {side}x{side}, so a photo of {_MEGAPIXELS} megapixels takes about "
        f"{spoken(seconds)} (--steps {steps} --samples {samples})"
    )
    if seconds > 3600:
        return Finding("speed", said, "a tenth with --steps 20 --samples 1; or use a GPU", False)
    return Finding("speed", said)


def _badness(difference: float) -> float:
    return difference if math.isfinite(difference) else math.inf
