"""What the server bears."""

from __future__ import annotations

from typing import NamedTuple


class Limits(NamedTuple):
    """What the server bears.

    Attributes:
        bytes: of an upload.
        pixels: of a photo.
        seconds: that an upload may take.
        waiting: jobs in the queue.
        keep: jobs, and photos, that are remembered; as many masks wait for their job as may jobs.
    """

    bytes: int = 64 * 2**20
    pixels: int = 50_000_000
    seconds: float = 120.0
    waiting: int = 8
    keep: int = 20
