"""How weights are learnt."""

from jaxir.finding import Finding
from jaxir.training.checkpoint import CheckpointError, Checkpoints
from jaxir.training.distillation import consistency, halving, halvings
from jaxir.training.doctor import diagnose
from jaxir.training.experiment import Experiment, warmup_stable_decay
from jaxir.training.gradient import Gradient, Loss, mean_gradient
from jaxir.training.invariant import Invariant, serial_gradient
from jaxir.training.loop import train
from jaxir.training.only import only
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
    "Gradient",
    "GradientRegression",
    "Invariant",
    "Loss",
    "MarkovianFitting",
    "Metrics",
    "Pairing",
    "Preview",
    "ProportionalFitting",
    "Regression",
    "Restored",
    "SchrodingerBridge",
    "TrainState",
    "consistency",
    "denoised",
    "diagnose",
    "halving",
    "halvings",
    "initial_state",
    "mean_gradient",
    "only",
    "operations",
    "schrodinger_bridge",
    "serial_gradient",
    "stacked",
    "train",
    "train_step",
    "unpaired",
    "warmup_stable_decay",
]
