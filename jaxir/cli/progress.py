"""A progress bar on stderr, for work that reports (done, total)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from jaxir.cli.printable import printable


@contextmanager
def progress(title: str) -> Iterator[Callable[..., None]]:
    """A bar that the yielded callback moves and that goes away at the end; nothing where stderr is no terminal."""
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(escape(printable(title)), total=None)

        def callback(done: int, total: int, description: str = title) -> None:
            bar.update(
                task, completed=done, total=total, description=escape(printable(description))
            )

        yield callback
