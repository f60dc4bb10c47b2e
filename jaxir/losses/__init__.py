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
    "GaussianDecoder",
    "IntegerDecoder",
    "Objective",
    "Weighting",
    "continuous_bound",
    "edm_weight",
    "euler_matching_loss",
    "matching_loss",
    "mean_matching_loss",
    "min_snr_weight",
    "output_weight",
    "simple_weight",
    "step_weight",
    "stepwise",
    "variational_bound",
    "vlb_weight",
]
