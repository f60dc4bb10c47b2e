"""The shell. Nothing here imports JAX until a command has its arguments, so that `--help` answers at once."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence


def main(arguments: Sequence[str] | None = None) -> None:
    """Run `jaxir` with these arguments, or those of the process.

    Exit codes: 0 all done, 1 some images failed, 2 bad input or usage, 130 interrupted. Errors are one line on
    stderr; JAXIR_TRACEBACK=1 shows where they came from.
    """
    import tyro

    from jaxir.cli.bench import bench
    from jaxir.cli.bench_exact import bench_exact
    from jaxir.cli.degrade import degrade
    from jaxir.cli.demo import demo
    from jaxir.cli.errors import EXPECTED, SomeFailed, one_line
    from jaxir.cli.evaluate import evaluate
    from jaxir.cli.models import models
    from jaxir.cli.restore import restore
    from jaxir.cli.train import Options, train

    commands: dict[str, Callable[..., object]] = {
        "demo": demo,
        "restore": restore,
        "degrade": degrade,
        "train": Options,
        "evaluate": evaluate,
        "models": models,
        "bench": bench,
    }
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    try:
        if arguments[:2] == [
            "bench",
            "exact",
        ]:  # beside `bench FOLDER`; a folder of that name is ./exact
            tyro.cli(bench_exact, prog="jaxir bench exact", args=arguments[2:])
            return
        if arguments[:1] == ["train"]:
            options, changes = tyro.cli(
                Options, prog="jaxir train", args=arguments[1:], return_unknown_args=True
            )
            train(options, changes)
            return
        tyro.extras.subcommand_cli_from_dict(
            commands,
            prog="jaxir",
            description="Restore degraded images with diffusion models.",
            args=arguments,
        )
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
