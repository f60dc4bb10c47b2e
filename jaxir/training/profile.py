"""The trace of some steps, for TensorBoard's profiler or Perfetto."""

from __future__ import annotations

from pathlib import Path

import jax


class Profile:
    """Traces the steps of a range into a folder; a context, so that an error within them ends the trace.

    Args:
        folder: where the trace goes.
        steps: consecutive steps; none for no trace.
    """

    def __init__(self, folder: Path, steps: range | None) -> None:
        self._folder, self._steps, self._running = folder, steps or range(0), False

    def __enter__(self) -> Profile:
        return self

    def before(self, step: int) -> None:
        """Start with the first of the steps."""
        if step in self._steps and not self._running:
            jax.profiler.start_trace(self._folder)
            self._running = True

    def after(self, step: int, value: jax.Array) -> None:
        """Stop after the last, when what it computes is there."""
        if self._running and step + 1 not in self._steps:
            jax.block_until_ready(value)
            self.__exit__()

    def __exit__(self, *_: object) -> None:
        if self._running:
            self._running = False
            jax.profiler.stop_trace()
