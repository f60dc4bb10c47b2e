"""The shell. Nothing here imports JAX until a command has its arguments, so that `--help` answers at once."""

from __future__ import annotations

import io
import os
import sys
import warnings
from collections.abc import Sequence
from importlib import import_module

COMMANDS = {
    "demo": "Restore three photographs that come with jaxir, and show what to trust.",
    "restore": "Restore a photograph, or every one of a folder.",
    "replay": "Make a restored photograph again from its NAME.jaxir.json, and say whether it is the same.",
    "report": "Show what `jaxir restore` did on one page that needs no other file and no network.",
    "serve": "Open a page in the browser to restore photographs: drop one, say what spoiled it, watch, look, save.",
    "degrade": "Degrade an image, or every image of a folder.",
    "train": "Train what an experiment file describes, or go on with a run that was interrupted.",
    "evaluate": "Restore degraded images with a network that was trained on pairs, and compare with the truth.",
    "models": "List weights, or show the card of some; `list`, `show`, `pull`, `push`, `convert` and `verify` do more.",
    "doctor": "Look at the installation and the machine; each problem comes with what mends it.",
    "bench": "Restore the middle of every image of a folder by every method, and compare with the classical baseline.",
}
"""Each command and the first line of its help."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run `jaxir` with these arguments, or those of the process.

    Exit codes: 0 all done, 1 some images failed, 2 bad input or usage, 130 interrupted. Errors are one line on
    stderr; JAXIR_TRACEBACK=1 shows where they came from.
    """
    for stream in (sys.stdout, sys.stderr):  # so that no name of a file ends the work
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    name, *rest = (sys.argv[1:] if arguments is None else list(arguments)) or ["--help"]
    if name in ("-h", "--help"):
        print(_overview())
        return
    from jaxir.cli.errors import EXPECTED, SomeFailed, one_line, unknown

    try:
        if name not in COMMANDS:
            raise unknown("command", name, COMMANDS)
        with warnings.catch_warnings():
            warnings.showwarning = _note
            _run(name, rest)
    except KeyboardInterrupt:
        print("jaxir: interrupted", file=sys.stderr)
        raise SystemExit(130) from None
    except SomeFailed as error:
        print(f"jaxir: {error}", file=sys.stderr)
        raise SystemExit(1) from None
    except EXPECTED as error:
        if os.environ.get("JAXIR_TRACEBACK"):
            raise
        print(f"jaxir: {one_line(error)}", file=sys.stderr)
        raise SystemExit(2) from None


def _note(message: Warning | str, *_: object, **__: object) -> None:
    """A warning as a line, for people who did not write the program."""
    from jaxir.cli.printable import printable

    print(f"jaxir: note: {printable(str(message))}", file=sys.stderr)


def _overview() -> str:
    lines = [f"  {name:<9} {summary}" for name, summary in COMMANDS.items()]
    return "\n".join(
        [
            "usage: jaxir COMMAND ...\n",
            "Restore degraded images with diffusion models.\n",
            *lines,
            "\n`jaxir COMMAND --help` says what a command takes.",
        ]
    )


def _run(name: str, arguments: list[str]) -> None:
    import tyro

    from jaxir.compilation_cache import keep_compiled

    keep_compiled()
    command, prog = getattr(import_module(f"jaxir.cli.{name}"), name), f"jaxir {name}"
    if name == "train":  # what is not its own option is a field of the experiment
        from jaxir.cli.train import Options

        command(*tyro.cli(Options, prog=prog, args=arguments, return_unknown_args=True))
        return
    if name == "models":
        from jaxir.cli.models import COMMANDS as MORE
        from jaxir.cli.models import run_command

        if arguments[:1] and arguments[0] in MORE:
            run_command(arguments)
            return
    if name == "bench" and arguments[:1] == ["exact"]:  # a folder of that name is ./exact
        from jaxir.cli.bench_exact import bench_exact

        command, prog, arguments = bench_exact, "jaxir bench exact", arguments[1:]
    tyro.cli(command, prog=prog, args=arguments)
