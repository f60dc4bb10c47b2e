"""Checkpoints of a run, by orbax; the only file that imports it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from types import TracebackType

import jax

from jaxir.training.step import TrainState

SEAL = "sha256.json"
"""In a checkpoint's folder: the digests of its files. Orbax reads flipped bits without a word."""


class CheckpointError(RuntimeError):
    """A checkpoint that cannot be read or does not belong to this run."""


class Checkpoints:
    """The checkpoints in a folder; saving runs in the background, the last `keep` are kept.

    Use as a context manager: leaving it waits for the last save. A finished checkpoint is sealed with the digests of
    its files, by the next save or on leaving; one whose run was killed before that has none and is trusted.
    """

    def __init__(self, folder: Path, *, keep: int = 2) -> None:
        import orbax.checkpoint as ocp

        self._ocp = ocp
        self.folder = Path(folder).absolute()  # orbax fails late, in its thread, on a relative path
        options = ocp.CheckpointManagerOptions(
            max_to_keep=keep, todelete_subdir=".todelete", cleanup_tmp_directories=True
        )
        handler = (
            ocp.StandardCheckpointHandler()
        )  # named here, so that shapes can be read before the arrays
        self._manager = ocp.CheckpointManager(self.folder, item_handlers=handler, options=options)

    def __enter__(self) -> Checkpoints:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self._seal()
        finally:
            self._manager.close()

    @property
    def some(self) -> bool:
        """Whether there is one to go on from."""
        return self._manager.latest_step() is not None

    def save(self, state: TrainState) -> None:
        """Save under the state's step; a step that is there already is left alone."""
        step = int(state.step)
        if step not in self._manager.all_steps():
            self._seal()
            self._manager.save(step, args=self._ocp.args.StandardSave(state), force=True)

    def restore(self, like: TrainState) -> TrainState | None:
        """The newest checkpoint, with the shapes and shardings of `like`; None if there is none.

        Raises:
            CheckpointError: if it is damaged, or was written by another network or optimiser.
        """
        step = self._manager.latest_step()
        if step is None:
            return None
        folder = self.folder / str(step)
        if changed := _changed(folder):
            raise CheckpointError(
                f"{folder / changed} is damaged, its SHA-256 is not the one noted in {SEAL}: delete the folder "
                f"{folder} to go on from the checkpoint before, or choose another --workdir"
            )
        target = jax.tree.map(
            lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=x.sharding), like
        )
        try:
            saved = jax.tree.leaves(self._manager.item_metadata(step).tree)
            if sorted(x.shape for x in saved) != sorted(x.shape for x in jax.tree.leaves(like)):
                raise ValueError("other shapes")  # orbax would say so too, with pages of traceback
            return self._manager.restore(step, args=self._ocp.args.StandardRestore(target))
        except Exception as error:  # orbax raises many kinds, with pages of text
            raise CheckpointError(
                f"{folder} cannot be resumed ({type(error).__name__}): it belongs to another network or optimiser, "
                "or is damaged; choose another --workdir, or delete that folder to go on from the checkpoint before"
            ) from error

    def _seal(self) -> None:
        """Wait for the last save and note the digests of what is not sealed yet."""
        self._manager.wait_until_finished()
        if jax.process_index():
            return  # the first process seals for all
        for step in self._manager.all_steps():
            folder = self.folder / str(step)
            if folder.is_dir() and not (folder / SEAL).exists():  # its removal may be under way
                partial = folder / f"{SEAL}.partial"
                partial.write_text(json.dumps(_digests(folder)))
                partial.replace(folder / SEAL)


def _digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file() and SEAL not in path.name)
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }


def _changed(folder: Path) -> str | None:
    """The first file that is not what it was when the checkpoint was sealed."""
    if not (folder / SEAL).exists():
        return None
    try:
        noted = json.loads((folder / SEAL).read_text())
    except ValueError:
        return SEAL
    found = _digests(folder)
    return next((name for name, digest in noted.items() if found.get(name) != digest), None)
