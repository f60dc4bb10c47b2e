"""Schrödinger bridges: the most likely way from one law of images to another, fitted to images of the two.

Both ways to fit one alternate between two drifts, one that carries x0 to x1 and one that carries x1 to x0: walk along
the one, learn the other from the walk. So there is one loop, in `bridge`; `fitting` says what is learnt from a walk,
and `regression` how it is learnt.
"""

from jaxir.training.schrodinger.bridge import SchrodingerBridge, schrodinger_bridge
from jaxir.training.schrodinger.fitting import Fitting, MarkovianFitting, ProportionalFitting
from jaxir.training.schrodinger.regression import (
    AffineRegression,
    Example,
    GradientRegression,
    Regression,
)

__all__ = [
    "AffineRegression",
    "Example",
    "Fitting",
    "GradientRegression",
    "MarkovianFitting",
    "ProportionalFitting",
    "Regression",
    "SchrodingerBridge",
    "schrodinger_bridge",
]
