"""What training minimises."""

from jaxir.losses.matching import (
    Objective,
    Weighting,
    edm_weight,
    matching_loss,
    min_snr_weight,
    output_weight,
    simple_weight,
    vlb_weight,
)
from jaxir.losses.reverting import euler_matching_loss, mean_matching_loss, stepwise
from jaxir.losses.spatial_entropy import (
    Distance,
    Law,
    cross_entropy,
    entropy,
    entropy_loss,
    hellinger,
    relative_entropy,
    spatial_law,
)
from jaxir.losses.structure import structure_loss, structured
from jaxir.losses.variational_bound import (
    Bound,
    Decoder,
    GaussianDecoder,
    IntegerDecoder,
    continuous_bound,
    step_weight,
    variational_bound,
)

__all__ = [
    "Bound",
    "Decoder",
    "Distance",
    "GaussianDecoder",
    "IntegerDecoder",
    "Law",
    "Objective",
    "Weighting",
    "continuous_bound",
    "cross_entropy",
    "edm_weight",
    "entropy",
    "entropy_loss",
    "euler_matching_loss",
    "hellinger",
    "matching_loss",
    "mean_matching_loss",
    "min_snr_weight",
    "output_weight",
    "relative_entropy",
    "simple_weight",
    "spatial_law",
    "step_weight",
    "stepwise",
    "structure_loss",
    "structured",
    "variational_bound",
    "vlb_weight",
]
