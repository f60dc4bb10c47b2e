"""One step back."""

from jaxir.transitions.correlated import (
    DDIM,
    Ancestral,
    Bridge,
    Cold,
    Correlated,
    LearnedAncestral,
    Renoise,
)
from jaxir.transitions.euler import MeanODE, ReverseEuler
from jaxir.transitions.multistep import DPMSolver
from jaxir.transitions.transition import Step, Transition

__all__ = [
    "DDIM",
    "Ancestral",
    "Bridge",
    "Cold",
    "Correlated",
    "DPMSolver",
    "LearnedAncestral",
    "MeanODE",
    "Renoise",
    "ReverseEuler",
    "Step",
    "Transition",
]
