"""How weights are learnt."""

from jaxir.training.checkpoint import CheckpointError, Checkpoints
from jaxir.training.experiment import Experiment, warmup_stable_decay
from jaxir.training.loop import train
from jaxir.training.step import Metrics, TrainState, initial_state, train_step

__all__ = [
    "CheckpointError",
    "Checkpoints",
    "Experiment",
    "Metrics",
    "TrainState",
    "initial_state",
    "train",
    "train_step",
    "warmup_stable_decay",
]
