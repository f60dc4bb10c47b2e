"""Problems whose exact posterior is known, and how far a method's samples are from it."""

from jaxir.testbeds.empirical import StoredImages, StoredLaw
from jaxir.testbeds.field import FieldLaw, FieldPosterior, StationaryField, field_power
from jaxir.testbeds.gaussian import Calibration, LinearGaussian, stationary_covariance
from jaxir.testbeds.low_rank import LowRank
from jaxir.testbeds.mixture import GaussianMixture, MixtureLaw, mcgdiff_problem
from jaxir.testbeds.paired import CorrelatedNoise, GaussianLaw, PairedGaussian, Regression
from jaxir.testbeds.scores import (
    Proportion,
    coverage,
    gaussian_w2,
    mean_error,
    proportion,
    rank,
    sliced_w1,
    sliced_w2,
    uniformity,
    weight_error,
    whitened_covariance,
)
from jaxir.testbeds.system import Circulant, Iterative, System
from jaxir.testbeds.testbed import Conditional, Law, PseudoInverse, Testbed

__all__ = [
    "Calibration",
    "Circulant",
    "Conditional",
    "CorrelatedNoise",
    "FieldLaw",
    "FieldPosterior",
    "GaussianLaw",
    "GaussianMixture",
    "Iterative",
    "Law",
    "LinearGaussian",
    "LowRank",
    "MixtureLaw",
    "PairedGaussian",
    "Proportion",
    "PseudoInverse",
    "Regression",
    "StationaryField",
    "StoredImages",
    "StoredLaw",
    "System",
    "Testbed",
    "coverage",
    "field_power",
    "gaussian_w2",
    "mcgdiff_problem",
    "mean_error",
    "proportion",
    "rank",
    "sliced_w1",
    "sliced_w2",
    "stationary_covariance",
    "uniformity",
    "weight_error",
    "whitened_covariance",
]
