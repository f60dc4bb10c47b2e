"""What JAX does here, in a process of its own: `python -m jaxir.cli.checks.probe`.

    {"stage": "import", ...}  {"stage": "devices", ...}  {"stage": "numbers", ...}  ...

A driver may hang or end the process, so a line is printed as soon as it is known, and the last tells how far it came.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

STAGES = ("import", "devices", "numbers", "weights", "speed")
"""In their order; each needs those before it."""

PRIOR = "natural-prior"
_SIDE = {"cpu": 64}
_LARGE = 512
_SECONDS = 2.0


class Probe(NamedTuple):
    """What the process said.

    Attributes:
        reports: of each stage that was reached, with "error" where it failed.
        ending: how the process ended, if not well.
    """

    reports: dict[str, dict[str, Any]]
    ending: str | None


class Running:
    """The process, while something else is looked at; it ends with the `with` block at the latest.

    Args:
        speed: also measure it.
        environment: variables of the process.
    """

    def __init__(self, *, speed: bool, environment: Mapping[str, str]) -> None:
        # -P: a file called jax.py in this folder is not JAX
        command = [sys.executable, "-P", "-m", "jaxir.cli.checks.probe", *(["--speed"] * speed)]
        self._began = time.monotonic()
        self._process = subprocess.Popen(
            command,
            env={"XLA_PYTHON_CLIENT_PREALLOCATE": "false", **environment},  # others need the GPU
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="replace",
        )

    def __enter__(self) -> Running:
        return self

    def __exit__(self, *error: object) -> None:
        with self._process:  # which closes its pipes and waits
            self._process.kill()

    def result(self, seconds: float) -> Probe:
        """What it said within these seconds since it began; then it is ended."""
        try:
            left = max(0.0, seconds - (time.monotonic() - self._began))
            said, complaint = self._process.communicate(timeout=left)
            ending = ended(self._process.returncode, complaint)
        except subprocess.TimeoutExpired:
            self._process.kill()
            said, _ = self._process.communicate()
            ending = f"no answer within {seconds:.0f} s"
        return Probe(read(said), ending)


def ended(code: int, complaint: str) -> str | None:
    """How a process ended that did not say so itself; None if well."""
    if code == 0:
        return None
    lines = [line for line in complaint.splitlines() if line.strip()]
    last = f": {lines[-1].strip()}" if lines else ""
    return f"ended by signal {-code}{last}" if code < 0 else f"ended with exit code {code}{last}"


def read(lines: str) -> dict[str, dict[str, Any]]:
    """Reports by stage; a library may print among them."""
    reports = {}
    for line in lines.splitlines():
        try:
            report = json.loads(line)
            reports[report.pop("stage")] = report
        except (ValueError, TypeError, AttributeError, KeyError):
            continue
    return reports


def _import() -> dict[str, Any]:
    import jax
    import jaxlib

    return {"jax": jax.__version__, "jaxlib": jaxlib.__version__}


def _devices() -> dict[str, Any]:
    import jax

    def memory(device: jax.Device) -> int | None:
        return (device.memory_stats() or {}).get("bytes_limit")

    return {
        "devices": [
            {"platform": device.platform, "kind": device.device_kind, "memory": memory(device)}
            for device in jax.devices()
        ]
    }


def _numbers() -> dict[str, Any]:
    """A product, a convolution and a Fourier transform, compiled, against NumPy in float64."""
    import jax
    import jax.numpy as jnp
    import numpy as np

    x, w = (np.random.default_rng(seed).normal(size=(64, 64)) for seed in (0, 1))

    @jax.jit
    def both(x: jax.Array, w: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
        with jax.default_matmul_precision("highest"):
            product = x @ w
            blurred = jnp.real(jnp.fft.ifft2(jnp.fft.fft2(x) * jnp.fft.fft2(w)))
            around = jnp.pad(x, ((63, 0), (63, 0)), mode="wrap")
            moved = jax.lax.conv(around[None, None], w[None, None, ::-1, ::-1], (1, 1), "VALID")
        return product, blurred, moved[0, 0]

    ours = both(jnp.asarray(x, jnp.float32), jnp.asarray(w, jnp.float32))
    circular = np.real(np.fft.ifft2(np.fft.fft2(x) * np.fft.fft2(w)))
    differences = {
        name: float(np.max(np.abs(np.asarray(a) - b)) / np.max(np.abs(b)))
        for name, a, b in zip(
            ("product", "transform", "convolution"), ours, (x @ w, circular, circular), strict=True
        )
    }
    return {"differences": differences}


def _weights() -> dict[str, Any]:
    """Whether the weights that ship with jaxir are whole, and compute here what they did elsewhere."""
    import jax

    from jaxir.pretrained import verify
    from jaxir.pretrained.store import SHIPPED

    with jax.default_matmul_precision("highest"):  # the record's; a GPU takes a lower one by itself
        verdict = verify(SHIPPED / PRIOR)
    assert verdict is not None
    return {
        "name": PRIOR,
        "difference": verdict.difference,
        "tolerance": verdict.tolerance,
        "passed": verdict.passed,
    }


def _speed() -> dict[str, Any]:
    """Evaluations of the network, each waited for."""
    import jax
    import jax.numpy as jnp

    from jaxir.pretrained import load

    denoiser = load(PRIOR)
    side = _SIDE.get(jax.default_backend(), _LARGE)
    evaluate = jax.jit(lambda denoiser, x: denoiser(x, 0.5 * sum(denoiser.process.span)))
    x = jnp.zeros((side, side, 3))
    jax.block_until_ready(evaluate(denoiser, x))
    began, count = time.perf_counter(), 0
    while (seconds := time.perf_counter() - began) < _SECONDS:
        jax.block_until_ready(evaluate(denoiser, x))
        count += 1
    return {"side": side, "evaluations": count, "seconds": seconds}


_WORK: dict[str, Callable[[], dict[str, Any]]] = {
    "import": _import,
    "devices": _devices,
    "numbers": _numbers,
    "weights": _weights,
    "speed": _speed,
}


def main(arguments: list[str]) -> None:
    """Print a line for each stage, up to one that fails."""
    for stage in STAGES:
        if stage == "speed" and "--speed" not in arguments:
            continue
        try:
            report = _WORK[stage]()
        except Exception as error:  # whatever is wrong with JAX, it is to be told
            report = {"error": f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"}
        print(json.dumps({"stage": stage, **report}), flush=True)
        if "error" in report and stage in STAGES[:2]:
            return


if __name__ == "__main__":
    main(sys.argv[1:])
