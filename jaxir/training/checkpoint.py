"""Checkpoints of a run, by orbax; the only file that imports it."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

import jax

from jaxir.training.step import TrainState


class CheckpointError(RuntimeError):
    """A checkpoint that cannot be read or does not belong to this run."""


class Checkpoints:
    """The checkpoints in a folder; saving runs in the background, the last `keep` are kept.

    Use as a context manager: leaving it waits for the last save.
    """

    def __init__(self, folder: Path, *, keep: int = 2) -> None:
        import orbax.checkpoint as ocp

        self._ocp = ocp
        self.folder = Path(folder).absolute()  # orbax fails late, in its thread, on a relative path
        options = ocp.CheckpointManagerOptions(
            max_to_keep=keep, todelete_subdir=".todelete", cleanup_tmp_directories=True
        )
        self._manager = ocp.CheckpointManager(self.folder, options=options)

    def __enter__(self) -> Checkpoints:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._manager.close()

    def save(self, state: TrainState) -> None:
        """Save under the state's step; a step that is there already is left alone."""
        step = int(state.step)
        if step not in self._manager.all_steps():
            self._manager.save(step, args=self._ocp.args.StandardSave(state), force=True)

    def restore(self, like: TrainState) -> TrainState | None:
        """The newest checkpoint, with the shapes and shardings of `like`; None if there is none.

        Raises:
            CheckpointError: if it is damaged, or was written by another network or optimiser.
        """
        step = self._manager.latest_step()
        if step is None:
            return None
        target = jax.tree.map(
            lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=x.sharding), like
        )
        try:
            return self._manager.restore(step, args=self._ocp.args.StandardRestore(target))
        except Exception as error:  # orbax raises many kinds, with pages of text
            raise CheckpointError(
                f"{self.folder / str(step)} cannot be resumed ({type(error).__name__}): it is damaged or "
                "belongs to another network or optimiser; delete that folder to go on from the one before, "
                "or choose another --workdir"
            ) from error
