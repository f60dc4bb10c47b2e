"""Settings of JAX that change results or their cost, made in the environment and easily forgotten."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from jaxir.finding import Finding


class _Setting(NamedTuple):
    effect: str
    off: tuple[str, ...] = ("", "0", "false", "no", "off")
    wrong: bool = False


_NUMBERS = "the same seed gives other images than elsewhere"
_SETTINGS = {
    "JAX_ENABLE_X64": _Setting("numbers are float64: twice the memory, and slower"),
    "JAX_DEFAULT_MATMUL_PRECISION": _Setting(
        "networks compute at another precision than is usual", ("", "default", "none")
    ),
    "JAX_DISABLE_JIT": _Setting("nothing is compiled: a hundred times slower", wrong=True),
    "JAX_DISABLE_MOST_OPTIMIZATIONS": _Setting("programs are compiled to be slow", wrong=True),
    "JAX_DEBUG_NANS": _Setting("every result is looked at, which is slow"),
    "JAX_DEBUG_INFS": _Setting("every result is looked at, which is slow"),
    "JAX_CHECK_TRACER_LEAKS": _Setting("compiling is slow"),
    "JAX_NUMPY_RANK_PROMOTION": _Setting("some operations are refused", ("", "allow")),
    "JAX_NUMPY_DTYPE_PROMOTION": _Setting("some operations are refused", ("", "standard")),
    "JAX_DEFAULT_PRNG_IMPL": _Setting(_NUMBERS, ("", "threefry2x32")),
    "JAX_THREEFRY_PARTITIONABLE": _Setting(_NUMBERS, ("", "1", "true", "yes", "on")),
    "JAX_RANDOM_SEED_OFFSET": _Setting(_NUMBERS),
    "JAX_ENABLE_COMPILATION_CACHE": _Setting(
        "what is compiled is not kept", ("", "1", "true", "yes", "on")
    ),
}
_FLAGS = {
    "--xla_backend_optimization_level": "programs are compiled to be slow, unless it is 2 or 3",
    "--xla_force_host_platform_device_count": "the CPU passes for several devices",
    "--xla_cpu_use_xnnpack": "training on the CPU is slower",
    "--xla_cpu_max_isa": "instructions of the CPU are left unused",
    "--xla_disable_hlo_passes": "programs are compiled to be slow",
}


def check_variables(environment: Mapping[str, str]) -> list[Finding]:
    """Those that are set to something else than JAX would choose."""
    findings = []
    for name, (effect, off, wrong) in _SETTINGS.items():
        value = environment.get(name, "")
        if value.lower() not in off:
            findings.append(
                Finding("settings", f"{name}={value}: {effect}", f"unset {name}", wrong)
            )
    flags = environment.get("XLA_FLAGS", "").split()
    for flag in flags:
        effect = _FLAGS.get(flag.partition("=")[0], "programs are compiled in another way")
        findings.append(
            Finding("settings", f"XLA_FLAGS has {flag}: {effect}", "unset XLA_FLAGS", wrong=False)
        )
    return findings or [Finding("settings", "none that change results")]
