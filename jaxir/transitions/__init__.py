"""One step back."""

from jaxir.transitions.correlated import DDIM, Ancestral, Correlated, Renoise
from jaxir.transitions.transition import Step, Transition

__all__ = ["DDIM", "Ancestral", "Correlated", "Renoise", "Step", "Transition"]
