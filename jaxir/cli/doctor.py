"""`jaxir doctor`: what is wrong with an installation, and what mends it."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from jaxir.finding import Finding

if TYPE_CHECKING:
    from jaxir.cli.checks.probe import Probe

SECONDS = 60.0
"""JAX may take to answer; a driver that hangs never does."""

_COLOURS = {"ok": "green", "note": "yellow", "problem": "bold red"}
_WORDS = {"note": "perhaps", "problem": "mend"}


def doctor(json: bool = False, speed: bool = True) -> None:
    """Look at the installation and the machine; each problem comes with what mends it.

    The exit code is 1 where something is wrong. A note is a choice or a gain, and nothing is wrong.

    Args:
        json: print the findings as JSON, and nothing else.
        speed: also measure the speed, for some seconds.
    """
    from jaxir.cli.errors import SomeFailed

    began = time.monotonic()
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # what it cannot print is one of the things to find
            stream.reconfigure(errors="backslashreplace")
    findings = []
    for finding in examine(os.environ, speed=speed):
        findings.append(finding)
        if not json:
            _print(finding)
    problems = sum(finding.mark == "problem" for finding in findings)
    if json:
        _print_json(findings, time.monotonic() - began)
    if problems:
        raise SomeFailed(f"{problems} problem{'s' * (problems > 1)} found")


def examine(environment: Mapping[str, str], *, speed: bool = True) -> Iterator[Finding]:
    """All checks, each told as soon as it is done; one that fails itself is told too."""
    from jaxir.cli.checks.probe import Running
    from jaxir.compilation_cache import keep_compiled

    mine = dict(environment)
    keep_compiled(mine)
    with Running(speed=speed, environment=mine) as running:  # takes longest, so it is first
        yield from guarded("packages", _packages)
        yield from guarded("extras", _extras)
        yield from guarded("settings", lambda: _settings(environment))
        yield from guarded("machine", _machine)
        yield from guarded("folders", lambda: _storage(environment))
        yield from guarded("JAX", lambda: _jax(running.result(SECONDS), environment, speed))


def guarded(name: str, check: Callable[[], Iterable[Finding | None]]) -> Iterator[Finding]:
    """What a check finds, and whether it failed on the way."""
    try:
        yield from filter(None, check())
    except Exception as error:  # an installation may be broken in any way
        said = f"some of this could not be looked at ({type(error).__name__}: {error})"
        yield Finding(name, said, "reinstall jaxir if anything else is wrong", wrong=False)


def _packages() -> Iterable[Finding]:
    import platform
    from importlib import metadata

    from jaxir.cli.checks import versions

    found, asked = versions.installed(), versions.required()
    python = metadata.metadata("jaxir")["Requires-Python"]
    yield versions.check_python(platform.python_version(), python)
    yield from versions.check_packages(found, asked)
    yield from versions.check_plugins(found)


def _extras() -> Iterable[Finding]:
    from jaxir.cli.checks import extras, versions

    found = versions.installed()
    yield from extras.check_extras(versions.required(["jaxir"])["jaxir"], found)
    yield from extras.check_codecs(extras.codecs(), "pillow-heif" in found)


def _settings(environment: Mapping[str, str]) -> Iterable[Finding]:
    from jaxir.cli.checks import machine, variables

    yield from variables.check_variables(environment)
    yield machine.check_encoding(sys.stdout.encoding, sys.getfilesystemencoding())


def _machine() -> Iterable[Finding | None]:
    import jaxir
    from jaxir.cli.checks import machine
    from jaxir.memory import memory

    yield machine.check_cores(*machine.cores())
    yield machine.check_instructions(machine.kind(), machine.flags())
    yield machine.check_memory(memory())
    yield machine.check_clock(time.time(), Path(jaxir.__file__).stat().st_mtime)


def _storage(environment: Mapping[str, str]) -> Iterable[Finding | None]:
    import tempfile

    from jaxir import compilation_cache
    from jaxir.cli.checks import storage

    here = Path.cwd()
    yield storage.check_folder(here, os.access(here, os.W_OK | os.X_OK), storage.free(here))
    try:
        temporary = Path(tempfile.gettempdir())
        yield storage.check_temporary(temporary, storage.free(temporary))
    except OSError:
        yield storage.check_temporary(None, 0)
    variable, folder = "JAXIR_CACHE", compilation_cache.location(environment)
    chosen = environment.get("JAX_COMPILATION_CACHE_DIR")
    if chosen and chosen != str(folder):
        variable, folder = "JAX_COMPILATION_CACHE_DIR", Path(chosen)
    obstacle, held = None, compilation_cache.Contents(0, 0)
    if folder is not None:
        obstacle = compilation_cache.obstacle(folder)
        held = compilation_cache.contents(folder)
    yield storage.check_cache(variable, folder, obstacle, held)
    yield storage.check_token(*storage.token(environment))


def _jax(probe: Probe, environment: Mapping[str, str], speed: bool) -> Iterable[Finding]:
    from jaxir.cli.checks import devices, versions, work
    from jaxir.cli.checks.probe import STAGES
    from jaxir.cli.settings import Settings

    reports, stages = dict(probe.reports), STAGES if speed else STAGES[:-1]
    if probe.ending is not None:  # of the stage that it did not come back from
        missing = next((stage for stage in stages if stage not in reports), "end")
        reports[missing] = {"error": probe.ending}
    if "import" in reports:
        asked = map(versions.requirement, versions.required(["jaxir"])["jaxir"])
        always = {need.name: need.versions for need in asked if not need.marker}
        yield work.check_import(reports["import"], always)
    if "devices" in reports:
        plugin = versions.plugin(versions.installed())
        yield from devices.check_devices(reports["devices"], environment, devices.cards(), plugin)
    if "numbers" in reports:
        yield work.check_numbers(reports["numbers"])
    if "weights" in reports:
        yield work.check_weights(reports["weights"])
    if "speed" in reports:
        usual = Settings()
        yield work.check_speed(reports["speed"], usual.steps, usual.samples)
    if "end" in reports:
        said = f"{reports['end']['error']}, when all was done"
        yield Finding("JAX", said, "run jaxir doctor again", wrong=False)


def _print(finding: Finding) -> None:
    """A line, and what to do below it; colours where the output is a terminal."""
    from rich.console import Console
    from rich.text import Text

    console = Console(soft_wrap=True)
    mark = (f"{finding.mark:<8}", _COLOURS[finding.mark])
    console.print(Text.assemble(mark, f"{finding.check:<13} {finding.found}"))
    if finding.advice is not None:
        word = (f"{_WORDS[finding.mark]}: ", "bold")
        console.print(Text.assemble(" " * 22, word, finding.advice))


def _print_json(findings: list[Finding], seconds: float) -> None:
    import json

    told = [
        {
            "check": finding.check,
            "mark": finding.mark,
            "found": finding.found,
            "advice": finding.advice,
        }
        for finding in findings
    ]
    well = all(finding.mark != "problem" for finding in findings)
    answer = {"schema": 1, "ok": well, "seconds": round(seconds, 1), "findings": told}
    print(json.dumps(answer, indent=2))
