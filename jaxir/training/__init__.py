"""How weights are learnt."""

from jaxir.training.checkpoint import CheckpointError, Checkpoints
from jaxir.training.experiment import Experiment, warmup_stable_decay
from jaxir.training.loop import train
from jaxir.training.schrodinger import (
    AffineRegression,
    GradientRegression,
    MarkovianFitting,
    ProportionalFitting,
    Regression,
    SchrodingerBridge,
    schrodinger_bridge,
)
from jaxir.training.step import Metrics, TrainState, initial_state, train_step

__all__ = [
    "AffineRegression",
    "CheckpointError",
    "Checkpoints",
    "Experiment",
    "GradientRegression",
    "MarkovianFitting",
    "Metrics",
    "ProportionalFitting",
    "Regression",
    "SchrodingerBridge",
    "TrainState",
    "initial_state",
    "schrodinger_bridge",
    "train",
    "train_step",
    "warmup_stable_decay",
]
