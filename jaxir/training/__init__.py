"""How weights are learnt."""

from jaxir.training.checkpoint import CheckpointError, Checkpoints
from jaxir.training.doctor import Finding, diagnose
from jaxir.training.experiment import Experiment, warmup_stable_decay
from jaxir.training.loop import train
from jaxir.training.operations import operations
from jaxir.training.pairing import Pairing, stacked, unpaired
from jaxir.training.preview import Preview, Restored, denoised
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
    "Finding",
    "GradientRegression",
    "MarkovianFitting",
    "Metrics",
    "Pairing",
    "Preview",
    "ProportionalFitting",
    "Regression",
    "Restored",
    "SchrodingerBridge",
    "TrainState",
    "denoised",
    "diagnose",
    "initial_state",
    "operations",
    "schrodinger_bridge",
    "stacked",
    "train",
    "train_step",
    "unpaired",
    "warmup_stable_decay",
]
