"""Progress as it happens, by Server-Sent Events.

Each event is the state of all jobs. So any of them may be missed, a page that lost its connection is up to date with
the first one of the next, and a browser, which allows few connections to a server, needs one.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

from jaxir.server.worker import Worker

PAUSE = 0.1
"""Seconds between two events at least: a network that is faster is seen in larger steps."""

SILENCE = 10.0
"""Seconds after which something is sent in any case, to learn that nobody listens any more."""


async def events(worker: Worker) -> AsyncIterator[str]:
    """The state of every job, now and after each change."""
    changed = asyncio.Event()
    loop = asyncio.get_running_loop()

    def wake() -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(changed.set)

    with worker.listening(wake):
        while True:
            changed.clear()
            yield f"data: {json.dumps([job.state() for job in worker.jobs])}\n\n"
            await asyncio.sleep(PAUSE)
            while not changed.is_set():
                try:
                    await asyncio.wait_for(changed.wait(), SILENCE)
                except TimeoutError:
                    yield ": still here\n\n"
