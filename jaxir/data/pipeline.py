"""From a source to batches: random crops, flips and quarter turns, decided by (seed, step, row)."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator

import numpy as np

from jaxir.data.sources import Source


def crop_batch(
    source: Source,
    *,
    seed: int,
    step: int,
    batch: int,
    size: int,
    part: slice | range | None = None,
) -> np.ndarray:
    """The batch of one step: `batch` random crops of `size` × `size`, each flipped and turned at random.

    Images are drawn uniformly with replacement. Row i of the batch is decided by (seed, step, i), so it is the same
    on any machine, whoever makes it.

    Args:
        source: the images, or the pairs: both of a pair get the same window, flip and turn.
        seed: another seed, other batches.
        step: number of the batch.
        batch: rows of the whole batch.
        size: side of the crops.
        part: rows to make, as a host does that holds only these; all, if it is not given.

    Returns:
        uint8 of shape (batch or length of part, size, size, channels).

    Raises:
        ValueError: if an image is smaller than the crop.
    """
    rows = part if isinstance(part, range) else range(batch)[part or slice(None)]
    return np.stack([_crop(source, np.random.default_rng((seed, step, i)), size) for i in rows])


def _crop(source: Source, rng: np.random.Generator, size: int) -> np.ndarray:
    index = int(rng.integers(len(source)))
    image = source[index]
    height, width = image.shape[:2]
    if min(height, width) < size:
        raise ValueError(
            f"image {index} of the source is {height}×{width}, smaller than the crop of {size}: "
            "use a smaller crop or leave the image out"
        )
    top, left = (int(rng.integers(side - size + 1)) for side in (height, width))
    crop = np.rot90(image[top : top + size, left : left + size], int(rng.integers(4)))
    return crop[:, ::-1] if rng.integers(2) else crop


def middle(image: np.ndarray, size: int | None) -> np.ndarray:
    """The square of side `size` in the middle; a side that is shorter, or all where `size` is None, stays whole."""
    if size is None:
        return image
    top, left = (max(side - size, 0) // 2 for side in image.shape[:2])
    return image[top : top + size, left : left + size]


def prefetch(
    make: Callable[[int], np.ndarray], start: int, stop: int
) -> Generator[np.ndarray, None, None]:
    """`make(step)` for start ≤ step < stop, two steps ahead on a thread.

    An error of `make` surfaces at its step. Closing the iterator stops the thread; put it into `contextlib.closing`,
    since an exception in a loop over it keeps it alive.
    """
    ready: queue.Queue = queue.Queue(maxsize=2)
    closed = threading.Event()

    def put(item: object) -> None:
        while not closed.is_set():
            try:
                return ready.put(item, timeout=0.1)
            except queue.Full:
                continue

    def work() -> None:
        try:
            for step in range(start, stop):
                if closed.is_set():
                    return
                put(make(step))
        except Exception as error:
            put(error)

    threading.Thread(target=work, name="jaxir-prefetch", daemon=True).start()
    try:
        for _ in range(start, stop):
            item = ready.get()
            if isinstance(item, Exception):
                raise item
            yield item
    finally:
        closed.set()
