"""Where a figure comes from: what is stored beside every number."""

from __future__ import annotations

import platform
import subprocess
from importlib.metadata import version
from pathlib import Path


def provenance() -> dict[str, str]:
    """Versions, hardware and, in a checkout, the git revision ("-dirty" with uncommitted changes)."""
    import jax

    device = jax.devices()[0]
    return {
        "jaxir": version("jaxir"),
        "jax": jax.__version__,
        "python": platform.python_version(),
        "hardware": f"{jax.device_count()} × {device.device_kind}, {platform.machine()}",
        "revision": _revision(),
    }


def _revision() -> str:
    """The revision of the checkout that this file belongs to, or "installed"."""
    root = Path(__file__).parents[1]
    if not (root / ".git").exists():
        return "installed"
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
