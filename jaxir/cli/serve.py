"""`jaxir serve`: a web application that restores photographs."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import sys
from collections.abc import Callable


def serve(
    host: str = "127.0.0.1",
    port: int = 8000,
    prior: str = "natural-prior",
    limit_megabytes: float = 64,
    limit_megapixels: float = 50,
    keep: int = 20,
) -> None:
    """Open a page in the browser to restore photographs: drop one, say what spoiled it, watch, look, save.

    Only this machine can reach it, and only who knows the address that is printed, which has a secret in it.
    Photographs are kept in a folder of their own, which is removed at the end. It needs `pip install 'jaxir[web]'`.

    Args:
        host: name or address to listen at. With any but this machine's own, everybody in the network who has the
            address can use it, and photographs travel unencrypted.
        port: 0 for any that is free.
        prior: weights, by name or folder.
        limit_megabytes: the largest file.
        limit_megapixels: the largest photograph.
        keep: photographs and results that are remembered; the oldest goes first.
    """
    from jaxir.cli.errors import EXPECTED, UsageError

    try:
        from jaxir.server import (
            Limits,
            address,
            create_app,
            is_local,
            listen,
            own_folder,
            server,
            visible_name,
        )
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("starlette", "uvicorn"):
            raise
        raise UsageError("jaxir serve needs more packages: run pip install 'jaxir[web]'") from None
    if not 0 <= port <= 65535:
        raise UsageError(f"--port is {port}, expected 0 to 65535")
    for name, value in (("megabytes", limit_megabytes), ("megapixels", limit_megapixels)):
        if not value > 0:
            raise UsageError(f"--limit-{name} is {value}, expected more than 0")
    if keep < 1:
        raise UsageError(f"--keep is {keep}, expected at least 1")
    from jaxir.cli.page_choices import is_word
    from jaxir.cli.page_restoration import Restoration

    limits = Limits(
        bytes=round(limit_megabytes * 2**20), pixels=round(limit_megapixels * 1e6), keep=keep
    )
    restoration = Restoration(prior, limits.pixels)
    token = secrets.token_urlsafe(32)
    try:
        bound = listen(host, port)
    except OSError as error:
        raise UsageError(
            f"cannot listen at {host}:{port} ({error.strerror}): pass --port 0 for any that is free"
        ) from None
    _end_by(signal.SIGTERM, signal.default_int_handler)  # the folder goes in any case
    if hasattr(signal, "SIGHUP"):  # of a terminal that is closed
        _end_by(signal.SIGHUP, lambda *_: signal.raise_signal(signal.SIGTERM))
    with bound, own_folder() as folder:
        if not is_word(str(folder)):
            raise UsageError(
                f"the folder for temporary files, {folder.parent}, has a bracket, a comma or the like in its name: "
                "set TMPDIR to another"
            )
        name = visible_name(bound, host)
        app = create_app(
            restoration,
            restoration.check,
            folder=folder,
            token=token,
            host=name,
            expected=EXPECTED,
            limits=limits,
        )
        if not is_local(host):
            print(
                f"jaxir: warning: everybody who can reach {host} and has this address can use it, "
                "and photographs travel unencrypted",
                file=sys.stderr,
            )
        print(f"Open {address(bound, name, token)}\nCtrl-C ends it.", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            server(app).run(sockets=[bound])
    with contextlib.suppress(OSError):  # the terminal may be gone
        print("Ended: the photographs are forgotten.", flush=True)
    if restoration.busy:
        os._exit(0)  # a step of minutes cannot be stopped, and a thread in it not be joined


def _end_by(number: signal.Signals, handler: Callable[..., object]) -> None:
    """Set what a signal does, unless it was to do nothing, as `nohup` has it."""
    if signal.getsignal(number) is not signal.SIG_IGN:
        signal.signal(number, handler)
