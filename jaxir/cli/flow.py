"""Reading, working and writing side by side: the next photograph is read while one is restored and one written."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from jaxir.cli.errors import EXPECTED

Item = TypeVar("Item")
Read = TypeVar("Read")
Done = TypeVar("Done")
Written = TypeVar("Written")


class Stopped(Exception):
    """The work is not wanted any more; what asks `stop` raises it."""


def flow(
    items: Iterable[Item],
    read: Callable[[Item], Read],
    work: Callable[[Item, Read], Done],
    write: Callable[[Item, Done], Written],
    *,
    jobs: int = 1,
    stop: threading.Event,
) -> Generator[tuple[Item, Written | Exception], None, None]:
    """Each item with what was written of it or why it failed, in their order.

    At most `jobs` + 2 items are held at a time. Closing the iterator sets `stop` and waits for the file that is being
    written, so that an interrupt leaves whole files only.

    Args:
        items: taken as there is room.
        read: of an item; one at a time, in a thread of its own.
        work: of an item and what was read.
        write: of an item and what came of the work; one at a time, in a thread of its own.
        jobs: items that are worked on at a time.
        stop: asked by `work` now and then, if it is to end early.
    """
    reading, working, writing = (
        ThreadPoolExecutor(count, name)
        for name, count in (("read", 1), ("work", jobs), ("write", 1))
    )
    waiting: deque[tuple[Item, Future[Written]]] = deque()
    pen = threading.Lock()

    def put(item: Item, done: Future[Done]) -> Written:
        result = done.result()
        with pen:
            if stop.is_set():
                raise Stopped
            return write(item, result)

    def begin(item: Item) -> None:
        data = reading.submit(read, item)
        done = working.submit(lambda: work(item, data.result()))
        waiting.append((item, writing.submit(put, item, done)))

    def oldest() -> tuple[Item, Written | Exception]:
        item, future = waiting[0]
        try:
            outcome: Written | Exception = future.result()
        except EXPECTED as error:
            outcome = error
        waiting.popleft()
        return item, outcome

    try:
        for item in items:
            begin(item)
            if len(waiting) == jobs + 2:
                yield oldest()
        while waiting:
            yield oldest()
    finally:
        stop.set()
        with pen:  # the file that is being written becomes whole
            pass
        for pool in (reading, working, writing):
            pool.shutdown(wait=not waiting, cancel_futures=True)
